package pool_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
)

// restore takes a volume back to another, and keeps what it was or not.
func (w *world) restore() {
	src, _ := w.pick()
	dst, _ := w.pick()
	if src == nil || dst == nil || src == dst || dst.size < src.size {
		return
	}
	after, keep := src.copyOf(dst.id, dst.size), pool.Spec{}
	if dst.base != nil {
		after = src.snapshotOf(dst.id, dst.size)
	}
	if w.r.IntN(2) == 0 && !dst.failed {
		w.names++
		keep.Name = fmt.Sprint("v", w.names)
		w.names2[keep.Name] = dst.snapshotOf("", dst.size)
	}
	w.unsure[dst.id] = after
	_, err := w.pool.Restore(context.Background(), dst.id, src.id, keep)
	w.note("restore %s from %s, keep %q: %v", dst.id, src.id, keep.Name, err)
	switch {
	case err == nil:
		src.flushed(0, src.size)
		w.vols[dst.id], w.unsure = after, nil
		w.adoptKept()
	case !w.dark() && !dst.failed:
		dst.failed = w.stopped(dst)
	}
}

// adoptKept finds the ids of the volumes that a step made.
func (w *world) adoptKept() {
	list, err := w.pool.List(context.Background())
	if w.dark() {
		return // reboot does it
	}
	require.NoError(w.t, err)
	for _, v := range list {
		if m := w.names2[v.Name]; m != nil {
			m.id = v.ID
			w.vols[v.ID] = m
		}
	}
	w.names2 = nil
}

// reset takes a snapshot back to when it was made.
func (w *world) reset() {
	v, _ := w.pick()
	if v == nil {
		return
	}
	var after *volume
	if v.base != nil {
		after = v.reset()
		w.unsure[v.id] = after
	}
	_, err := w.pool.Reset(context.Background(), v.id)
	w.note("reset %s: %v", v.id, err)
	switch {
	case err == nil:
		require.NotNil(w.t, after, "volume %s is no snapshot", v.id)
		w.vols[v.id], w.unsure = after, nil
	case blockdev.Is(err, blockdev.KindInvalid):
		require.True(w.t, after == nil || v.hydrated, "volume %s is a snapshot: %v", v.id, err)
		w.unsure = map[pool.VolumeID]*volume{}
	case !w.dark() && !v.failed:
		v.failed = w.stopped(v)
	}
}

// shrink takes the end of a volume away.
func (w *world) shrink() {
	v, d := w.pick()
	if v == nil || v.size < worldSize/2 {
		return
	}
	require.NoError(w.t, d.Close())
	delete(w.open, v.id)
	size := v.size - int64(1+w.r.IntN(60))*sector
	v.write(size, v.size-size, 0, false) // the first half of it
	less := v.copyOf(v.id, size)
	less.hydrated = true // it cannot be reset any more
	for s := range less.cells {
		if less.cells[s].maybe = v.cells[s].maybe; s >= size/sector {
			delete(less.cells, s)
		}
	}
	w.unsure[v.id] = less
	_, err := w.pool.Resize(context.Background(), v.id, size, true)
	w.note("shrink %s to %d: %v", v.id, size, err)
	if err == nil {
		less.failed = v.failed
		w.vols[v.id], w.unsure = less, nil
	}
}

// TestResetAfterAll: a snapshot can be reset when its source and its neighbours are
// gone, and again after a restart; deleting it gives everything back.
func TestResetAfterAll(t *testing.T) {
	dir, meta := t.TempDir(), pooltest.NewMeta()
	p := openDir(t, dir, meta)
	v := pooltest.Create(t, p, "v", 1<<20)
	d, err := p.Open(t.Context(), v.ID)
	require.NoError(t, err)
	pooltest.Write(t, d, pooltest.Fill(1, 1<<19), 0)
	first := pooltest.Snap(t, p, v.ID, "first")
	pooltest.Write(t, d, pooltest.Fill(2, 9000), 3000)
	s := pooltest.Snap(t, p, v.ID, "s")
	want := pooltest.Fill(1, 1<<19)
	copy(want[3000:], pooltest.Fill(2, 9000))
	require.NoError(t, d.Close())
	pooltest.Write(t, pooltest.Open(t, p, s.ID), pooltest.Fill(3, 1<<20), 0)
	require.NoError(t, p.Delete(t.Context(), v.ID))
	require.NoError(t, p.Delete(t.Context(), first.ID))
	require.NoError(t, p.WaitIdle(t.Context()))
	require.Equal(t, 2, layers(t, dir), "the snapshot and what it was")
	require.NoError(t, p.Close())

	p = openDir(t, dir, meta)
	for range 2 {
		_, err = p.Reset(t.Context(), s.ID)
		require.NoError(t, err)
		h, err := p.Open(t.Context(), s.ID)
		require.NoError(t, err)
		pooltest.Holds(t, h, want, 0)
		pooltest.Holds(t, h, make([]byte, 1<<19), 1<<19)
		pooltest.Write(t, h, pooltest.Fill(4, 700), 100)
		require.NoError(t, h.Close())
	}
	require.NoError(t, p.Delete(t.Context(), s.ID))
	require.NoError(t, p.WaitIdle(t.Context()))
	require.Zero(t, layers(t, dir))
}

// TestOlderVersionMergedTheBase: a record names a base that is not there any more.
func TestOlderVersionMergedTheBase(t *testing.T) {
	dir, meta := t.TempDir(), pooltest.NewMeta()
	p := openDir(t, dir, meta)
	v := pooltest.Create(t, p, "v", 1<<20)
	require.NoError(t, p.Close())
	setBase(t, meta, v.ID, "00000000000000000000000000000000")
	p = openDir(t, dir, meta)
	_, err := p.Reset(t.Context(), v.ID)
	require.True(t, blockdev.Is(err, blockdev.KindInvalid), "%v", err)
}

// setBase edits the record of a volume.
func setBase(t *testing.T, meta *pooltest.Meta, id pool.VolumeID, base string) {
	t.Helper()
	require.NoError(t, meta.Update(t.Context(), func(tx pool.MetaTx) error {
		key := "main/" + string(id)
		value, err := tx.Get("pool.volumes", key)
		require.NoError(t, err)
		require.Equal(t, byte('}'), value[len(value)-1])
		return tx.Put("pool.volumes", key, append(value[:len(value)-1:len(value)-1], `,"base":"`+base+`"}`...))
	}))
}
