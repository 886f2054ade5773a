package replication

import (
	"context"
	"errors"
	"slices"
	"time"

	"twinlun/blockdev"
	"twinlun/replication/job"
	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// making carries out one plan. Until commit nobody sees anything of it; before
// anything is made, what must be undone after a crash is in the store.
type making struct {
	s       *Service
	p       *plan
	req     request
	instant time.Time // of the points in time
	pairs   []*pair   // in the order of p.members, once they are built
	owner   string
	job     string  // that the commit makes
	waiter  *tender // nil without a job
}

// create carries out a checked plan, all of it or nothing, and gives its claims
// back.
func (s *Service) create(ctx context.Context, p *plan) (Result, error) {
	defer p.hold.release()
	m := &making{s: s, p: p, owner: ownerOf(ctx)}
	whole := context.WithoutCancel(ctx)
	for _, step := range []func(context.Context) error{m.begin, m.guardGiven, m.makeVolumes, m.guardNew, m.commit} {
		if err := step(whole); err != nil {
			m.rollBack(whole)
			return Result{}, err
		}
	}
	m.launch(whole)
	p.hold.release()
	return s.await(ctx, m.result(), m.waiter, m.req.Job, p.wait)
}

// begin stores what will be made, and builds the relationships.
func (m *making) begin(ctx context.Context) error {
	id, err := m.s.newID()
	if err != nil {
		return m.s.failure("", err)
	}
	m.req = request{ID: id, Stage: stageMaking, Volumes: m.newVolumes()}
	for _, mem := range m.p.members {
		m.req.Pairs = append(m.req.Pairs, mem.id)
	}
	if g := m.p.group; g != nil {
		m.req.Tie, m.req.Groups = g.id, g.made()
	}
	err = m.s.cfg.Store.Update(ctx, func(tx store.Tx) error { return put(tx, bucketRequests, id, m.req) })
	if err != nil {
		return m.s.failure("", err)
	}
	m.instant = m.s.cfg.Time()
	for _, mem := range m.p.members {
		m.pairs = append(m.pairs, newPair(m.record(mem)))
	}
	return nil
}

// record is the relationship of a member in the state in which it is committed.
func (m *making) record(mem *member) pairRecord {
	r := pairRecord{Made: !mem.into, Relationship: Relationship{
		ID: mem.id, Name: mem.name, Source: mem.from, Target: mem.to, Type: m.p.typ, Mode: m.p.mode,
		Settings: m.p.settings, WhenEstablished: m.instant,
	}}
	if m.p.group != nil {
		r.Group = m.p.group.id
	}
	for _, e := range m.p.birth() {
		// The table lets every type through these events.
		if _, err := m.s.advance(&r, change{event: e, at: m.instant}); err != nil {
			m.s.log.Error("a new relationship was refused", "err", err)
		}
	}
	return r
}

// birth is what happens to a relationship before it is committed.
func (p *plan) birth() []pairstate.Event {
	switch {
	case p.inactive():
		return []pairstate.Event{pairstate.FormedInactive}
	case p.typ == pairstate.Mirror:
		return []pairstate.Event{pairstate.Formed, pairstate.Begin}
	}
	return []pairstate.Event{pairstate.Formed, pairstate.Begin, pairstate.Taken}
}

// guardGiven puts the hooks on targets that exist, before their content goes.
func (m *making) guardGiven(ctx context.Context) error { return m.guard(ctx, true) }

// guardNew puts them on those that were made.
func (m *making) guardNew(ctx context.Context) error { return m.guard(ctx, false) }

func (m *making) guard(ctx context.Context, into bool) error {
	for i, mem := range m.p.members {
		if mem.into != into {
			continue
		}
		if err := m.s.hookTarget(ctx, m.pairs[i], m.pairs[i].rec); err != nil {
			return m.s.failure(at(m.p.targetParam, mem.index), err)
		}
	}
	return nil
}

// launch shows what was made and lets the copies run.
func (m *making) launch(ctx context.Context) {
	b := m.s.book
	b.change(func() {
		for _, p := range m.pairs {
			b.addPairLocked(p)
		}
		if m.req.Job != "" {
			b.requests[m.req.ID] = m.req
		}
		m.showGroupsLocked()
		m.tellLocked()
	})
	if m.req.Job != "" {
		m.waiter = m.s.tend(m.req.ID)
	}
	for _, p := range m.pairs {
		if p.early.Load() {
			m.s.written(ctx, p)
		}
		if rec, ok := b.record(p.id); ok && !rec.State.Idle() {
			m.s.startCopy(p, true)
		}
	}
}

// rollBack deletes what was made. What cannot be deleted now is deleted by the
// next Start: the record of the making stays until then.
func (m *making) rollBack(ctx context.Context) {
	if m.req.ID == "" {
		return
	}
	for _, p := range m.pairs {
		p.unhookTarget()
	}
	if err := m.s.undoMaking(ctx, m.req); err != nil {
		m.s.log.Error("a request that failed is not undone yet", "request", m.req.ID, "err", err)
	}
	if m.job == "" {
		return
	}
	err := m.s.jobs.End(ctx, m.job, uint32(KindFailed), errLostJob)
	if err == nil {
		err = m.s.jobs.Delete(ctx, m.job)
	}
	if err != nil && !errors.Is(err, job.ErrNotFound) {
		m.s.log.Warn("the job of a request that failed remains", "job", m.job, "err", err)
	}
}

// undoMaking deletes the volumes of a making, then its record, and with it all that
// a commit may have stored that seemed to fail.
func (s *Service) undoMaking(ctx context.Context, r request) error {
	for _, v := range slices.Backward(r.Volumes) {
		if err := s.deleteVolume(ctx, v); err != nil {
			return err
		}
	}
	return s.cfg.Store.Update(ctx, func(tx store.Tx) error {
		var errs []error
		for _, id := range r.Pairs {
			errs = append(errs, tx.Delete(bucketPairs, id))
		}
		for _, id := range r.Groups {
			errs = append(errs, tx.Delete(bucketGroups, id))
		}
		if r.Tie != "" {
			errs = append(errs, tx.Delete(bucketTies, r.Tie))
		}
		return errors.Join(append(errs, tx.Delete(bucketRequests, r.ID))...)
	})
}

// deleteVolume deletes a volume that may be gone already.
func (s *Service) deleteVolume(ctx context.Context, v VolumeRef) error {
	p := s.pools[v.Pool]
	if p == nil {
		return blockdev.Errorf(blockdev.KindNotFound, "delete volume", "there is no pool %q", v.Pool)
	}
	if err := p.Delete(ctx, v.ID); err != nil && !blockdev.Is(err, blockdev.KindNotFound) {
		return err
	}
	return nil
}
