package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/layer"
)

func TestStall(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	writes := [][2]time.Time{
		{at(0), at(50)},    // over before
		{at(90), at(110)},  // under way at the beginning
		{at(111), at(140)}, // the longest
		{at(195), at(205)}, // under way at the end
		{at(206), at(400)}, // after
	}
	require.Equal(t, stall{took: 100, longest: 29, silence: 65}, stallOf(writes, at(100), at(200)))
	require.Equal(t, stall{took: 100}, stallOf(nil, at(100), at(200)))
}

func TestExcess(t *testing.T) {
	require.Equal(t, []float64{5, -5}, excess([]float64{100_000, 200_000}, []float64{200_000, 100_000, 1}))
}

// TestFileBelow is about the file that pread and pwrite are compared on.
func TestFileBelow(t *testing.T) {
	l := &lab{memory: t.TempDir()}
	require.NoError(t, withVolumes(t.Context(), l.memory, "layers", func(v *volumes) error {
		_, d, err := v.volume(t.Context(), "v", 2*mib, 0)
		require.NoError(t, err)
		defer d.Close()
		f, err := v.below(2 * mib)
		require.NoError(t, err)
		defer f.Close()
		wrote, got := []byte("by pwrite"), make([]byte, 9)
		require.NoError(t, f.WriteAt(t.Context(), wrote, 4096))
		require.NoError(t, d.ReadAt(t.Context(), got, 4096))
		require.Equal(t, wrote, got)
		require.ErrorIs(t, f.ReadAt(t.Context(), got, 2*mib-1), io.ErrUnexpectedEOF)
		_, other, err := v.volume(t.Context(), "other", mib, 0)
		require.NoError(t, err)
		defer other.Close()
		_, err = v.below(mib)
		require.ErrorContains(t, err, "2 files")
		return nil
	}))
}

func TestBlockByBlock(t *testing.T) {
	f, err := blockByBlock(t.Context(), t.TempDir(), mib)
	require.NoError(t, err)
	defer f.Close()
	st, err := f.Stat()
	require.NoError(t, err)
	require.Equal(t, int64(mib), st.Size())
	require.GreaterOrEqual(t, st.Sys().(*syscall.Stat_t).Blocks*512, int64(mib), "no holes")
}

func TestRateCountsEveryGoroutine(t *testing.T) {
	d := &counted{size: mib}
	for _, p := range patterns() {
		d.ops.Store(0)
		rate, err := p.rate(t.Context(), d, 3, time.Millisecond)
		require.NoError(t, err)
		require.Positive(t, rate)
		require.GreaterOrEqual(t, d.ops.Load(), int64(3))
	}
}

// counted is a disk that only counts what it is asked to do.
type counted struct {
	size int64
	ops  atomic.Int64
}

func (c *counted) ReadAt(_ context.Context, p []byte, off int64) error  { return c.op(p, off) }
func (c *counted) WriteAt(_ context.Context, p []byte, off int64) error { return c.op(p, off) }
func (c *counted) Flush(context.Context) error                          { return nil }
func (c *counted) Size() int64                                          { return c.size }

func (c *counted) op(p []byte, off int64) error {
	if off < 0 || off+int64(len(p)) > c.size {
		return io.ErrUnexpectedEOF
	}
	c.ops.Add(1)
	return nil
}

// TestForgetful is about what the memory of full volumes is measured with: it keeps
// nothing, but the layers must keep all that they know.
func TestForgetful(t *testing.T) {
	require.NoError(t, withForgetful(t.Context(), t.TempDir(), func(v *volumes) error {
		_, err := v.memory(t.Context(), "full", 32*mib, 2, true)
		require.NoError(t, err)
		maps, err := filepath.Glob(filepath.Join(v.dir, folder, layer.MapFile("*")))
		require.NoError(t, err)
		full := 0
		for _, name := range maps {
			saved, err := os.ReadFile(name)
			require.NoError(t, err)
			if bytes.Count(saved, []byte{0xff}) >= 32*mib/4096/4 {
				full++
			}
		}
		require.Equal(t, 2, full, "the layers above the first one")
		return nil
	}))
}

func TestLayersQuickly(t *testing.T) {
	l := &lab{memory: t.TempDir()}
	require.NoError(t, withVolumes(t.Context(), l.memory, "layers", func(v *volumes) error {
		id, d, err := v.volume(t.Context(), "v", 2*mib, 3)
		require.NoError(t, err)
		defer d.Close()
		list, err := v.List(t.Context())
		require.NoError(t, err)
		require.Len(t, list, 4)
		require.NoError(t, v.grow(t.Context(), id, 4*mib))
		n, err := everyBlock(t.Context(), first{d, 2 * mib}, 3)
		require.NoError(t, err)
		require.Positive(t, n)
		return v.many(t.Context(), 5)
	}))
}
