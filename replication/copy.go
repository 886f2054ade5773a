package replication

import (
	"context"

	"twinlun/replication/pairstate"
)

// startCopy lets the data of a relationship flow: the effect StartCopy. first
// says that nothing was copied before, so that it may wait for its turn.
func (s *Service) startCopy(p *pair, first bool) {
	rec, ok := s.book.record(p.id)
	switch {
	case !ok:
	case rec.Type == pairstate.Clone:
		s.run(p, func(ctx context.Context) { s.hydrate(ctx, rec) })
	case rec.Type == pairstate.Mirror && first:
		s.run(p, func(ctx context.Context) { s.firstMirror(ctx, rec) })
	}
}

// hydrate copies what a clone shares with its source until it stands alone.
func (s *Service) hydrate(ctx context.Context, rec pairRecord) {
	if !s.slot(ctx) {
		return
	}
	defer s.releaseSlot()
	var most int64 // that was done
	err := s.paced(ctx, rec, func(ctx context.Context, rate int64) error {
		last := int64(-1) // what an earlier run had done does not count
		return s.pools[rec.Target.Pool].Hydrate(ctx, rec.Target.ID, rate, func(done, total int64) {
			if last >= 0 {
				s.metrics.copied(rec.Type, done-last)
			}
			last, most = done, max(most, done)
			s.progress(rec.ID, most, total)
		})
	})
	switch {
	case ctx.Err() != nil: // halted: whoever did it knows what is next
	case err != nil:
		s.copyFailed(ctx, rec, err)
	default:
		s.tell(ctx, change{ids: []string{rec.ID}, event: pairstate.CopyDone})
		s.recallWrites(ctx, rec.ID)
	}
}

// paced runs a copy at the rate of its priority, and from where it is at another when
// the priority changes.
func (s *Service) paced(ctx context.Context, rec pairRecord, work func(ctx context.Context, rate int64) error) error {
	for {
		run, stop := context.WithCancel(ctx)
		if p := s.book.pair(rec.ID); p != nil {
			p.live.onRepace(stop)
		}
		err := work(run, s.rateOf(rec))
		again := err != nil && run.Err() != nil && ctx.Err() == nil
		stop()
		if !again {
			return err
		}
	}
}

// rateOf is the rate of the priority that a relationship has now.
func (s *Service) rateOf(rec pairRecord) int64 {
	if now, ok := s.book.record(rec.ID); ok {
		rec = now
	}
	return s.cfg.rate(rec.Settings.CopyPriority)
}

// recallWrites makes a clone Skewed that was written before its copy failed and
// was taken up again.
func (s *Service) recallWrites(ctx context.Context, id string) {
	if r, ok := s.book.record(id); ok && r.Written && r.State.Copy == pairstate.Synchronized {
		s.tell(ctx, change{ids: []string{id}, event: pairstate.TargetWritten})
	}
}

// copyFailed breaks a relationship whose copy cannot go on.
func (s *Service) copyFailed(ctx context.Context, rec pairRecord, err error) {
	s.log.Error("a copy failed", "relationship", rec.ID, "type", rec.Type.String(), "target", string(rec.Target.ID), "err", err)
	s.tell(ctx, change{ids: []string{rec.ID}, event: pairstate.CopyFailed, reason: reasonOf(err)})
}

// tell is step for news that nobody waits for: a refusal is logged.
func (s *Service) tell(ctx context.Context, c change) {
	if _, err := s.step(ctx, c); err != nil {
		s.log.Warn("an event was not taken", "event", c.event.String(), "relationships", c.ids, "err", err)
	}
}
