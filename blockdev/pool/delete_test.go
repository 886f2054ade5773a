package pool_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs/memfs"
)

// farm is a volume with many snapshots on a filesystem that counts its space.
type farm struct {
	t     *testing.T
	r     *rand.Rand
	fs    *memfs.FS
	meta  *pooltest.Meta
	pool  *pool.LayerPool
	vol   pool.VolumeID
	shows []byte // what the volume holds
	snaps []pool.VolumeID
}

const (
	farmBlocks = 700
	farmSize   = farmBlocks * blockdev.BlockSize
)

func newFarm(t *testing.T, seed uint64) *farm {
	f := &farm{t: t, r: rand.New(rand.NewPCG(seed, 5)), fs: memfs.New(seed), meta: pooltest.NewMeta(), shows: make([]byte, farmSize)}
	f.fs.SetCloning(seed%2 == 1)
	f.meta.Commit = func() (bool, error) { return f.fs.Step("meta") }
	f.start()
	f.vol = pooltest.Create(t, f.pool, "v", farmSize).ID
	return f
}

func (f *farm) start() {
	p, err := pool.Open(context.Background(), pool.Config{FS: f.fs, Name: "w", Meta: f.meta, MergeRate: -1})
	require.NoError(f.t, err)
	f.pool = p
	f.t.Cleanup(func() { _ = p.Close() }) // a second time, or after a power cut
}

// scribble writes and zeroes some runs of blocks; every byte written is not 0, so
// that what the volume holds tells what space it needs.
func (f *farm) scribble(d blockdev.Device, runs int) {
	for range runs {
		off := f.r.Int64N(farmBlocks-8) * blockdev.BlockSize
		n := (1 + f.r.Int64N(8)) * blockdev.BlockSize
		if f.r.IntN(4) == 0 {
			require.NoError(f.t, blockdev.Zero(f.t.Context(), d, off, n))
			clear(f.shows[off : off+n])
			continue
		}
		p := pooltest.Fill(byte(f.r.Uint32()), int(n))
		pooltest.Write(f.t, d, p, off)
		copy(f.shows[off:], p)
	}
}

// grow takes n snapshots with writes before each.
func (f *farm) grow(d blockdev.Device, n int) {
	for i := range n {
		f.scribble(d, 6)
		f.snaps = append(f.snaps, pooltest.Snap(f.t, f.pool, f.vol, fmt.Sprint("s", i)).ID)
	}
	f.r.Shuffle(n, func(i, j int) { f.snaps[i], f.snaps[j] = f.snaps[j], f.snaps[i] })
}

// needed is the space of what the volume holds: the blocks that are not zeros.
func (f *farm) needed() (n int64) {
	for off := 0; off < farmSize; off += blockdev.BlockSize {
		if f.shows[off] != 0 {
			n += blockdev.BlockSize
		}
	}
	return n
}

// alone requires that one layer is left, with the space that its content needs.
func (f *farm) alone() {
	f.t.Helper()
	names, err := f.fs.List()
	require.NoError(f.t, err)
	require.Len(f.t, names, 1)
	require.True(f.t, strings.HasSuffix(names[0], ".data"))
	d, err := f.pool.Open(f.t.Context(), f.vol)
	require.NoError(f.t, err)
	pooltest.Holds(f.t, d, f.shows, 0)
	require.NoError(f.t, d.Close())
	total, free, err := f.fs.Space()
	require.NoError(f.t, err)
	require.Equal(f.t, f.needed(), total-free)
}

// TestDeleteHundred deletes 100 snapshots in a random order: one layer is left, and
// all the space that the volume does not need is free.
func TestDeleteHundred(t *testing.T) {
	eachSeed(t, 10, func(t *testing.T, seed uint64) {
		f := newFarm(t, seed)
		d := pooltest.Open(t, f.pool, f.vol)
		f.grow(d, 100)
		for i, id := range f.snaps {
			require.NoError(t, f.pool.Delete(t.Context(), id))
			if i%10 == 0 {
				f.scribble(d, 2)
			}
		}
		require.NoError(t, f.pool.WaitIdle(t.Context()))
		f.alone()
	})
}

