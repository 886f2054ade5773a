package blockdev_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/faultdev"
	"twinlun/blockdev/memdev"
)

// plain hides the optional interfaces of a device.
type plain struct{ blockdev.Device }

func TestWriteFUAWithoutFUAWriter(t *testing.T) {
	ctx := context.Background()
	d, plan := faultdev.Wrap(plain{memdev.New(4096)})
	require.NoError(t, blockdev.WriteFUA(ctx, d, []byte{1, 2}, 10))
	require.Equal(t, 1, plan.Count(faultdev.OpWrite))
	require.Equal(t, 1, plan.Count(faultdev.OpFlush))

	failed := errors.New("flush")
	plan.Inject(faultdev.Fault{Ops: []faultdev.Op{faultdev.OpFlush}, Err: failed})
	require.ErrorIs(t, blockdev.WriteFUA(ctx, d, []byte{1}, 0), failed, "unflushed is not durable")
	plan.Clear()
	plan.Inject(faultdev.Fault{Ops: []faultdev.Op{faultdev.OpWrite}, Err: failed})
	require.ErrorIs(t, blockdev.WriteFUA(ctx, d, []byte{1}, 0), failed)
	require.Equal(t, 2, plan.Count(faultdev.OpFlush), "a write that failed is not flushed")
}

func TestWriteFUAWithFUAWriter(t *testing.T) {
	d, plan := faultdev.Wrap(memdev.New(4096))
	require.NoError(t, blockdev.WriteFUA(context.Background(), d, []byte{1}, 0))
	require.Equal(t, 1, plan.Count(faultdev.OpFUA))
	require.Equal(t, 1, plan.Count())
}

func TestZeroWithoutZeroer(t *testing.T) {
	ctx := context.Background()
	const size = 3<<20 + 512
	m := memdev.New(size)
	require.NoError(t, m.WriteAt(ctx, bytes.Repeat([]byte{1}, size), 0))
	d, plan := faultdev.Wrap(plain{m})
	require.NoError(t, blockdev.Zero(ctx, d, 512, size-1024))
	require.Equal(t, 3, plan.Count(faultdev.OpWrite), "in bounded pieces")
	got := make([]byte, size)
	require.NoError(t, m.ReadAt(ctx, got, 0))
	require.Equal(t, bytes.Repeat([]byte{1}, 512), got[:512])
	require.Equal(t, make([]byte, size-1024), got[512:size-512])
	require.Equal(t, bytes.Repeat([]byte{1}, 512), got[size-512:])

	failed := errors.New("write")
	plan.Inject(faultdev.Fault{After: 1, Err: failed})
	require.ErrorIs(t, blockdev.Zero(ctx, d, 0, size), failed)
	require.NoError(t, blockdev.Zero(ctx, d, size, 0))
}

func TestZeroWithZeroer(t *testing.T) {
	d, plan := faultdev.Wrap(memdev.New(1 << 20))
	require.NoError(t, blockdev.Zero(context.Background(), d, 0, 1<<20))
	require.Equal(t, 1, plan.Count(faultdev.OpZero))
	require.Equal(t, 1, plan.Count())
}

func TestCheckRange(t *testing.T) {
	for _, c := range []struct {
		off, n, size int64
		good         bool
	}{
		{0, 0, 0, true}, {0, 512, 512, true}, {512, 0, 512, true}, {100, 412, 512, true},
		{513, 0, 512, false}, {0, 513, 512, false}, {1, 512, 512, false}, {-1, 1, 512, false}, {0, -1, 512, false},
		{math.MaxInt64, math.MaxInt64, 512, false}, {1, math.MaxInt64, math.MaxInt64, false},
		{math.MinInt64, 0, 512, false}, {0, math.MaxInt64, math.MaxInt64, true},
	} {
		err := blockdev.CheckRange("read", c.off, c.n, c.size)
		if c.good {
			require.NoError(t, err, "%+v", c)
		} else {
			require.True(t, blockdev.Is(err, blockdev.KindOutOfRange), "%+v: %v", c, err)
			require.ErrorContains(t, err, "read")
		}
	}
}

func TestErrors(t *testing.T) {
	err := blockdev.Wrap(blockdev.KindIO, "read block 7", io.ErrUnexpectedEOF)
	require.EqualError(t, err, "read block 7: I/O error: unexpected EOF")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.EqualError(t, &blockdev.Error{Kind: blockdev.KindClosed, Op: "flush"}, "flush: closed")
	require.NoError(t, blockdev.Wrap(blockdev.KindIO, "op", nil))

	wrapped := fmt.Errorf("more: %w", blockdev.Errorf(blockdev.KindBusy, "delete", "because %w", err))
	require.Equal(t, blockdev.KindBusy, blockdev.KindOf(wrapped), "the outermost kind counts")
	require.ErrorIs(t, wrapped, io.ErrUnexpectedEOF)
	require.True(t, blockdev.Is(wrapped, blockdev.KindBusy))
	require.False(t, blockdev.Is(nil, blockdev.KindInternal))
	require.Equal(t, blockdev.KindInternal, blockdev.KindOf(io.EOF))
}

func TestKindNames(t *testing.T) {
	seen := map[string]bool{}
	for k := blockdev.KindInternal; k <= blockdev.KindUnsupported; k++ {
		require.NotContains(t, k.String(), "kind ", "every kind has a name")
		require.False(t, seen[k.String()], "names differ")
		seen[k.String()] = true
	}
	require.Equal(t, "kind 200", blockdev.Kind(200).String())
}
