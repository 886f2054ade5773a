package mirror

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
)

func TestGuard(t *testing.T) {
	g := Guard{Reason: "target of mirror m"}
	never := func() error { t.Error("went on"); return nil }
	for _, op := range []blockdev.Op{blockdev.OpWrite, blockdev.OpZero} {
		err := g.Apply(ctx, blockdev.Change{Op: op}, never)
		require.True(t, blockdev.Is(err, blockdev.KindReadOnly))
		require.ErrorContains(t, err, "target of mirror m")
	}
	require.Equal(t, errBoom, g.Apply(ctx, blockdev.Change{Op: blockdev.OpFlush}, func() error { return errBoom }))
}

func TestWriteNotify(t *testing.T) {
	var told atomic.Int32
	w := NewWriteNotify(func(context.Context) { told.Add(1) })
	require.NoError(t, w.Apply(ctx, blockdev.Change{Op: blockdev.OpFlush}, func() error { return nil }))
	require.Zero(t, told.Load())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			require.NoError(t, w.Apply(ctx, blockdev.Change{Op: blockdev.OpWrite}, func() error {
				require.EqualValues(t, 1, told.Load(), "told before the write")
				return nil
			}))
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, told.Load())
}

// TestRangeLocks: those who are in never overlap, and all get in.
func TestRangeLocks(t *testing.T) {
	var l rangeLocks
	var in [64]atomic.Int32
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 1))
			for range 500 {
				off := rnd.Int64N(60)
				n := 1 + rnd.Int64N(4)
				c, cancel := context.WithCancel(ctx)
				if rnd.IntN(5) == 0 {
					cancel()
				}
				unlock, err := l.lock(c, off, n)
				cancel()
				if err != nil {
					require.ErrorIs(t, err, context.Canceled)
					continue
				}
				for i := off; i < off+n; i++ {
					require.EqualValues(t, 1, in[i].Add(1))
				}
				for i := off; i < off+n; i++ {
					in[i].Add(-1)
				}
				unlock()
			}
		})
	}
	wg.Wait()
	require.Empty(t, l.holds)
}

func TestRangeLocksAreInOrder(t *testing.T) {
	var l rangeLocks
	first, err := l.lock(ctx, 0, 10)
	require.NoError(t, err)
	wide := l.enter(5, 20)  // waits for first
	late := l.enter(12, 14) // waits for wide, though it is free
	first()
	<-wide.ready
	select {
	case <-late.ready:
		t.Fatal("passed one that came before")
	default:
	}
	l.leave(wide)
	<-late.ready
	_, err = l.lock(ctx, 30, 1)
	require.NoError(t, err)
}

func TestGate(t *testing.T) {
	var notes, passed atomic.Int32
	g := NewGate(func(context.Context) { notes.Add(1) })
	next := func() error { passed.Add(1); return nil }
	ctx, give := context.WithCancel(t.Context())
	require.NoError(t, g.Apply(ctx, blockdev.Change{Op: blockdev.OpFlush}, next))
	require.Equal(t, int32(1), passed.Load(), "flushes pass")
	var held sync.WaitGroup
	for range 3 {
		held.Go(func() {
			if err := g.Apply(context.Background(), blockdev.Change{Op: blockdev.OpWrite}, next); err != nil {
				t.Error(err)
			}
		})
	}
	give()
	err := g.Apply(ctx, blockdev.Change{Op: blockdev.OpZero}, next)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []int32{0, 1}, []int32{notes.Load(), passed.Load()})
	g.Open()
	g.Open()
	held.Wait()
	require.Equal(t, []int32{1, 4}, []int32{notes.Load(), passed.Load()})
	require.NoError(t, NewGate(nil).Apply(t.Context(), blockdev.Change{Op: blockdev.OpFlush}, next))
}
