package replication

import (
	"context"
	"errors"

	"twinlun/blockdev/pool"
	"twinlun/replication/job"
	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// activation is an Activate that is being carried out.
type activation struct {
	s      *Service
	t      modified
	owner  string
	req    request // ID is empty: no job
	waiter *tender
}

// activate lets the data of inactive relationships flow: the points in time are
// taken now, all of a group at one instant.
func (s *Service) activate(ctx context.Context, t modified, w Wait, h *hold) (string, error) {
	a := activation{s: s, t: t, owner: ownerOf(ctx)}
	if t.typ != pairstate.Snapshot && w.State != pairstate.Unsynchronized {
		id, err := s.newID()
		if err != nil {
			return "", err
		}
		a.req = request{ID: id, Stage: stageCopying, Pairs: t.ids, Keep: true}
	}
	if err := a.start(context.WithoutCancel(ctx)); err != nil {
		return "", err
	}
	h.release()
	res, err := s.await(ctx, Result{}, a.waiter, a.req.Job, w)
	return res.Job, err
}

// start stores the decision, takes the points in time and lets the copies run.
func (a *activation) start(ctx context.Context) error {
	flow := change{ids: a.t.ids, event: pairstate.Activate}
	if a.t.typ != pairstate.Mirror {
		if _, err := a.s.step(ctx, flow); err != nil {
			return err
		}
		flow.event = pairstate.Taken
	}
	flow.edit, flow.also = a.edit, a.putRequest
	err := a.s.flow(ctx, flow)
	a.s.jobs.Created(ctx, a.req.Job)
	if err != nil {
		return err
	}
	a.launch(ctx)
	return nil
}

// flow is the change after which data flows. Before Taken the points in time are
// taken, and if that fails the relationships are inactive again.
func (s *Service) flow(ctx context.Context, c change) error {
	if c.event == pairstate.Taken {
		c.at = s.cfg.Time()
		if err := s.takeInto(ctx, c.ids); err != nil {
			_, stepErr := s.step(ctx, change{ids: c.ids, event: pairstate.CopyFailed})
			return errors.Join(err, stepErr)
		}
	}
	_, err := s.step(ctx, c)
	return err
}

// takeInto makes targets that exist show what their sources hold now: at one
// instant for those of one pool.
func (s *Service) takeInto(ctx context.Context, ids []string) error {
	sets := map[string][]pool.Copy{}
	for _, r := range s.book.recordsBy(ids) {
		sets[r.Source.Pool] = append(sets[r.Source.Pool], pool.Copy{Source: r.Source.ID, Into: r.Target.ID})
	}
	for name, set := range sets {
		if _, err := s.pools[name].Snapshot(ctx, set); err != nil {
			return err
		}
	}
	return nil
}

// edit lets the pairs tell the request of their changes.
func (a *activation) edit(r *pairRecord) { r.Request = a.req.ID }

// putRequest makes the job, if there is to be one, and stores the request.
func (a *activation) putRequest(tx store.Tx) error {
	if a.req.ID == "" {
		return nil
	}
	el := job.Element{Kind: job.Relationship, ID: a.t.ids[0]}
	if a.t.tie != "" {
		el = job.Element{Kind: job.GroupRelationship, ID: a.t.tie}
	}
	j, err := a.s.jobs.Create(tx, job.Spec{
		Name: "Activate " + typeWord(a.t.typ), Owner: a.owner, Affected: []job.Element{el},
	})
	if err != nil {
		return err
	}
	a.req.Job = j.ID
	return put(tx, bucketRequests, a.req.ID, a.req)
}

// launch lets hosts write to targets where they may now, and the copies run.
func (a *activation) launch(ctx context.Context) {
	s := a.s
	if a.req.ID != "" {
		s.book.change(func() { s.book.requests[a.req.ID] = a.req })
		a.waiter = s.tend(a.req.ID)
	}
	for _, id := range a.t.ids {
		p := s.book.pair(id)
		rec, ok := s.book.record(id)
		if !ok {
			continue
		}
		if err := s.hookTarget(ctx, p, rec); err != nil {
			s.log.Error("a target stays closed to hosts until the next start", "relationship", id, "err", err)
		}
		if !rec.State.Idle() {
			s.startCopy(p, true)
		}
	}
}
