package mirror

import (
	"context"

	"twinlun/replication/copier"
)

// copyLoop brings the sides together whenever there is something to copy.
func (m *Mirror) copyLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.kick:
		}
		for m.copyOnce(ctx) {
		}
	}
}

// copyOnce copies what is stale now and says whether to look again.
func (m *Mirror) copyOnce(ctx context.Context) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t, w := m.beginCopy(cancel)
	if t == nil {
		return false
	}
	err := copier.Run(ctx, copier.Config{
		Source: m.c.Source, Target: t, Work: w, Lock: m.lockRange,
		Limiter: m.c.Limiter, Parallel: m.c.Parallel,
	})
	if err == nil {
		return m.endCopy(t)
	}
	if ctx.Err() == nil { // a failure of the target has been told already
		m.lose(t, err)
	}
	return false
}

// beginCopy is the target to copy to and the work, or nil when there is none.
func (m *Mirror) beginCopy(cancel context.CancelFunc) (*target, *work) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.target == nil || m.synced {
		return nil, nil
	}
	m.cancelCopy = cancel
	return m.target, &work{m: m, setbacks: m.setbacks}
}

// endCopy finds out whether both sides are equal; if not, there is more to copy.
func (m *Mirror) endCopy(t *target) (more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.target != t {
		return false
	}
	if m.stale.Count() > 0 {
		return true
	}
	m.synced, m.copied, m.cancelCopy = true, 0, nil
	m.events.tell(Events.Synchronized)
	return false
}

func (m *Mirror) lockRange(ctx context.Context, r copier.Range) (func(), error) {
	return m.locks.lock(ctx, r.Off, r.Len)
}

// work hands the stale regions to the copier once each. It is void after a
// setback: then what was copied before does not count any more.
type work struct {
	m        *Mirror
	setbacks int
	cursor   int64 // guarded by the Mirror's lock
}

// Next implements copier.Work.
func (w *work) Next() (copier.Range, bool) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	r, ok := w.m.stale.Next(w.cursor)
	if !ok || w.m.setbacks != w.setbacks {
		return copier.Range{}, false
	}
	w.cursor = r + 1
	size := w.m.log.Region()
	off := r * size
	return copier.Range{Off: off, Len: min(size, w.m.c.Source.Size()-off)}, true
}

// Copied implements copier.Work.
func (w *work) Copied(r copier.Range) {
	m := w.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.setbacks != w.setbacks {
		return
	}
	m.stale.Clear(m.log.Regions(r.Off, r.Len))
	m.copied += r.Len
	m.events.tellProgress(m.copied, m.copied+m.stale.Count()*m.log.Region())
}

// Flushed implements copier.Work. The log is cleared by the cleaner, when the
// source was flushed too.
func (w *work) Flushed(context.Context, []copier.Range) error { return nil }

// Left implements copier.Work.
func (w *work) Left() int64 {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	return w.m.stale.Count() * w.m.log.Region()
}
