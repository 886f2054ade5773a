package mirror

import (
	"context"

	"twinlun/blockdev"
)

// Apply implements blockdev.Hook. What it answers is what the source says, and a
// failure to log the change before it happens.
func (m *Mirror) Apply(ctx context.Context, c blockdev.Change, next func() error) error {
	if c.Op == blockdev.OpFlush {
		return m.flush(ctx, c, next)
	}
	if err := blockdev.CheckRange("mirror", c.Off, c.Len, m.c.Source.Size()); err != nil || c.Len == 0 {
		return err
	}
	unlock, err := m.locks.lock(ctx, c.Off, c.Len)
	if err != nil {
		return err
	}
	defer unlock()
	if err := m.track(ctx, c.Off, c.Len); err != nil {
		return blockdev.Errorf(blockdev.KindIO, "mirror log", "%w", err)
	}
	t := m.targetFor(c.Off, c.Len)
	change := next
	if c.FUA {
		change = func() error { return m.flushSource(next) }
	}
	if err = both(ctx, t, c, change); err != nil {
		m.diverged(err, c.Off, c.Len)
	}
	return err
}

// both lets a change happen on both sides at once and answers for the source;
// the target answers for itself.
func both(ctx context.Context, t *target, c blockdev.Change, next func() error) error {
	if t == nil {
		return next()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = t.apply(ctx, c) // it has told the Mirror
	}()
	defer func() { <-done }()
	return next()
}

// track has the range in the log, durably, before it is written.
func (m *Mirror) track(ctx context.Context, off, n int64) error {
	if err := m.touch(off, n); err != nil {
		return err
	}
	return m.log.Set(ctx, off, n)
}

// touch keeps the cleaner away from the range, and makes room for a source that
// has grown.
func (m *Mirror) touch(off, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, to := m.log.Regions(off, n)
	if to > m.touched.Len() {
		if err := m.log.Grow(m.c.Source.Size()); err != nil {
			return err
		}
		m.touched.Grow(to)
		m.stale.Grow(to)
	}
	m.touched.Set(from, to)
	return nil
}

// targetFor is where a logged change must go too; nil when the target is lost, and
// then the range is stale.
func (m *Mirror) targetFor(off, n int64) *target {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.target == nil {
		m.stale.Set(m.log.Regions(off, n))
	}
	return m.target
}

// flush flushes both sides.
func (m *Mirror) flush(ctx context.Context, c blockdev.Change, next func() error) error {
	m.mu.Lock()
	t, err := m.target, m.flushErr
	m.flushErr = nil
	m.mu.Unlock()
	if err != nil {
		return err
	}
	return both(ctx, t, c, func() error { return m.flushSource(next) })
}

// flushSource runs what makes data of the source durable and notes its failure.
func (m *Mirror) flushSource(f func() error) error {
	m.flushing.RLock()
	defer m.flushing.RUnlock()
	err := f()
	if err != nil {
		m.setback(err)
	}
	return err
}

// lose goes on without the target. What it may have lost since it was last
// flushed is in the log.
func (m *Mirror) lose(t *target, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.target != t {
		return
	}
	m.target, m.synced = nil, false
	m.staleAllLocked()
	if m.cancelCopy != nil {
		m.cancelCopy()
	}
	m.c.Logger.Error("mirror lost its target", "mirror", m.c.ID, "err", err)
	m.events.tell(func(to Events) { to.Broken(err) })
}

// setback makes all that is in the log stale: a flush of the source failed, and
// with it what is on its medium became unknown.
func (m *Mirror) setback(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.staleAllLocked()
	m.divergedLocked(err)
}

func (m *Mirror) staleAllLocked() {
	m.setbacks++
	m.stale.Or(m.log.Dirty())
}

// diverged makes a range stale that the source failed to write.
func (m *Mirror) diverged(err error, off, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stale.Set(m.log.Regions(off, n))
	m.divergedLocked(err)
}

func (m *Mirror) divergedLocked(err error) {
	poke(m.kick)
	if !m.synced {
		return
	}
	m.synced = false
	m.c.Logger.Warn("source of a mirror failed", "mirror", m.c.ID, "err", err)
	m.events.tell(func(to Events) { to.Diverged(err) })
}
