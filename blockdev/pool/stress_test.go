package pool_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
)

const stressSize = 6<<20 + 512

// TestEverythingAtOnce lets writers, snapshots, clones and deletes loose on the same
// volumes. Each writer knows what its volume must hold; each copy is compared with
// itself later: it must not change.
func TestEverythingAtOnce(t *testing.T) {
	dir := t.TempDir()
	p := openDir(t, dir, pooltest.NewMeta())
	var ids []pool.VolumeID
	for i := range 3 {
		ids = append(ids, pooltest.Create(t, p, fmt.Sprint("v", i), stressSize).ID)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var writers, copiers sync.WaitGroup
	for i, id := range ids {
		writers.Go(func() { stressWriter(t, ctx, p, id, uint64(i)) })
	}
	var n atomic.Int64
	for i := range 3 {
		copiers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 9))
			for range max(4, 12/slowness) {
				stressCopy(t, p, r, ids, fmt.Sprint("c", n.Add(1)))
			}
		})
	}
	copiers.Wait()
	cancel()
	writers.Wait()
	// Merges that gave up because their volume was written to all the time are tried
	// again with the next change. The first time they may still be at their limit.
	for range 2 {
		last := pooltest.Create(t, p, "last", stressSize)
		require.NoError(t, p.Delete(context.Background(), last.ID))
		require.NoError(t, p.WaitIdle(context.Background()))
	}
	require.Equal(t, len(ids), layers(t, dir))
}

// stressWriter writes, zeroes and flushes until ctx ends, then compares.
func stressWriter(t *testing.T, ctx context.Context, p *pool.LayerPool, id pool.VolumeID, seed uint64) {
	d, err := p.Open(context.Background(), id)
	if err != nil {
		t.Error(err)
		return
	}
	defer d.Close()
	r, model := rand.New(rand.NewPCG(seed, 8)), make([]byte, stressSize)
	for i := 0; ctx.Err() == nil; i++ {
		off := r.Int64N(stressSize)
		buf := bytes.Repeat([]byte{byte(i)}, int(min(stressSize-off, 1+r.Int64N(9000))))
		switch r.IntN(12) {
		case 0:
			clear(buf)
			err = blockdev.Zero(context.Background(), d, off, int64(len(buf)))
		case 1:
			err = blockdev.WriteFUA(context.Background(), d, buf, off)
		case 2:
			buf, err = nil, d.Flush(context.Background())
		default:
			err = d.WriteAt(context.Background(), buf, off)
		}
		if copy(model[off:], buf); err != nil {
			t.Error(err)
			return
		}
	}
	got := make([]byte, stressSize)
	if err := d.ReadAt(context.Background(), got, 0); err != nil || !bytes.Equal(got, model) {
		t.Errorf("volume %s is not what was written (%v)", id, err)
	}
}

// stressCopy takes a copy, reads it, lets it be hydrated or not, reads it again and
// deletes it.
func stressCopy(t *testing.T, p *pool.LayerPool, r *rand.Rand, ids []pool.VolumeID, name string) {
	ctx := context.Background()
	out, err := p.Snapshot(ctx, []pool.Copy{
		{Source: ids[r.IntN(len(ids))], Target: pool.Spec{Name: name}},
	})
	if err != nil {
		t.Error(err)
		return
	}
	d, err := p.Open(ctx, out[0].ID)
	if err != nil {
		t.Error(err)
		return
	}
	before, after := make([]byte, stressSize), make([]byte, stressSize)
	if err := d.ReadAt(ctx, before, 0); err != nil {
		t.Error(err)
	}
	if r.IntN(2) == 0 {
		if err := p.Hydrate(ctx, out[0].ID, 0, nil); err != nil {
			t.Error(err)
		}
	}
	if err := d.ReadAt(ctx, after, 0); err != nil || !bytes.Equal(before, after) {
		t.Errorf("copy %s changed (%v)", name, err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Delete(ctx, out[0].ID); err != nil {
		t.Error(err)
	}
}

// TestDeleteEndsHydrate: a volume that is being hydrated can be deleted.
func TestDeleteEndsHydrate(t *testing.T) {
	p := openDir(t, t.TempDir(), pooltest.NewMeta())
	v := pooltest.Create(t, p, "v", 64<<20)
	pooltest.Write(t, pooltest.Open(t, p, v.ID), pooltest.Fill(1, 1<<20), 0)
	c := pooltest.Snap(t, p, v.ID, "c")
	deleted := false
	err := p.Hydrate(t.Context(), c.ID, 0, func(done, _ int64) {
		if done < 16<<20 && !deleted {
			deleted = true
			require.NoError(t, p.Delete(context.Background(), c.ID))
		}
	})
	require.True(t, blockdev.Is(err, blockdev.KindNotFound), "%v", err)
}

// TestCloseEndsHydrate: so does closing the pool, and the copy goes on later.
func TestCloseEndsHydrate(t *testing.T) {
	dir, meta := t.TempDir(), pooltest.NewMeta()
	p := openDir(t, dir, meta)
	v := pooltest.Create(t, p, "v", 64<<20)
	pooltest.Write(t, pooltest.Open(t, p, v.ID), pooltest.Fill(1, 1<<20), 5000)
	c := pooltest.Snap(t, p, v.ID, "c")
	closed, began := make(chan error), make(chan struct{})
	var once sync.Once
	go func() {
		<-began
		closed <- p.Close()
	}()
	err := p.Hydrate(t.Context(), c.ID, 1<<20, func(int64, int64) { once.Do(func() { close(began) }) })
	require.True(t, blockdev.Is(err, blockdev.KindClosed), "%v", err)
	require.NoError(t, <-closed)
	p = openDir(t, dir, meta)
	require.NoError(t, p.Hydrate(t.Context(), c.ID, 0, nil))
	require.NoError(t, p.WaitIdle(t.Context()))
	require.Equal(t, 2, layers(t, dir))
	pooltest.Holds(t, pooltest.Open(t, p, c.ID), pooltest.Fill(1, 1<<20), 5000)
}

// TestFailedSnapshotLeavesNothing makes every call of a snapshot of a set fail, one
// after the other, and finds the pool as before.
func TestFailedSnapshotLeavesNothing(t *testing.T) {
	for n := 0; ; n++ {
		if !failOneCall(t, n) {
			require.Greater(t, n, 10)
			return
		}
	}
}
