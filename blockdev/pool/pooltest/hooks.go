package pooltest

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

// hookFunc is a hook that is a function.
type hookFunc func(ctx context.Context, c blockdev.Change, next func() error) error

func (f hookFunc) Apply(ctx context.Context, c blockdev.Change, next func() error) error {
	return f(ctx, c, next)
}

func pass(_ context.Context, _ blockdev.Change, next func() error) error { return next() }

func hooksSeeChanges(t *testing.T, p pool.Pool) {
	v := Create(t, p, "v", size)
	d := Open(t, p, v.ID)
	var seen []blockdev.Op
	var order []string
	inner, err := p.Attach(t.Context(), v.ID, hookFunc(func(_ context.Context, c blockdev.Change, next func() error) error {
		order = append(order, "inner")
		return next()
	}))
	require.NoError(t, err)
	outer, err := p.Attach(t.Context(), v.ID, hookFunc(func(_ context.Context, c blockdev.Change, next func() error) error {
		seen = append(seen, c.Op)
		order = append(order, "outer")
		return next()
	}))
	require.NoError(t, err)
	Write(t, d, Fill(1, block), 0)
	require.NoError(t, d.Flush(t.Context()))
	require.NoError(t, blockdev.Zero(t.Context(), d, 0, 512))
	require.NoError(t, blockdev.WriteFUA(t.Context(), d, Fill(1, 512), 0))
	require.Equal(t, []blockdev.Op{blockdev.OpWrite, blockdev.OpFlush, blockdev.OpZero, blockdev.OpWrite}, seen)
	require.Equal(t, []string{"outer", "inner"}, order[:2])
	raw, err := p.OpenRaw(t.Context(), v.ID)
	require.NoError(t, err)
	Write(t, raw, Fill(2, block), block)
	require.NoError(t, raw.Close())
	outer()
	Write(t, d, Fill(3, block), block)
	require.Len(t, seen, 4)
	inner()
}

// attachWaits: a write that began before the hook was attached holds Attach up.
func attachWaits(t *testing.T, p pool.Pool) {
	v := Create(t, p, "v", size)
	d := Open(t, p, v.ID)
	entered, leave := make(chan struct{}), make(chan struct{})
	first, err := p.Attach(t.Context(), v.ID, hookFunc(func(_ context.Context, _ blockdev.Change, next func() error) error {
		close(entered)
		<-leave
		return next()
	}))
	require.NoError(t, err)
	written, attached := make(chan error), make(chan error)
	go func() { written <- d.WriteAt(context.Background(), Fill(1, 512), 0) }()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Attach(ctx, v.ID, hookFunc(pass))
	require.ErrorIs(t, err, context.Canceled, "the write is still under way")
	var left atomic.Bool
	go func() {
		_, err := p.Attach(t.Context(), v.ID, hookFunc(pass))
		if !left.Load() {
			t.Error("Attach did not wait for the write")
		}
		attached <- err
	}()
	left.Store(true)
	close(leave)
	require.NoError(t, <-written)
	require.NoError(t, <-attached)
	first()
}

// detachWaits: a write that is in the hook holds detach up.
func detachWaits(t *testing.T, p pool.Pool) {
	v := Create(t, p, "v", size)
	d := Open(t, p, v.ID)
	entered, leave := make(chan struct{}), make(chan struct{})
	var left atomic.Bool
	detach, err := p.Attach(t.Context(), v.ID, hookFunc(func(_ context.Context, _ blockdev.Change, next func() error) error {
		close(entered)
		<-leave
		left.Store(true)
		return next()
	}))
	require.NoError(t, err)
	written := make(chan error)
	go func() { written <- d.WriteAt(context.Background(), Fill(1, 512), 0) }()
	<-entered
	detached := make(chan bool)
	go func() {
		detach()
		detached <- left.Load()
	}()
	close(leave)
	require.NoError(t, <-written)
	require.True(t, <-detached, "detach returned while a write was in the hook")
}

// hookUnderSnapshot: a mirror's hook writes to a volume that is a member of the
// same set; nothing may wait for itself.
func hookUnderSnapshot(t *testing.T, p pool.Pool) {
	v, w := Create(t, p, "v", size), Create(t, p, "w", size)
	d := Open(t, p, v.ID)
	other, err := p.OpenRaw(t.Context(), w.ID)
	require.NoError(t, err)
	defer other.Close()
	detach, err := p.Attach(t.Context(), v.ID, hookFunc(func(ctx context.Context, c blockdev.Change, next func() error) error {
		if err := next(); err != nil || c.Op != blockdev.OpWrite {
			return err
		}
		return other.WriteAt(ctx, c.Data, c.Off)
	}))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil; i++ {
			_ = d.WriteAt(ctx, Fill(byte(i), 700), int64(i%500)*1024)
		}
	}()
	for i := range 10 {
		out, err := p.Snapshot(t.Context(), []pool.Copy{
			{Source: v.ID, Target: pool.Spec{Name: "a" + string(rune('0'+i))}},
			{Source: w.ID, Target: pool.Spec{Name: "b" + string(rune('0'+i))}},
		})
		require.NoError(t, err)
		require.Len(t, out, 2)
	}
	cancel()
	<-done
	detach()
}
