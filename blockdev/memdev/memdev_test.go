package memdev

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/devtest"
)

func TestConformance(t *testing.T) {
	devtest.Run(t, func(*testing.T) blockdev.Device { return New(devtest.MinSize) })
}

func TestConformanceOddSize(t *testing.T) {
	devtest.Run(t, func(*testing.T) blockdev.Device { return New(devtest.MinSize + 3*512) })
}

func TestSizeIsRounded(t *testing.T) {
	for size, want := range map[int64]int64{-1: 0, 0: 0, 1: 512, 512: 512, 513: 1024} {
		require.Equal(t, want, New(size).Size(), "size %d", size)
	}
}

func TestSparse(t *testing.T) {
	ctx := context.Background()
	d := New(1 << 50)
	require.NoError(t, d.WriteAt(ctx, []byte("far"), 1<<49))
	require.Len(t, d.chunks, 1)
	require.NoError(t, d.ZeroAt(ctx, 0, 4096))
	require.Len(t, d.chunks, 1)
	list, err := d.Extents(ctx, 512, 1<<50-512, 0)
	require.NoError(t, err)
	require.Equal(t, []blockdev.Extent{
		{Off: 512, Len: 1<<49 - 512}, {Off: 1 << 49, Len: 4096, Data: true}, {Off: 1<<49 + 4096, Len: 1<<49 - 4096},
	}, list)
	require.NoError(t, d.ZeroAt(ctx, 1<<49, 4096))
	require.Empty(t, d.chunks)
	require.NoError(t, d.ZeroAt(ctx, 0, 1<<50), "a whole device is zeroed at once, however large")
}

func TestZeroOfHoleTakesNoSpace(t *testing.T) {
	d := New(1 << 20)
	require.NoError(t, d.ZeroAt(context.Background(), 100, 8000))
	require.Empty(t, d.chunks)
}

func TestGrow(t *testing.T) {
	ctx := context.Background()
	d := New(4096)
	require.NoError(t, d.WriteAt(ctx, []byte{7}, 4095))
	d.Grow(8192)
	d.Grow(512)
	require.EqualValues(t, 8192, d.Size())
	buf := make([]byte, 4097)
	require.NoError(t, d.ReadAt(ctx, buf, 4095))
	require.Equal(t, append([]byte{7}, make([]byte, 4096)...), buf)
}
