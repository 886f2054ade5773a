package replication

import (
	"context"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
)

func TestResizeVolume(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	v := w.volume("p0", "v")
	_, err := w.svc.ResizeVolume(ctx, v, volumeSize/2, false)
	refusedWith(t, err, KindInvalid, "Size")
	require.Contains(t, err.Error(), fmt.Sprint("data at ", volumeSize/2))
	_, err = w.svc.UpdateVolume(ctx, v, func(v *pool.Volume) error { v.Size, v.Name = volumeSize/2, "w"; return nil })
	refusedWith(t, err, KindInvalid, "Size")
	got, err := w.svc.ResizeVolume(ctx, v, volumeSize/2, true)
	require.NoError(t, err)
	require.Equal(t, []any{int64(volumeSize / 2), "v"}, []any{got.Size, got.Name})
	got, err = w.svc.ResizeVolume(ctx, v, volumeSize, false)
	require.NoError(t, err)
	require.Equal(t, int64(volumeSize), got.Size)
	got, err = w.svc.UpdateVolume(ctx, v, func(v *pool.Volume) error { v.Size = volumeSize / 2; return nil })
	require.NoError(t, err, "there is nothing in it")
	require.Equal(t, int64(volumeSize/2), got.Size)

	w.expose(v, 0)
	_, err = w.svc.ResizeVolume(ctx, v, 4096, true)
	refusedWith(t, err, KindInUse, "Size")
	_, err = w.svc.ResizeVolume(ctx, v, volumeSize, false)
	require.NoError(t, err, "it can grow while it is in use")
	id, _, target := w.one(pairstate.Snapshot, "a", pairstate.Synchronized)
	r, err := w.svc.Relationship(ctx, id)
	require.NoError(t, err)
	for _, v := range []VolumeRef{r.Source, target} {
		_, err = w.svc.ResizeVolume(ctx, v, 4096, true)
		refusedWith(t, err, KindInUse, "Size")
	}
	_, err = w.svc.ResizeVolume(ctx, target, 2*volumeSize, false)
	refusedWith(t, err, KindInUse, "Size")
	_, err = w.svc.ResizeVolume(ctx, r.Source, 2*volumeSize, false)
	require.NoError(t, err, "a point in time that was taken does not need it")
	open := w.volume("p0", "open")
	d, err := w.pools[0].Open(ctx, open.ID)
	require.NoError(t, err)
	_, err = w.svc.ResizeVolume(ctx, open, 4096, true)
	refusedWith(t, err, KindInUse, "Size")
	require.NoError(t, d.Close())
	_, err = w.svc.ResizeVolume(ctx, VolumeRef{Pool: "p0", ID: "none"}, 4096, true)
	refusedWith(t, err, KindInvalid, "TheElement")
}

// TestTooLargeForTheFilesystem: it is the size that is wrong, not the disk.
func TestTooLargeForTheFilesystem(t *testing.T) {
	w := newWorld(t)
	v := w.volume("p0", "v")
	w.pools[0].setFault(func(op, _ string) error {
		if op == "create" || op == "update" {
			return blockdev.Wrap(blockdev.KindIO, op, syscall.EFBIG)
		}
		return nil
	})
	_, made := w.svc.CreateVolume(context.Background(), "p0", pool.Spec{Name: "w", Size: 1 << 58})
	_, resized := w.svc.ResizeVolume(context.Background(), v, 1<<58, false)
	_, updated := w.svc.UpdateVolume(context.Background(), v, func(v *pool.Volume) error { v.Size = 1 << 58; return nil })
	for _, err := range []error{made, resized, updated} {
		refusedWith(t, err, KindInvalid, "Size")
		require.ErrorContains(t, err, "no files of that size")
	}
}
