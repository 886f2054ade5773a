package faultdev

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/devtest"
	"twinlun/blockdev/memdev"
)

var errTest = blockdev.Errorf(blockdev.KindIO, "test", "injected")

func wrapped(size int64) (blockdev.Device, *Plan) { return Wrap(memdev.New(size)) }

func TestConformance(t *testing.T) {
	devtest.Run(t, func(*testing.T) blockdev.Device {
		d, _ := wrapped(devtest.MinSize)
		return d
	})
}

// plain hides the optional interfaces of a device.
type plain struct{ blockdev.Device }

func TestConformanceWithoutOptionals(t *testing.T) {
	devtest.Run(t, func(*testing.T) blockdev.Device {
		d, _ := Wrap(plain{memdev.New(devtest.MinSize)})
		return d
	})
}

func TestKeepsOptionalInterfaces(t *testing.T) {
	m := memdev.New(4096)
	p := plain{m}
	for name, d := range map[string]blockdev.Device{
		"none": p,
		"fua": struct {
			plain
			blockdev.FUAWriter
		}{p, m},
		"zero": struct {
			plain
			blockdev.Zeroer
		}{p, m},
		"extents": struct {
			plain
			blockdev.Extenter
		}{p, m},
		"fua zero": struct {
			plain
			blockdev.FUAWriter
			blockdev.Zeroer
		}{p, m, m},
		"fua extents": struct {
			plain
			blockdev.FUAWriter
			blockdev.Extenter
		}{p, m, m},
		"zero extents": struct {
			plain
			blockdev.Zeroer
			blockdev.Extenter
		}{p, m, m},
		"all": m,
	} {
		t.Run(name, func(t *testing.T) {
			w, plan := Wrap(d)
			_, hasFUA := d.(blockdev.FUAWriter)
			_, hasZero := d.(blockdev.Zeroer)
			_, hasExtents := d.(blockdev.Extenter)
			f, gotFUA := w.(blockdev.FUAWriter)
			z, gotZero := w.(blockdev.Zeroer)
			e, gotExtents := w.(blockdev.Extenter)
			require.Equal(t, [3]bool{hasFUA, hasZero, hasExtents}, [3]bool{gotFUA, gotZero, gotExtents})

			plan.Inject(Fault{Err: errTest})
			ctx := context.Background()
			if gotFUA {
				require.ErrorIs(t, f.WriteFUA(ctx, []byte{1}, 0), errTest)
			}
			if gotZero {
				require.ErrorIs(t, z.ZeroAt(ctx, 0, 1), errTest)
			}
			if gotExtents {
				_, err := e.Extents(ctx, 0, 1, 0)
				require.ErrorIs(t, err, errTest)
			}
		})
	}
}

func TestAfterAndTimes(t *testing.T) {
	d, plan := wrapped(1 << 20)
	plan.Inject(Fault{Ops: []Op{OpWrite}, After: 2, Times: 1, Err: errTest})
	var got []bool
	for range 5 {
		got = append(got, d.WriteAt(context.Background(), make([]byte, 512), 0) != nil)
		require.NoError(t, d.Flush(context.Background()))
	}
	require.Equal(t, []bool{false, false, true, false, false}, got)
	require.Equal(t, 5, plan.Count(OpWrite))
	require.Equal(t, 5, plan.Count(OpFlush))
	require.Equal(t, 10, plan.Count())
}

func TestRange(t *testing.T) {
	ctx := context.Background()
	d, plan := wrapped(1 << 20)
	plan.Inject(Fault{Off: 4096, Len: 4096, Err: errTest})
	buf := make([]byte, 4096)
	require.NoError(t, d.ReadAt(ctx, buf, 0))
	require.NoError(t, d.ReadAt(ctx, buf, 8192))
	require.ErrorIs(t, d.ReadAt(ctx, buf, 1), errTest)
	require.ErrorIs(t, d.ReadAt(ctx, buf, 8191), errTest)
	require.NoError(t, d.Flush(ctx))
	plan.Clear()
	require.NoError(t, d.ReadAt(ctx, buf, 4096))
}

func TestFirstFaultActs(t *testing.T) {
	other := errors.New("other")
	d, plan := wrapped(4096)
	plan.Inject(Fault{Times: 1, Err: errTest}, Fault{Err: other})
	require.ErrorIs(t, d.Flush(context.Background()), errTest)
	require.ErrorIs(t, d.Flush(context.Background()), other)
}

func TestTornWrite(t *testing.T) {
	ctx := context.Background()
	m := memdev.New(1 << 20)
	d, plan := Wrap(m)
	plan.Inject(Fault{Ops: []Op{OpWrite, OpFUA, OpZero}, Torn: 1500, Err: errTest})
	ones := bytes.Repeat([]byte{1}, 4096)
	require.ErrorIs(t, d.WriteAt(ctx, ones, 0), errTest)
	require.ErrorIs(t, blockdev.WriteFUA(ctx, d, ones, 8192), errTest)
	require.NoError(t, m.WriteAt(ctx, ones, 16384))
	require.ErrorIs(t, blockdev.Zero(ctx, d, 16384, 4096), errTest)

	torn := append(bytes.Repeat([]byte{1}, 1024), make([]byte, 3072)...)
	got := make([]byte, 4096)
	require.NoError(t, d.ReadAt(ctx, got, 0))
	require.Equal(t, torn, got)
	require.NoError(t, d.ReadAt(ctx, got, 8192))
	require.Equal(t, torn, got)
	require.NoError(t, d.ReadAt(ctx, got, 16384))
	require.Equal(t, append(make([]byte, 1024), ones[:3072]...), got)
}

func TestGateHoldsAndFails(t *testing.T) {
	d, plan := wrapped(4096)
	entered, open := make(chan struct{}), make(chan struct{})
	plan.Inject(Fault{Ops: []Op{OpWrite}, Times: 1, Gate: func(ctx context.Context) error {
		close(entered)
		select {
		case <-open:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	done := make(chan error)
	go func() { done <- d.WriteAt(context.Background(), []byte{9}, 0) }()
	<-entered
	buf := []byte{1}
	require.NoError(t, d.ReadAt(context.Background(), buf, 0))
	require.Equal(t, []byte{0}, buf, "the gate holds the write")
	close(open)
	require.NoError(t, <-done)
	require.NoError(t, d.ReadAt(context.Background(), buf, 0))
	require.Equal(t, []byte{9}, buf)

	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	plan.Inject(Fault{Gate: func(ctx context.Context) error { return ctx.Err() }})
	require.ErrorIs(t, d.Flush(canceled), context.Canceled)
}

func TestCloseIsMet(t *testing.T) {
	d, plan := wrapped(4096)
	plan.Inject(Fault{Ops: []Op{OpClose}, Times: 1, Err: errTest})
	require.ErrorIs(t, d.Close(), errTest)
	require.NoError(t, d.Close())
	require.Equal(t, 2, plan.Count(OpClose))
}
