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
	each := func(do func(first, n int)) {
		seed := rand.Uint64()
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 0))
			for range 2000 {
				first := r.IntN(parts)
				do(first, 1+r.IntN(parts-first))
			}
		})
	}
	for range 4 {
		each(func(first, n int) {
			off, size := int64(first*guardSize), int64(n*guardSize)
			g.beginWrite(off, size)
			for i := first; i < first+n; i++ {
				inside[i].Add(1)
			}
			if _, quiet := g.came(off, size); quiet {
				t.Error("a write was not seen")
			}
			for i := first; i < first+n; i++ {
				inside[i].Add(-1)
			}
			g.endWrite(off, size)
		})
		each(func(first, n int) {
			off, size := int64(first*guardSize), int64(n*guardSize)
			g.shut(off, size)
			defer g.open(off, size)
			for i := first; i < first+n; i++ {
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
		g.shut(5*guardSize, 1) // a read of a volume that is quiesced
		wrote := false
		var wg sync.WaitGroup
		wg.Go(func() {
			g.beginWrite(0, 10*guardSize)
			wrote = true
			g.endWrite(0, 10*guardSize)
		})
		synctest.Wait()
		g.open(everywhere())
		synctest.Wait()
		require.False(t, wrote)
		g.shut(guardSize, 1) // which the write had entered
		g.open(5*guardSize, 1)
		synctest.Wait()
		require.False(t, wrote)
		g.open(guardSize, 1)
		wg.Wait()
		require.True(t, wrote)
	})
}

// TestShutWaits: for the writes that are under way, and no longer.
func TestShutWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuards()
		g.beginWrite(0, guardSize)
		g.beginWrite(0, 2*guardSize)
		g.beginWrite(9*guardSize, 1)
		shut := false
		var wg sync.WaitGroup
		wg.Go(func() {
			g.shut(guardSize/2, guardSize)
			shut = true
		})
		synctest.Wait()
		g.endWrite(0, 2*guardSize)
		synctest.Wait()
		require.False(t, shut)
		g.endWrite(0, guardSize)
		wg.Wait()
		require.True(t, shut)
		before, quiet := g.came(0, 2*guardSize)
		require.True(t, quiet)
		g.open(guardSize/2, guardSize)
		g.beginWrite(0, 1)
		g.endWrite(0, 1)
		after, quiet := g.came(0, 2*guardSize)
		require.True(t, quiet)
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
