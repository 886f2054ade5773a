package vfs

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// gated are lanes whose syncs begin and end when the test says so.
type gated struct {
	lanes
	begun   chan int   // the number of the descriptor
	results chan error // what they return
	opened  atomic.Int32
}

func newGated(t *testing.T) *gated {
	g := &gated{begun: make(chan int), results: make(chan error)}
	g.main = func() error { g.begun <- 0; return <-g.results }
	g.more = func() (*os.File, error) {
		g.opened.Add(1)
		return os.Open(t.TempDir())
	}
	return g
}

// waiting returns when a round waits for a lane.
func (g *gated) waiting() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.next != nil
}

// TestLanesShareRounds: all who come while one run is under way get the next, and not
// that one.
func TestLanesShareRounds(t *testing.T) {
	g := newGated(t)
	g.only = true
	var wg sync.WaitGroup
	var done atomic.Int32
	call := func() {
		wg.Go(func() {
			if err := g.sync(); err != nil {
				t.Error(err)
			}
			done.Add(1)
		})
	}
	call()
	<-g.begun
	for range 10 {
		call()
	}
	require.Eventually(t, g.waiting, 1e10, 1e6)
	require.Zero(t, done.Load())
	g.results <- nil
	<-g.begun
	require.LessOrEqual(t, done.Load(), int32(1), "what came later needs a run of its own")
	g.results <- nil
	go func() { // those who came too late for the second
		for range g.begun {
			g.results <- nil
		}
	}()
	wg.Wait()
	close(g.begun)
	require.Zero(t, g.opened.Load())
}

// TestLanesFailTogether: a loss that one sync was told of is told to all who wait and
// to all who come.
func TestLanesFailTogether(t *testing.T) {
	g, lost := newGated(t), errors.New("lost")
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- g.sync() }()
	<-g.begun
	go func() { second <- g.sync() }()
	require.Eventually(t, g.waiting, 1e10, 1e6)
	g.results <- lost
	require.ErrorIs(t, <-first, lost)
	require.ErrorIs(t, <-second, lost)
	require.ErrorIs(t, g.sync(), lost)
	require.Zero(t, g.opened.Load(), "a descriptor that is opened now would not be told")
}

// TestLanesOpenAtRest: more descriptors are opened when nothing is under way, and not
// before they are needed.
func TestLanesOpenAtRest(t *testing.T) {
	g := newGated(t)
	var wg sync.WaitGroup
	wg.Go(func() { _ = g.sync() })
	<-g.begun
	wg.Go(func() { _ = g.sync() })
	require.Eventually(t, g.waiting, 1e10, 1e6)
	require.Zero(t, g.opened.Load())
	g.results <- nil
	wg.Wait() // the second ran on a folder, which syncs
	require.EqualValues(t, maxLanes-1, g.opened.Load())
	require.NoError(t, g.close())
}

// TestSyncsAtOnce syncs a real file from many goroutines, also without its name.
func TestSyncsAtOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	raw, err := os.Create(name)
	require.NoError(t, err)
	f, err := newOSFile(raw)
	require.NoError(t, err)
	require.NoError(t, os.Remove(name))
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for range 20 {
				_, err := f.WriteAt([]byte{1}, int64(g)*4096)
				if err = errors.Join(err, f.Sync()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, f.Close())
	require.Error(t, f.Sync())
	require.Error(t, f.Close())
}

// TestFolderStaysFailed: a folder whose sync failed once is never said to be durable
// again, to whomever asks, also to those who ask while the sync that fails is running.
func TestFolderStaysFailed(t *testing.T) {
	d, err := OpenDir(t.TempDir())
	require.NoError(t, err)
	defer d.Close()
	require.NoError(t, d.SyncDir())
	lost, begun, results := errors.New("lost"), make(chan int), make(chan error)
	d.names.main = func() error { begun <- 0; return <-results }
	d.names.all, d.names.idle = nil, nil // it is used anew
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if err := d.SyncDir(); !errors.Is(err, lost) {
				t.Errorf("%v", err)
			}
		})
	}
	<-begun
	results <- lost
	wg.Wait()
	require.ErrorIs(t, d.SyncDir(), lost)
}
