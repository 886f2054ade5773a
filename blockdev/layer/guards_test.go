package layer

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func newGuards() *guards {
	g := &guards{}
	g.init()
	return g
}

func TestGuardsOf(t *testing.T) {
	for _, c := range []struct {
		off, n       int64
		first, count uint
	}{
		{0, 1, 0, 1}, {guardSize - 1, 2, 0, 2}, {guardSize, guardSize, 1, 1},
		{guardSize * (guardCount - 1), guardSize + 1, guardCount - 1, 2},
		{guardSize*guardCount*1000 + 5, 1, 0, 1},
		{guardSize, guardSize * (guardCount - 1), 1, guardCount - 1},
		{1, guardSize * guardCount, 0, guardCount}, {1 << 40, 1 << 40, 0, guardCount},
	} {
		first, count := guardsOf(c.off, c.n)
		require.Equal(t, []uint{c.first, c.count}, []uint{first, count}, "%d+%d", c.off, c.n)
	}
}

// TestGuardsKeepWritesOut: while a range is shut no write is in it, and whoever looks
// before and after sees each that came.
func TestGuardsKeepWritesOut(t *testing.T) {
	const parts = 16
	g := newGuards()
	var inside [parts]atomic.Int32
	var wg sync.WaitGroup
	each := func(do func(first, count uint)) {
		seed := rand.Uint64()
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 0))
			for range 2000 {
				first := r.UintN(parts)
				do(first, 1+r.UintN(parts-first))
			}
		})
	}
	for range 4 {
		each(func(first, count uint) {
			g.enter(first, count)
			for i := first; i < first+count; i++ {
				inside[i].Add(1)
			}
			if g.came(first, count)&guardInsideBits == 0 {
				t.Error("a write was not seen")
			}
			for i := first; i < first+count; i++ {
				inside[i].Add(-1)
			}
			g.leave(first, count)
		})
		each(func(first, count uint) {
			g.shut(first, count)
			defer g.open(first, count)
			for i := first; i < first+count; i++ {
				if inside[i].Load() != 0 {
					t.Error("a write is in what is shut")
				}
			}
		})
	}
	wg.Wait()
	for i := range g.of {
		require.Zero(t, g.of[i].Load()%guardCame)
	}
}

// TestGuardsAreShared: those who shut guards do not wait for each other, and a write
// waits for all of them without being in the way of another.
func TestGuardsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuards()
		g.shut(everywhere())
		g.shut(5, 1) // a read of a volume that is quiesced
		wrote := false
		var wg sync.WaitGroup
		wg.Go(func() {
			g.enter(0, 10)
			wrote = true
			g.leave(0, 10)
		})
		synctest.Wait()
		g.open(everywhere())
		synctest.Wait()
		require.False(t, wrote)
		g.shut(1, 1) // which the write had entered
		g.open(5, 1)
		synctest.Wait()
		require.False(t, wrote)
		g.open(1, 1)
		wg.Wait()
		require.True(t, wrote)
	})
}

// TestShutWaits: for the writes that are under way, and no longer.
func TestShutWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuards()
		g.enter(0, 1)
		g.enter(0, 2)
		g.enter(9, 1)
		shut := false
		var wg sync.WaitGroup
		wg.Go(func() {
			g.shut(0, 2)
			shut = true
		})
		synctest.Wait()
		g.leave(0, 2)
		synctest.Wait()
		require.False(t, shut)
		g.leave(0, 1)
		wg.Wait()
		require.True(t, shut)
		before := g.came(0, 2)
		require.Zero(t, before&guardInsideBits)
		g.open(0, 2)
		g.enter(0, 1)
		g.leave(0, 1)
		after := g.came(0, 2)
		require.Zero(t, after&guardInsideBits)
		require.NotEqual(t, before, after)
	})
}

// TestPins: nobody enters after retire, and what was retired is gone once.
func TestPins(t *testing.T) {
	var p pins
	p.init()
	require.True(t, p.enter())
	gone := p.retire()
	require.False(t, p.enter())
	select {
	case <-gone:
		t.Fatal("one is inside")
	default:
	}
	p.leave()
	<-gone
	require.False(t, p.enter(), "and it is not gone again")
	require.False(t, p.enter())
}
