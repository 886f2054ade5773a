package replication

import (
	"context"
	"fmt"
	"sync"
	"time"

	"twinlun/blockdev"
	"twinlun/replication/copier"
	"twinlun/replication/mirror"
	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// mirroring is a mirror that runs. It takes the mirror's news (mirror.Events) to
// the state machine.
type mirroring struct {
	s   *Service
	rec pairRecord
	m   *mirror.Mirror

	source, target blockdev.Device

	settle  sync.Once
	settled chan struct{} // closed when the first copy is over
	lost    chan struct{} // the target is; holds at most one
	last    int64         // bytes copied as of the last Progress
}

// Synchronized implements mirror.Events.
func (m *mirroring) Synchronized() {
	m.tell(change{event: pairstate.CopyDone})
	m.settle.Do(func() { close(m.settled) })
}

// Diverged implements mirror.Events.
func (m *mirroring) Diverged(err error) {
	m.s.log.Error("a write to the source of a mirror failed", "relationship", m.rec.ID, "err", err)
	if r, ok := m.s.book.record(m.rec.ID); ok && r.State.Copy == pairstate.Synchronized {
		m.tell(change{event: pairstate.Diverged})
	}
}

// Broken implements mirror.Events.
func (m *mirroring) Broken(err error) {
	m.s.log.Error("a mirror is broken", "relationship", m.rec.ID, "target", string(m.rec.Target.ID), "err", err)
	m.tell(change{event: pairstate.TargetLost, reason: reasonOf(err)})
	m.settle.Do(func() { close(m.settled) })
	select {
	case m.lost <- struct{}{}:
	default:
	}
}

// Progress implements mirror.Events.
func (m *mirroring) Progress(done, total int64) {
	m.s.metrics.copied(pairstate.Mirror, max(done-m.last, 0))
	m.last = done
	m.s.progress(m.rec.ID, done, total)
}

func (m *mirroring) tell(c change) {
	c.ids = []string{m.rec.ID}
	m.s.tell(m.s.ctx, c)
}

// firstMirror is the task of a new mirror: it waits for its turn, and keeps it
// while the first copy runs.
func (s *Service) firstMirror(ctx context.Context, rec pairRecord) {
	if !s.slot(ctx) {
		return
	}
	m, err := s.openMirror(ctx, rec)
	if err != nil {
		s.releaseSlot()
		if ctx.Err() != nil {
			return
		}
		if err := s.mirrorFailed(ctx, rec, err); err != nil {
			s.log.Error("the failure of a mirror was not stored", "relationship", rec.ID, "err", err)
		}
		return
	}
	select {
	case <-m.settled:
	case <-ctx.Done():
	}
	s.releaseSlot()
	m.serve(ctx)
}

// serve lets the mirror be until ctx ends, then stops it. When the target is
// lost, it is looked for from time to time.
func (m *mirroring) serve(ctx context.Context) {
	defer m.close()
	defer m.m.Stop(context.WithoutCancel(ctx))
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.lost:
		}
		for wait := m.s.cfg.Reconnect; m.pause(ctx, wait); wait = min(2*wait, maxReconnect) {
			if m.reconnect(ctx) {
				break
			}
		}
	}
}

// maxReconnect is the longest pause between two tries to reach a lost target.
const maxReconnect = 10 * time.Minute

// pause waits, or says that ctx has ended.
func (m *mirroring) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reconnect gives the mirror its target again if it can be opened. Whether it can
// be written shows in the copy of what changed meanwhile.
func (m *mirroring) reconnect(ctx context.Context) bool {
	m.closeTarget()
	dev, err := m.s.openRaw(ctx, m.rec.Target)
	if err != nil {
		m.s.log.Info("the target of a mirror is still lost", "relationship", m.rec.ID, "err", err)
		return false
	}
	m.target = dev
	m.tell(change{event: pairstate.TargetReturned})
	if err := m.m.Reconnect(dev); err != nil {
		m.tell(change{event: pairstate.TargetLost, reason: reasonOf(err)})
		return false
	}
	return true
}

func (m *mirroring) closeTarget() {
	if m.target == nil {
		return
	}
	if err := m.target.Close(); err != nil {
		m.s.log.Warn("the target of a mirror was not closed", "relationship", m.rec.ID, "err", err)
	}
	m.target = nil
}

func (m *mirroring) close() {
	m.closeTarget()
	if err := m.source.Close(); err != nil {
		m.s.log.Warn("the source of a mirror was not closed", "relationship", m.rec.ID, "err", err)
	}
}

// openMirror puts the hook of a mirror in place and lets it copy. A target that
// cannot be opened is lost: the mirror then keeps track of changes only.
func (s *Service) openMirror(ctx context.Context, rec pairRecord) (*mirroring, error) {
	m := &mirroring{s: s, rec: rec, settled: make(chan struct{}), lost: make(chan struct{}, 1)}
	var lost error
	var err error
	if m.source, err = s.openRaw(ctx, rec.Source); err != nil {
		return nil, fmt.Errorf("open the source: %w", err)
	}
	if m.target, lost = s.openRaw(ctx, rec.Target); lost != nil {
		m.target = nil
	}
	if m.m, err = mirror.Start(ctx, m.config()); err != nil {
		m.close()
		return nil, err
	}
	if lost != nil {
		m.Broken(lost)
	}
	return m, nil
}

func (m *mirroring) config() mirror.Config {
	s, rec := m.s, m.rec
	limiter := copier.NewLimiter(0, s.cfg.Time)
	repace := func() { limiter.SetRate(s.rateOf(rec)) }
	if p := s.book.pair(rec.ID); p != nil {
		p.live.onRepace(repace)
	}
	repace() // after it is known, so that no change is missed
	return mirror.Config{
		ID: rec.ID, Store: s.cfg.Store, Source: m.source, Target: m.target, Fresh: rec.Made,
		Attach: func(h blockdev.Hook) (func(), error) {
			return s.pools[rec.Source.Pool].Attach(s.ctx, rec.Source.ID, h)
		},
		Events: m, Limiter: limiter, Logger: s.log,
	}
}

// mirrorFailed breaks a mirror that could not be started. Writes to the source
// are not kept track of from now on, so its log must go: the next copy is a full
// one. It fails if that cannot be stored.
func (s *Service) mirrorFailed(ctx context.Context, rec pairRecord, err error) error {
	s.log.Error("a mirror cannot be started", "relationship", rec.ID, "err", err)
	_, stepErr := s.step(ctx, change{
		ids: []string{rec.ID}, event: pairstate.CopyFailed, reason: reasonOf(err),
		edit: func(r *pairRecord) { r.Made = false },
		also: func(tx store.Tx) error { return mirror.Forget(tx, rec.ID) },
	})
	return stepErr
}
