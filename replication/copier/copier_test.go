package copier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/faultdev"
	"twinlun/blockdev/memdev"
	"twinlun/replication/bitmap"
	"twinlun/replication/store"
)

var ctx = context.Background()

var errBoom = errors.New("boom")

const mib = 1 << 20

// sparse is a device of 6 MiB and a bit with data in three places.
func sparse(t testing.TB) *memdev.Device {
	d := memdev.New(6*mib + 4096)
	for i, off := range []int64{0, 3*mib - 5, 6 * mib} {
		require.NoError(t, d.WriteAt(ctx, fmt.Appendf(nil, "data %d and more", i), off))
	}
	return d
}

func content(t testing.TB, d blockdev.Device, n int64) []byte {
	p := make([]byte, n)
	require.NoError(t, d.ReadAt(ctx, p, 0))
	return p
}

// noise fills a device with something that must go.
func noise(t testing.TB, size int64) *memdev.Device {
	d := memdev.New(size)
	require.NoError(t, d.WriteAt(ctx, bytes.Repeat([]byte{0xee}, int(size)), 0))
	return d
}

func full(t testing.TB, src blockdev.Device, fresh bool) *Plan {
	p, err := Full(ctx, src, fresh)
	require.NoError(t, err)
	return p
}

// opaque hides what a device knows about its extents.
type opaque struct{ blockdev.Device }

func TestFull(t *testing.T) {
	src := sparse(t)
	for name, s := range map[string]blockdev.Device{"extents": src, "opaque": opaque{src}} {
		for _, parallel := range []int{0, 1, 7} {
			dst := noise(t, 8*mib)
			var last [2]int64
			require.NoError(t, Run(ctx, Config{
				Source: s, Target: dst, Work: full(t, s, false), Parallel: parallel, Batch: 3 * mib,
				Progress: func(done, total int64) { last = [2]int64{done, total} },
			}), name)
			require.True(t, bytes.Equal(content(t, src, src.Size()), content(t, dst, src.Size())), name)
			require.Equal(t, byte(0xee), content(t, dst, 8*mib)[7*mib], "what lies behind the source stays")
			require.Equal(t, [2]int64{src.Size(), src.Size()}, last)
		}
	}
}

// TestFreshLeavesHoles: regions that the source does not hold are not touched.
func TestFreshLeavesHoles(t *testing.T) {
	src := sparse(t)
	dst, plan := faultdev.Wrap(memdev.New(src.Size()))
	require.NoError(t, Run(ctx, Config{Source: src, Target: dst, Work: full(t, src, true)}))
	require.True(t, bytes.Equal(content(t, src, src.Size()), content(t, dst, src.Size())))
	require.Equal(t, 4, plan.Count(faultdev.OpWrite), "three places, one of them in two regions")
	require.Equal(t, 1, plan.Count(faultdev.OpFlush))
}

func newLog(t testing.TB, s store.Store) *bitmap.Log {
	l, err := bitmap.Open(ctx, bitmap.Config{Store: s, ID: "c", Size: 10*mib + 4096})
	require.NoError(t, err)
	return l
}

func TestDelta(t *testing.T) {
	src, dst, s := sparse(t), noise(t, 7*mib), store.NewMem()
	l := newLog(t, s)
	require.NoError(t, l.Set(ctx, 3*mib-1, 2))
	require.NoError(t, l.Set(ctx, 6*mib, 1))
	require.NoError(t, Run(ctx, Config{Source: src, Target: dst, Work: Delta(l, src.Size())}))
	a, b := content(t, src, src.Size()), content(t, dst, src.Size())
	require.Equal(t, a[2*mib:4*mib], b[2*mib:4*mib])
	require.Equal(t, a[6*mib:], b[6*mib:])
	require.Equal(t, byte(0xee), b[4*mib])
	require.Equal(t, byte(0xee), b[2*mib-1])
	require.Zero(t, newLog(t, s).Count(), "the log knows")
}

// TestResumes: what was flushed before a failure is not copied again.
func TestResumes(t *testing.T) {
	for _, op := range []faultdev.Op{faultdev.OpWrite, faultdev.OpFlush} {
		src, s := noise(t, 10*mib), store.NewMem()
		dst, plan := faultdev.Wrap(memdev.New(10 * mib))
		l := newLog(t, s)
		l.Mark(0, 10*mib)
		require.NoError(t, l.Seed(ctx))
		fault := faultdev.Fault{Ops: []faultdev.Op{op}, After: 2, Err: errBoom}
		if op == faultdev.OpWrite {
			fault.After = 5
		}
		plan.Inject(fault)
		c := Config{Source: src, Target: dst, Work: Delta(l, 10*mib), Batch: 2 * mib, Parallel: 1}
		err := Run(ctx, c)
		require.ErrorIs(t, err, errBoom)
		failed, sided := errors.AsType[*Error](err)
		require.True(t, sided)
		require.Equal(t, Target, failed.Side)
		require.EqualValues(t, 6, newLog(t, s).Count(), "two batches are done")

		plan.Clear()
		before := plan.Count(faultdev.OpWrite)
		l = newLog(t, s)
		c.Work = Delta(l, 10*mib)
		require.NoError(t, Run(ctx, c))
		require.Equal(t, 6, plan.Count(faultdev.OpWrite)-before)
		require.True(t, bytes.Equal(content(t, src, 10*mib), content(t, dst, 10*mib)))
		require.Zero(t, newLog(t, s).Count())
	}
}

