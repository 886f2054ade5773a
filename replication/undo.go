package replication

import (
	"context"
	"errors"
	"slices"

	"twinlun/replication/job"
	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// cancelRequest undoes a request because a user asked for it. New targets go, unless
// somebody uses them already: such a one stays as a volume of its own.
func (s *Service) cancelRequest(run *job.Run, req request) error {
	if !req.Undo {
		return s.breakOff(run, req)
	}
	return s.beginUndo(run, req, 0, "canceled by request")
}

// breakOff cancels the copies of pairs that the request did not make: they are
// Broken then.
func (s *Service) breakOff(run *job.Run, req request) error {
	ctx := context.WithoutCancel(s.ctx)
	for _, r := range s.book.recordsBy(req.Pairs) {
		p := s.book.pair(r.ID)
		if p == nil || holdsContent(r) || r.State.Copy == pairstate.Broken {
			continue
		}
		p.halt()
		s.tell(ctx, change{ids: []string{r.ID}, event: pairstate.CopyFailed, reason: "the copy was canceled"})
	}
	return s.finish(run, req, 0, job.ErrCanceled)
}

// untouched says whether all new targets can go without a loss to anybody.
func (s *Service) untouched(req request) bool {
	return !slices.ContainsFunc(req.Volumes, func(v VolumeRef) bool { return s.used(req, v) })
}

// used says whether somebody beside the request uses a new target of it, or has
// written to it.
func (s *Service) used(req request, v VolumeRef) bool {
	for _, r := range s.book.recordsOf(v) {
		if r.Source == v || r.Written {
			return true
		}
	}
	for _, g := range s.book.groupsOf(v) {
		if !slices.Contains(req.Groups, g.ID) {
			return true
		}
	}
	exposed, sessions := s.exposed(v)
	return exposed || sessions > 0
}

// beginUndo stores that a request is undone and how it ends; then undo does it,
// now or after a restart. It waits until no other request uses the targets.
func (s *Service) beginUndo(run *job.Run, req request, code Kind, cause string) error {
	ctx := context.WithoutCancel(s.ctx)
	h := s.claims.hold()
	defer h.release()
	if err := s.takeTargets(h, req); err != nil {
		return err
	}
	req.Stage, req.Code, req.Cause = stageUndoing, code, cause
	req.Volumes = slices.DeleteFunc(slices.Clone(req.Volumes), func(v VolumeRef) bool { return s.keeps(req, v) })
	also := func(tx store.Tx) error { return put(tx, bucketRequests, req.ID, req) }
	if err := s.decideUndo(ctx, req, also); err != nil {
		s.log.Error("a request cannot be undone", "job", req.Job, "err", err)
		return s.finish(run, req, KindFailed, err)
	}
	s.book.change(func() { s.book.requests[req.ID] = req })
	return s.undo(run, req)
}

// decideUndo stores that the pairs of a request end, and why.
func (s *Service) decideUndo(ctx context.Context, req request, also func(store.Tx) error) error {
	_, err := s.step(ctx, change{ids: s.present(req.Pairs), event: pairstate.Dissolve, force: true, also: also})
	return err
}

// keeps says whether a new target outlives its request, and logs it.
func (s *Service) keeps(req request, v VolumeRef) bool {
	if !s.used(req, v) {
		return false
	}
	s.log.Warn("a new target is in use and stays, without its relationship", "volume", string(v.ID))
	return true
}

// present leaves out the relationships that are gone.
func (s *Service) present(ids []string) []string {
	var l []string
	for _, r := range s.book.recordsBy(ids) {
		l = append(l, r.ID)
	}
	return l
}

// takeTargets claims all targets of a request, when they are free.
func (s *Service) takeTargets(h *hold, req request) error {
	for {
		freed := s.claims.freed()
		if s.tryTargets(h, req) {
			return nil
		}
		h.release()
		select {
		case <-freed:
		case <-s.ctx.Done():
			return errStopping
		}
	}
}

func (s *Service) tryTargets(h *hold, req request) bool {
	for _, r := range s.book.recordsBy(req.Pairs) {
		if !h.take(volumeClaim(r.Target)) {
			return false
		}
	}
	return true
}

// undo takes the pairs of a request apart, deletes its new targets and ends the
// job; it can be called again after a restart. A target that cannot be deleted
// stays and is logged: it is in use, or its pool fails.
func (s *Service) undo(run *job.Run, req request) error {
	ctx := context.WithoutCancel(s.ctx)
	if err := s.carryOutEnd(ctx, ending{ids: s.present(req.Pairs), groups: req.Groups}, false); err != nil {
		s.log.Error("a request is undone by the next start", "request", req.ID, "err", err)
		return err
	}
	for _, v := range req.Volumes {
		if err := s.deleteVolume(ctx, v); err != nil {
			s.log.Error("a new target of a request that was undone stays", "volume", string(v.ID), "err", err)
		}
	}
	if req.Code == 0 {
		return s.finish(run, req, 0, job.ErrCanceled)
	}
	return s.finish(run, req, req.Code, errors.New(req.Cause))
}
