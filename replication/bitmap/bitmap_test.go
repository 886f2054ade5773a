package bitmap

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/replication/store"
	"twinlun/replication/store/faultstore"
)

var ctx = context.Background()

const mib = 1 << 20

func TestBitsModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	const n = 300
	b, model := NewBits(n), map[int64]bool{}
	for range 700 {
		from := rnd.Int64N(n+20) - 10
		to := from + rnd.Int64N(100) - 5
		in := rnd.IntN(2) == 0
		if in {
			b.Set(from, to)
		} else {
			b.Clear(from, to)
		}
		for i := max(from, 0); i < min(to, n); i++ {
			model[i] = in
		}
		require.Equal(t, want(model, n), members(b))
		require.Equal(t, int64(len(want(model, n))), b.Count())
	}
}

// members lists the set by NextRun and checks it against Has and Next.
func members(b *Bits) (all []int64) {
	all = []int64{}
	for r := int64(0); ; {
		from, to, ok := b.NextRun(r, 7)
		if !ok {
			break
		}
		for i := from; i < to; i++ {
			all = append(all, i)
		}
		r = to
	}
	k := 0
	for i := range b.Len() {
		if b.Has(i) != (k < len(all) && all[k] == i) {
			return nil
		}
		if b.Has(i) {
			k++
		}
	}
	return all
}

func want(model map[int64]bool, n int64) []int64 {
	all := []int64{}
	for i := range n {
		if model[i] {
			all = append(all, i)
		}
	}
	return all
}

func TestBitsSets(t *testing.T) {
	a, b := NewBits(100), NewBits(130)
	require.True(t, a.Set(10, 20))
	require.False(t, a.Set(12, 20))
	b.Set(15, 25)
	b.Set(120, 121)
	c := a.Clone()
	c.Or(b)
	require.EqualValues(t, 16, c.Count())
	require.EqualValues(t, 130, c.Len())
	require.EqualValues(t, 10, a.Count())
	c.AndNot(a)
	require.EqualValues(t, 6, c.Count())
	require.True(t, c.HasAll(20, 25))
	require.False(t, c.HasAll(19, 25))
	require.False(t, c.HasAll(125, 131), "beyond the end")
}

func open(t testing.TB, s store.Store, size int64) *Log {
	l, err := Open(ctx, Config{Store: s, ID: "r", Size: size})
	require.NoError(t, err)
	return l
}

func TestLogOutlivesARestart(t *testing.T) {
	s := store.NewMem()
	const size = 100_000 * mib // four pages
	l := open(t, s, size)
	require.False(t, l.Seeded())
	require.NoError(t, l.Set(ctx, 5*mib-1, 2))
	require.NoError(t, l.Set(ctx, 99_999*mib, mib))
	require.NoError(t, l.Set(ctx, 7, 0), "nothing to do")
	l.Mark(50_000*mib, mib)
	l.Mark(-1, 5)
	require.NoError(t, l.Seed(ctx))

	l = open(t, s, size)
	require.True(t, l.Seeded())
	require.Equal(t, []int64{4, 5, 50_000, 99_999}, members(l.Dirty()))
	l.Clear(0, 60_000)
	require.Equal(t, []int64{4, 5, 50_000, 99_999}, members(open(t, s, size).Dirty()), "lazily")
	require.NoError(t, l.Sync(ctx))
	l = open(t, s, size)
	require.Equal(t, []int64{99_999}, members(l.Dirty()))
	next, ok := l.Next(0)
	require.True(t, ok)
	require.EqualValues(t, 99_999, next)

	require.NoError(t, s.Update(ctx, func(tx store.Tx) error { return Remove(tx, "r") }))
	l = open(t, s, size)
	require.False(t, l.Seeded())
	require.Zero(t, l.Count())
}

func TestLogRefuses(t *testing.T) {
	s := store.NewMem()
	l := open(t, s, 10*mib)
	for _, r := range [][2]int64{{-1, 1}, {10 * mib, 1}, {9 * mib, mib + 1}, {0, -1}} {
		require.True(t, blockdev.Is(l.Set(ctx, r[0], r[1]), blockdev.KindOutOfRange), "%v", r)
	}
	for _, c := range []Config{{Region: 5000}, {Region: 512}, {Size: 1 << 62}, {Size: -1}} {
		c.Store, c.ID = s, "x"
		_, err := Open(ctx, c)
		require.Error(t, err, "%+v", c)
	}
	require.NoError(t, l.Set(ctx, 9*mib, 1))
	_, err := Open(ctx, Config{Store: s, ID: "r", Size: 0})
	require.ErrorContains(t, err, "does not fit")
	require.Error(t, l.Grow(1<<62))
}

func TestLogKeepsItsRegionSize(t *testing.T) {
	s := store.NewMem()
	l, err := Open(ctx, Config{Store: s, ID: "r", Size: 10 * mib, Region: 4096})
	require.NoError(t, err)
	require.NoError(t, l.Set(ctx, 8192, 1))
	l = open(t, s, 10*mib)
	require.EqualValues(t, 4096, l.Region())
	require.Equal(t, []int64{2}, members(l.Dirty()))
}

func TestLogGrows(t *testing.T) {
	s := store.NewMem()
	l := open(t, s, mib)
	require.Error(t, l.Set(ctx, 2*mib, 1))
	require.NoError(t, l.Grow(40_000*mib))
	require.NoError(t, l.Set(ctx, 39_999*mib, 1))
	require.Equal(t, []int64{39_999}, members(open(t, s, 40_000*mib).Dirty()))
}

