package vfs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWritersAreAlone: no two durable writes use one descriptor at the same time, and
// there are few of them.
func TestWritersAreAlone(t *testing.T) {
	var s lanes
	open := func() (*os.File, error) { return os.Open(t.TempDir()) }
	used := map[*os.File]bool{}
	for range maxWriters {
		f, err := s.borrow(open)
		require.NoError(t, err)
		require.NotNil(t, f)
		require.False(t, used[f])
		used[f] = true
	}
	f, err := s.borrow(open)
	require.NoError(t, err)
	require.Nil(t, f, "it writes, and syncs with others")
	for f := range used {
		s.giveBack(f, nil)
	}
	f, err = s.borrow(open)
	require.NoError(t, err)
	require.True(t, used[f], "they are used again")
	s.giveBack(f, nil)
	s.failed = errors.New("lost")
	_, err = s.borrow(open)
	require.ErrorIs(t, err, s.failed)
	require.NoError(t, s.close())
	require.Error(t, f.Close(), "all were closed")
}

// TestNoLaneAfterLostWrite: while a durable write is under way, and after one that
// failed, no lane is opened: it might not be told of what was lost.
func TestNoLaneAfterLostWrite(t *testing.T) {
	g := newGated(t)
	f, err := g.borrow(g.more)
	require.NoError(t, err)
	opened := g.opened.Load()
	for _, end := range []func(){func() {}, func() { g.giveBack(f, errors.New("lost")) }} {
		end()
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if err := g.sync(); err != nil {
					t.Error(err)
				}
			})
		}
		require.Zero(t, <-g.begun)
		require.Eventually(t, g.waiting, 1e10, 1e6)
		g.results <- nil
		require.Zero(t, <-g.begun, "the one descriptor")
		g.results <- nil
		wg.Wait()
		require.Equal(t, opened, g.opened.Load())
	}
	require.NoError(t, g.close())
}

// TestDurableWritesAtOnce writes to a real file from many goroutines, without its name.
func TestDurableWritesAtOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	raw, err := os.Create(name)
	require.NoError(t, err)
	f, err := newOSFile(raw)
	require.NoError(t, err)
	require.NoError(t, os.Remove(name))
	var wg sync.WaitGroup
	for g := range 3 * maxWriters {
		wg.Go(func() {
			for i := range 10 {
				if err := f.WriteSync(bytes.Repeat([]byte{byte(g + i)}, 5000), int64(g)*5000); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for g := range 3 * maxWriters {
		p := make([]byte, 5000)
		_, err := f.ReadAt(p, int64(g)*5000)
		require.NoError(t, err)
		require.Equal(t, bytes.Repeat([]byte{byte(g + 9)}, 5000), p)
	}
	require.NoError(t, f.Close())
	require.Error(t, f.WriteSync([]byte{1}, 0))
}
