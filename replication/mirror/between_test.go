package mirror

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/replication/copier"
)

// TestSlowWriteIsNotCleaned: a write that is under way through two cleanings stays
// in the log.
func TestSlowWriteIsNotCleaned(t *testing.T) {
	r := newRig()
	r.start(t, nil)
	r.news.wait(t, "synchronized")
	r.target.once(&r.target.afterWrite, func(int64) {
		for range 3 {
			r.mirror.clean(ctx, false)
		}
		require.EqualValues(t, 1, r.stored(t))
	})
	require.NoError(t, r.volume.write(0, []byte("x")))
}

// TestCopiedWhileCleaning: what becomes equal after the flush of a cleaning is not
// yet durable.
func TestCopiedWhileCleaning(t *testing.T) {
	r := newRig()
	r.start(t, nil)
	r.news.wait(t, "synchronized")
	r.mirror.clean(ctx, false)
	require.NoError(t, r.volume.write(0, []byte("x")))
	require.NoError(t, r.volume.write(region, []byte("y")))
	r.mirror.clean(ctx, false) // both are old now
	r.mirror.mu.Lock()
	r.mirror.stale.Set(0, 1)
	r.mirror.mu.Unlock()
	r.target.once(&r.target.afterFlush, func(int64) {
		w := &work{m: r.mirror, setbacks: r.mirror.setbacks}
		w.Copied(copier.Range{Len: region})
	})
	r.mirror.clean(ctx, false)
	require.EqualValues(t, 1, r.stored(t), "the stale one stays")
}

// TestSetbackWhileCleaning: a failure after the flush of a cleaning stops it.
func TestSetbackWhileCleaning(t *testing.T) {
	r := newRig()
	r.start(t, nil)
	r.news.wait(t, "synchronized")
	r.mirror.clean(ctx, false)
	require.NoError(t, r.volume.write(0, []byte("x")))
	r.mirror.clean(ctx, false)
	r.source.once(&r.source.afterFlush, func(int64) {
		r.mirror.setback(errBoom)
		r.mirror.mu.Lock()
		r.mirror.stale.Clear(0, 1) // as if it were copied again
		r.mirror.mu.Unlock()
	})
	r.mirror.clean(ctx, false)
	require.EqualValues(t, 1, r.stored(t))
}

// TestLostWhileCopied: what was copied to a target that is lost before the copy is
// noted must be copied again.
func TestLostWhileCopied(t *testing.T) {
	r := newRig()
	fill(r.source, 1)
	r.target.once(&r.target.afterWrite, func(int64) {
		r.mirror.mu.Lock()
		lost := r.mirror.target
		r.mirror.mu.Unlock()
		r.mirror.lose(lost, errBoom)
	})
	r.start(t, func(c *Config) { c.Target, c.Parallel = nil, 1 })
	require.NoError(t, r.mirror.Reconnect(r.target))
	r.news.wait(t, "broken: boom")
	require.EqualValues(t, size, r.mirror.Status().Stale)
}

// TestWriteWhileCopied: a write that comes between the read and the write of the
// copy must not be overwritten by what was read.
func TestWriteWhileCopied(t *testing.T) {
	r := newRig()
	fill(r.source, 1)
	written := make(chan error, 1)
	r.source.once(&r.source.afterRead, func(off int64) {
		go func() { written <- r.volume.write(off, []byte("newer")) }()
		for waiting := 0; waiting < 1 && len(written) == 0; runtime.Gosched() {
			r.mirror.locks.mu.Lock()
			for _, h := range r.mirror.locks.holds {
				waiting += h.before
			}
			r.mirror.locks.mu.Unlock()
		}
	})
	r.start(t, func(c *Config) { c.Target, c.Parallel = nil, 1 })
	require.NoError(t, r.mirror.Reconnect(r.target))
	r.news.wait(t, "synchronized")
	require.NoError(t, <-written)
	r.requireEqual(t)
}

// TestDivergedBehindTheCopy: a region that becomes stale after the copy passed it is
// copied before the mirror is synchronized.
func TestDivergedBehindTheCopy(t *testing.T) {
	r := newRig()
	fill(r.source, 1)
	r.start(t, func(c *Config) { c.Target, c.Parallel = nil, 1 })
	r.target.afterWrite = func(off int64) {
		if off == 10*region {
			r.target.mu.Lock()
			r.target.data[0]++
			r.target.mu.Unlock()
			r.mirror.diverged(errBoom, 0, 1)
		}
	}
	require.NoError(t, r.mirror.Reconnect(r.target))
	r.news.wait(t, "synchronized")
	r.requireEqual(t)
}