func TestErrorsNameTheSide(t *testing.T) {
	for _, c := range []struct {
		op     faultdev.Op
		source bool
		want   string
	}{
		{faultdev.OpRead, true, "source: read at 0+4096: boom"},
		{faultdev.OpExtents, true, "source: extents at 0+1048576: boom"},
		{faultdev.OpWrite, false, "target: write at 0+4096: boom"},
		{faultdev.OpZero, false, "target: zero at 4096+1044480: boom"},
		{faultdev.OpFlush, false, "target: flush at 0+0: boom"},
	} {
		src, srcPlan := faultdev.Wrap(sparse(t))
		dst, dstPlan := faultdev.Wrap(memdev.New(21 * mib))
		work := full(t, src, true)
		plan := dstPlan
		if c.source {
			plan = srcPlan
		}
		plan.Inject(faultdev.Fault{Ops: []faultdev.Op{c.op}, Err: errBoom})
		err := Run(ctx, Config{Source: src, Target: dst, Work: work, Parallel: 1})
		require.EqualError(t, err, c.want)
		require.ErrorIs(t, err, errBoom)
	}
	src, plan := faultdev.Wrap(sparse(t))
	plan.Inject(faultdev.Fault{Ops: []faultdev.Op{faultdev.OpExtents}, Err: errBoom})
	_, err := Full(ctx, src, true)
	require.ErrorContains(t, err, "source: extents")
}

// stuck says that a device holds nothing at all, not even holes.
type stuck struct{ *memdev.Device }

func (stuck) Extents(context.Context, int64, int64, int) ([]blockdev.Extent, error) { return nil, nil }

func TestOddExtenterEnds(t *testing.T) {
	_, err := Full(ctx, stuck{memdev.New(mib)}, true)
	require.True(t, blockdev.Is(errors.Unwrap(err), blockdev.KindInternal), "%v", err)
}

func TestStops(t *testing.T) {
	src := noise(t, 8*mib)
	dst, plan := faultdev.Wrap(memdev.New(8 * mib))
	c, cancel := context.WithCancel(ctx)
	plan.Inject(faultdev.Fault{Ops: []faultdev.Op{faultdev.OpWrite}, After: 2, Times: 1, Gate: func(context.Context) error {
		cancel()
		return nil
	}})
	work := full(t, src, false)
	require.ErrorIs(t, Run(c, Config{Source: src, Target: dst, Work: work, Parallel: 2}), context.Canceled)
	require.Less(t, plan.Count(faultdev.OpWrite), 7)
	require.Positive(t, work.Left())
	require.NoError(t, Run(ctx, Config{Source: src, Target: dst, Work: work}), "and goes on")
	require.Zero(t, work.Left())
	require.True(t, bytes.Equal(content(t, src, 8*mib), content(t, dst, 8*mib)))
}

// TestLocks: each range is locked while it is copied, and no longer.
func TestLocks(t *testing.T) {
	src := noise(t, 8*mib)
	var held, most atomic.Int32
	var mu sync.Mutex
	locked := map[Range]int{}
	lock := func(_ context.Context, r Range) (func(), error) {
		mu.Lock()
		defer mu.Unlock()
		locked[r]++
		most.Store(max(most.Load(), held.Add(1)))
		return func() { held.Add(-1) }, nil
	}
	require.NoError(t, Run(ctx, Config{Source: src, Target: memdev.New(8 * mib), Work: full(t, src, false), Lock: lock, Parallel: 3}))
	require.Zero(t, held.Load())
	require.LessOrEqual(t, most.Load(), int32(3))
	require.Len(t, locked, 8)

	refuse := func(context.Context, Range) (func(), error) { return nil, errBoom }
	require.ErrorIs(t, Run(ctx, Config{Source: src, Target: memdev.New(8 * mib), Work: full(t, src, false), Lock: refuse}), errBoom)
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		src := noise(t, 8*mib)
		limit := NewLimiter(2*mib, time.Now)
		require.NoError(t, Run(ctx, Config{Source: src, Target: memdev.New(8 * mib), Work: full(t, src, false), Limiter: limit}))
		require.InDelta(t, 3.5, time.Since(start).Seconds(), 0.6, "8 MiB at 2 MiB/s; what is left of the last is not waited for")

		canceled, cancel := context.WithCancel(ctx)
		cancel()
		require.ErrorIs(t, limit.Wait(canceled, mib), context.Canceled)
		limit.SetRate(0)
		start = time.Now()
		require.NoError(t, limit.Wait(ctx, 1<<40))
		require.Zero(t, time.Since(start))
		var none *Limiter
		require.NoError(t, none.Wait(ctx, 1<<40))
		require.ErrorIs(t, none.Wait(canceled, 1), context.Canceled)
	})
}

func BenchmarkRun(b *testing.B) {
	src, dst := noise(b, 64*mib), memdev.New(64*mib)
	b.SetBytes(64 * mib)
	for b.Loop() {
		require.NoError(b, Run(ctx, Config{Source: src, Target: dst, Work: full(b, src, false)}))
	}
}