// TestDeleteUnderWriters: the same, while the volume is written to without a pause.
// The merges end before the writers do.
func TestDeleteUnderWriters(t *testing.T) {
	eachSeed(t, 10, func(t *testing.T, seed uint64) {
		f := newFarm(t, seed)
		d := pooltest.Open(t, f.pool, f.vol)
		f.grow(d, 20)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var writers sync.WaitGroup
		for i := range int64(2) {
			writers.Go(func() { f.hammer(ctx, d, i) })
		}
		for _, id := range f.snaps {
			require.NoError(t, f.pool.Delete(t.Context(), id))
		}
		require.NoError(t, f.pool.WaitIdle(t.Context()))
		names, err := f.fs.List()
		require.NoError(t, err)
		require.Len(t, names, 1, "with the writers at work")
		cancel()
		writers.Wait()
		f.alone()
	})
}

// hammer writes to every second block, again and again.
func (f *farm) hammer(ctx context.Context, d blockdev.Device, half int64) {
	for i := int64(0); ctx.Err() == nil; i++ {
		off := (i*37%(farmBlocks/2)*2 + half) * blockdev.BlockSize
		p := pooltest.Fill(byte(i), blockdev.BlockSize)
		if err := d.WriteAt(context.Background(), p, off); err != nil {
			f.t.Error(err)
			return
		}
		copy(f.shows[off:], p)
	}
}

// TestDeleteAcrossPowerCuts cuts the power again and again while snapshots go: the
// merges go on, and nothing of what they had copied is left over.
func TestDeleteAcrossPowerCuts(t *testing.T) {
	eachSeed(t, 20, func(t *testing.T, seed uint64) {
		f := newFarm(t, seed)
		d := pooltest.Open(t, f.pool, f.vol)
		f.grow(d, 12)
		require.NoError(t, d.Flush(t.Context()))
		for len(f.snaps) > 0 {
			f.fs.CutAfter(f.r.IntN(400))
			f.deleteSome()
			_ = f.pool.Close() // does nothing if the power went
			f.fs = f.fs.Crash()
			f.start()
			f.forgetGone()
		}
		require.NoError(t, f.pool.WaitIdle(t.Context()))
		f.alone()
	})
}

// deleteSome deletes snapshots and lets merges run, until the power goes.
func (f *farm) deleteSome() {
	for _, id := range f.snaps {
		if f.pool.Delete(f.t.Context(), id) != nil {
			return
		}
		if f.r.IntN(2) == 0 {
			_ = f.pool.WaitIdle(f.t.Context()) // fails without power
		}
	}
}

// forgetGone keeps the snapshots that are there.
func (f *farm) forgetGone() {
	var left []pool.VolumeID
	for _, id := range f.snaps {
		if _, err := f.pool.Get(f.t.Context(), id); err == nil {
			left = append(left, id)
		}
	}
	f.snaps = left
}

// TestSinkingGivenUp: what went below the top while it was going down is durable after
// a flush, also where the volume is back on its top by then.
func TestSinkingGivenUp(t *testing.T) {
	eachSeed(t, 20, func(t *testing.T, seed uint64) {
		m, meta := memfs.New(seed), pooltest.NewMeta()
		p, err := pool.Open(t.Context(), pool.Config{FS: m, Name: "w", Meta: meta, MergeRate: 1})
		require.NoError(t, err)
		v := pooltest.Create(t, p, "v", 4<<20)
		d := pooltest.Open(t, p, v.ID)
		pooltest.Write(t, d, pooltest.Fill(1, 1<<20), 0)
		s := pooltest.Snap(t, p, v.ID, "s")
		pooltest.Write(t, d, pooltest.Fill(2, 4*blockdev.BlockSize), 0)
		require.NoError(t, p.Delete(t.Context(), s.ID))
		require.Eventually(t, func() bool { return p.Sinking(v.ID) }, time.Minute, time.Millisecond)
		pooltest.Write(t, d, pooltest.Fill(3, 1<<20), 2<<20)
		_, err = p.Update(t.Context(), v.ID, func(v *pool.Volume) error { v.Size += 512; return nil })
		require.NoError(t, err)
		require.NoError(t, d.Flush(t.Context()))
		after := m.Crash()
		_ = p.Close() // without power
		p, err = pool.Open(t.Context(), pool.Config{FS: after, Name: "w", Meta: meta})
		require.NoError(t, err)
		pooltest.Holds(t, pooltest.Open(t, p, v.ID), pooltest.Fill(3, 1<<20), 2<<20)
		require.NoError(t, p.Close())
	})
}