func TestLogsAreApart(t *testing.T) {
	s := store.NewMem()
	for _, id := range []string{"a", "ab"} {
		l, err := Open(ctx, Config{Store: s, ID: id, Size: 10 * mib})
		require.NoError(t, err)
		require.NoError(t, l.Set(ctx, 0, 1))
	}
	require.NoError(t, s.Update(ctx, func(tx store.Tx) error { return Remove(tx, "a") }))
	l, err := Open(ctx, Config{Store: s, ID: "ab", Size: 10 * mib})
	require.NoError(t, err)
	require.EqualValues(t, 1, l.Count())
}

// TestDirtyCostsOneTransaction: a region that is dirty already costs nothing, and
// those who wait together share.
func TestDirtyCostsOneTransaction(t *testing.T) {
	s := faultstore.New(store.NewMem())
	l := open(t, s, 1000*mib)
	require.NoError(t, l.Set(ctx, 0, 1))
	for range 10 {
		require.NoError(t, l.Set(ctx, 100, 1))
	}
	require.Equal(t, 1, s.Updates())

	l.writing <- struct{}{} // all come while one is being written
	var wg sync.WaitGroup
	const setters = 20
	for i := range setters {
		wg.Go(func() { require.NoError(t, l.Set(ctx, int64(10+i)*mib, 1)) })
	}
	for l.Count() < setters+1 { // until all are marked
		runtime.Gosched()
	}
	<-l.writing
	wg.Wait()
	require.Equal(t, 2, s.Updates(), "they share")
	require.EqualValues(t, setters+1, open(t, s, 1000*mib).Count())
}

func TestSetCanBeGivenUp(t *testing.T) {
	l := open(t, store.NewMem(), mib)
	l.writing <- struct{}{}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, l.Set(canceled, 0, 1), context.Canceled)
	<-l.writing
	require.NoError(t, l.Set(ctx, 0, 1))
}

// TestCrash lets the store fail at every point of a random life of setting and
// clearing. What Set has answered and nobody cleared since must be in the store.
func TestCrash(t *testing.T) {
	for at := 1; at < 30; at += 3 {
		for _, point := range []faultstore.Point{faultstore.Before, faultstore.AtCommit, faultstore.AfterCommit} {
			for _, crash := range []bool{true, false} {
				t.Run(fmt.Sprint(at, point, crash), func(t *testing.T) {
					crashOnce(t, faultstore.Fault{Update: at, Point: point, Crash: crash})
				})
			}
		}
	}
}

func crashOnce(t *testing.T, f faultstore.Fault) {
	mem := store.NewMem()
	s := faultstore.New(mem)
	s.Plan(f)
	const n = 3 * pageBits
	rnd := rand.New(rand.NewPCG(uint64(f.Update), uint64(f.Point)))
	l, acked := open(t, s, n*mib), NewBits(n)
	for range 60 {
		r := rnd.Int64N(3)*pageBits + rnd.Int64N(4)
		switch rnd.IntN(4) {
		case 0:
			l.Clear(r, r+1)
			acked.Clear(r, r+1)
		case 1:
			_ = l.Sync(ctx)
		default:
			if l.Set(ctx, r*mib, mib) == nil {
				acked.Set(r, r+1)
			}
		}
		stored := open(t, mem, n*mib).Dirty()
		missing := acked.Clone()
		missing.AndNot(stored)
		require.Zero(t, missing.Count(), "dirty regions that the store does not know")
	}
	if !f.Crash { // and it recovers from a failure
		s.Heal()
		require.NoError(t, l.Sync(ctx))
		require.Equal(t, members(l.Dirty()), members(open(t, mem, n*mib).Dirty()))
	}
}

// TestConcurrent: setters and clearers of regions of their own, and one that syncs.
func TestConcurrent(t *testing.T) {
	s := store.NewMem()
	const each = 25
	l := open(t, s, 8*each*mib)
	done := make(chan struct{})
	var syncing, setting sync.WaitGroup
	syncing.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				require.NoError(t, l.Sync(ctx))
			}
		}
	})
	for w := range int64(8) {
		setting.Go(func() {
			for i := range int64(each) {
				r := w*each + i
				require.NoError(t, l.Set(ctx, r*mib, mib))
				require.True(t, open(t, s, 8*each*mib).Dirty().Has(r))
				if i%2 == 0 {
					l.Clear(r, r+1)
				}
			}
		})
	}
	setting.Wait()
	close(done)
	syncing.Wait()
	require.NoError(t, l.Sync(ctx))
	require.EqualValues(t, 8*(each/2), l.Count())
	require.Equal(t, members(l.Dirty()), members(open(t, s, 8*each*mib).Dirty()))
}

func FuzzLoad(f *testing.F) {
	f.Add("r/p00000000", []byte{1, 0, 0, 0, 0, 0, 0, 0})
	f.Add("r/pffffffff", []byte{1})
	f.Add("r/head", []byte(`{"region":1048576,"seeded":true}`))
	f.Add("r/head", []byte(`{"region":-1}`))
	f.Add("r/p-0000001", make([]byte, 8))
	f.Add("r/p00800100", []byte{}) // beyond the end, and empty
	f.Add("r/p00000000", []byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 31, 0, 0, 0})
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		s := store.NewMem()
		_ = s.Update(ctx, func(tx store.Tx) error { return tx.Put(bucket, key, value) })
		if l, err := Open(ctx, Config{Store: s, ID: "r", Size: 100 * mib}); err == nil {
			require.NoError(t, l.Set(ctx, 0, 100*mib))
			require.Equal(t, l.Dirty().Len(), l.Count())
		}
	})
}

func BenchmarkSetDirty(b *testing.B) {
	l := open(b, store.NewMem(), 1<<40)
	require.NoError(b, l.Set(ctx, 1<<30, 4096))
	for b.Loop() {
		_ = l.Set(ctx, 1<<30, 4096)
	}
}
