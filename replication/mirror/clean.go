package mirror

import (
	"context"
	"time"

	"twinlun/replication/bitmap"
)

// cleanLoop shortens the log now and then.
func (m *Mirror) cleanLoop(ctx context.Context) {
	tick := time.NewTicker(m.c.CleanEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.clean(ctx, false)
		}
	}
}

// clean takes regions out of the log that are equal and durable on both sides:
// those that nobody wrote to since the cleaning before, or with all, which needs
// that nobody writes, every one that is not stale.
func (m *Mirror) clean(ctx context.Context, all bool) {
	t, quiet, setbacks := m.quiet(all)
	if t == nil || quiet.Count() == 0 {
		return
	}
	if !m.flushBoth(ctx, t) {
		return
	}
	m.clear(quiet, setbacks)
	if err := m.log.Sync(ctx); err != nil && ctx.Err() == nil {
		m.c.Logger.Warn("log of a mirror was not shortened", "mirror", m.c.ID, "err", err)
	}
}

// quiet is the regions that a flush from now on makes durable and equal, as long
// as they are not touched and no setback comes.
func (m *Mirror) quiet(all bool) (*target, *bitmap.Bits, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	quiet := m.log.Dirty()
	quiet.AndNot(m.stale)
	if !all {
		quiet.AndNot(m.touched)
		m.locks.each(func(off, n int64) { quiet.Clear(m.log.Regions(off, n)) })
	}
	m.touched = bitmap.NewBits(m.touched.Len())
	return m.target, quiet, m.setbacks
}

// flushBoth makes both sides durable. A failure of the source is kept for the
// next host that flushes: it concerns what hosts have written.
func (m *Mirror) flushBoth(ctx context.Context, t *target) bool {
	if t.Flush(ctx) != nil {
		return false
	}
	err := m.flushSource(func() error { return m.c.Source.Flush(context.WithoutCancel(ctx)) })
	if err == nil {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.flushErr = err
	return false
}

// clear takes the regions out of the log that are still quiet.
func (m *Mirror) clear(quiet *bitmap.Bits, setbacks int) {
	m.flushing.Lock() // all failures so far are known
	defer m.flushing.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.setbacks != setbacks {
		return
	}
	quiet.AndNot(m.stale)
	quiet.AndNot(m.touched)
	for r := int64(0); ; {
		from, to, ok := quiet.NextRun(r, quiet.Len())
		if !ok {
			return
		}
		m.log.Clear(from, to)
		r = to
	}
}
