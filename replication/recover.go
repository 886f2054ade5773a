package replication

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// errLostJob ends a job that no request belongs to.
var errLostJob = errors.New("the work of the job is not known any more")

// resume takes up what the store says, in an order in which nothing is reachable
// unguarded: halves are undone, ends are brought to their end, hooks are put in
// place, then copies and jobs go on.
func (s *Service) resume(ctx context.Context) error {
	if err := s.cfg.Store.View(ctx, func(tx store.Tx) error { return s.book.load(tx) }); err != nil {
		return fmt.Errorf("read the relationships: %w", err)
	}
	for _, step := range []func(context.Context) error{
		s.undoMakings, s.dropOrphans, s.finishEnds, s.finishReverts, s.rehook, s.retake, s.restart, s.resumeScrubs, s.resumeRequests,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// undoMakings deletes what requests had made that never came to their commit.
func (s *Service) undoMakings(ctx context.Context) error {
	for id, r := range maps.Clone(s.book.requests) {
		if r.Stage != stageMaking {
			continue
		}
		if err := s.undoMaking(ctx, r); err != nil {
			s.log.Error("a half-made request is not undone; the next start tries again", "request", id, "err", err)
		}
		s.book.change(func() { delete(s.book.requests, id) })
	}
	return nil
}

// dropOrphans forgets relationships one of whose volumes is gone for good. They
// come from a crash between the deletion of a volume and of its record.
func (s *Service) dropOrphans(ctx context.Context) error {
	there, err := s.inventory(ctx)
	if err != nil {
		return err
	}
	var ids []string
	for _, r := range s.book.records() {
		if s.missing(there, r.Source) || s.missing(there, r.Target) {
			s.log.Warn("a relationship ends because a volume of it is gone", "relationship", r.ID, "source", string(r.Source.ID), "target", string(r.Target.ID))
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return s.remove(ctx, ids, nil, true)
}

// inventory is the set of all volumes.
func (s *Service) inventory(ctx context.Context) (map[VolumeRef]bool, error) {
	there := map[VolumeRef]bool{}
	for name, p := range s.pools {
		vols, err := p.List(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the volumes of pool %s: %w", name, err)
		}
		for _, v := range vols {
			there[VolumeRef{Pool: name, ID: v.ID}] = true
		}
	}
	return there, nil
}

// missing says whether a volume is not in its pool; a pool that is not there
// may come back.
func (s *Service) missing(there map[VolumeRef]bool, v VolumeRef) bool {
	return s.pools[v.Pool] != nil && !there[v]
}

// with lists the relationships for which f holds.
func (s *Service) with(f func(pairRecord) bool) []pairRecord {
	return slices.DeleteFunc(s.book.records(), func(r pairRecord) bool { return !f(r) })
}

// finishEnds ends relationships whose end was stored. One that cannot end now is
// as it was before, or is tried again by the next start.
func (s *Service) finishEnds(ctx context.Context) error {
	for _, r := range s.with(func(r pairRecord) bool {
		return r.State.Progress == pairstate.Detaching || r.State.Progress == pairstate.Terminating
	}) {
		del := r.State.Progress == pairstate.Terminating
		if err := s.carryOutEnd(ctx, ending{ids: []string{r.ID}}, del); err != nil {
			s.log.Error("a relationship could not be ended", "relationship", r.ID, "err", err)
		}
	}
	return nil
}

// rehook puts the hooks back on all targets that are there. A mirror whose target
// cannot be guarded is broken and will be copied anew; another target is only
// watched.
func (s *Service) rehook(ctx context.Context) error {
	for _, r := range s.book.records() {
		if s.pools[r.Target.Pool] == nil {
			s.log.Warn("the pool of a target is not there", "relationship", r.ID, "pool", r.Target.Pool)
			continue
		}
		err := s.hookTarget(ctx, s.book.pair(r.ID), r)
		if err == nil {
			continue
		}
		s.log.Error("a target is not guarded", "relationship", r.ID, "err", err)
		if r.Type != pairstate.Mirror || !flowing(r) {
			continue
		}
		if err := s.mirrorFailed(ctx, r, err); err != nil {
			return fmt.Errorf("mirror %s can neither be guarded nor broken: %w", r.ID, err)
		}
	}
	return nil
}

// retake takes the points in time that an Activate was about to take, those of a
// group together.
func (s *Service) retake(ctx context.Context) error {
	sets := map[string][]string{}
	for _, r := range s.with(func(r pairRecord) bool { return r.State.Progress == pairstate.Initializing }) {
		key := r.Group
		if key == "" {
			key = r.ID
		}
		sets[key] = append(sets[key], r.ID)
	}
	for _, ids := range sets {
		if err := s.flow(ctx, change{ids: ids, event: pairstate.Taken}); err != nil {
			s.log.Error("a point in time was not taken", "relationships", ids, "err", err)
			continue
		}
		a := activation{s: s, t: modified{ids: ids}}
		a.launch(ctx)
	}
	return nil
}

// restart lets the data of mirrors and clones flow again, as far as it did.
func (s *Service) restart(ctx context.Context) error {
	recs := s.with(flowing)
	ids := make([]string, 0, len(recs))
	for _, r := range recs {
		if s.canFlow(r) {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if _, err := s.step(ctx, change{ids: ids, event: pairstate.Restart}); err != nil {
		return fmt.Errorf("restart %d relationships: %w", len(ids), err)
	}
	for _, id := range ids {
		rec, _ := s.book.record(id)
		if err := s.resumeCopy(ctx, s.book.pair(id), rec); err != nil {
			return err
		}
	}
	return nil
}

// canFlow says whether something can be started for a relationship: its source is
// there, and hosts cannot write to a mirror's target. A mirror's target that is
// not there is no reason: changes must be kept track of.
func (s *Service) canFlow(r pairRecord) bool {
	p := s.book.pair(r.ID)
	switch {
	case s.pools[r.Source.Pool] == nil || !p.idle():
		return false
	case r.Type == pairstate.Mirror:
		return p.guarded() || s.pools[r.Target.Pool] == nil
	}
	return s.pools[r.Target.Pool] != nil
}

// flowing says whether a restart starts something for a relationship.
func flowing(r pairRecord) bool {
	c := r.State.Copy
	switch r.Type {
	case pairstate.Mirror:
		return c == pairstate.Unsynchronized || c == pairstate.Synchronized || c == pairstate.Broken
	case pairstate.Clone:
		return c == pairstate.Unsynchronized || c == pairstate.Broken || !r.State.Idle() && r.Revert == nil
	}
	return false
}

// resumeCopy lets a copy go on that ran before. A mirror's hook is in place when
// it returns; it fails only if a mirror can neither run nor be broken, since
// writes to its source would then be lost.
func (s *Service) resumeCopy(ctx context.Context, p *pair, rec pairRecord) error {
	if rec.Type != pairstate.Mirror {
		s.startCopy(p, false)
		return nil
	}
	m, err := s.openMirror(ctx, rec)
	if err != nil {
		return s.mirrorFailed(ctx, rec, err)
	}
	s.run(p, m.serve)
	return nil
}

// resumeRequests follows the requests that have a job.
func (s *Service) resumeRequests(ctx context.Context) error {
	open, err := s.jobs.Resumable(ctx)
	if err != nil {
		return fmt.Errorf("read the jobs: %w", err)
	}
	mine := map[string]bool{}
	for id, r := range maps.Clone(s.book.requests) {
		mine[r.Job] = true
		s.tend(id)
	}
	for _, j := range open {
		if mine[j.ID] {
			continue
		}
		if err := s.jobs.End(ctx, j.ID, uint32(KindFailed), errLostJob); err != nil {
			return fmt.Errorf("end job %s: %w", j.ID, err)
		}
	}
	return nil
}
