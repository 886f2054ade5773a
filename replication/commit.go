package replication

import (
	"context"

	"twinlun/replication/job"
	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// needsJob says whether work goes on that the method's caller will want to hear
// of: see docs/decisions.md.
func (p *plan) needsJob() bool {
	return p.typ != pairstate.Snapshot && (p.wait.State == 0 || p.wait.State == pairstate.Synchronized)
}

// commit stores everything that the request made, and that it is no longer being
// made, in one transaction.
func (m *making) commit(ctx context.Context) error {
	req := m.req
	err := m.s.cfg.Store.Update(ctx, func(tx store.Tx) (err error) {
		if req, err = m.putRequest(tx); err != nil {
			return err
		}
		for i, p := range m.pairs {
			p.rec = m.record(m.p.members[i])
			p.rec.Request = req.ID
			if err := put(tx, bucketPairs, p.id, p.rec); err != nil {
				return err
			}
		}
		return m.putGroups(tx)
	})
	m.s.jobs.Created(ctx, m.job)
	if err != nil {
		return m.s.failure("", err)
	}
	m.req = req
	return nil
}

// putRequest replaces the making by the copying, if there will be a job.
func (m *making) putRequest(tx store.Tx) (request, error) {
	if !m.p.needsJob() {
		return request{}, tx.Delete(bucketRequests, m.req.ID)
	}
	j, err := m.s.jobs.Create(tx, job.Spec{
		Name: m.jobName(), Owner: m.owner, Affected: m.affected(),
	})
	if err != nil {
		return request{}, err
	}
	m.job = j.ID
	r := request{
		ID: m.req.ID, Job: j.ID, Stage: stageCopying, Undo: true, Volumes: m.newVolumes(),
		Keep: m.p.settings.ContinueOnError,
	}
	for _, p := range m.pairs {
		r.Pairs = append(r.Pairs, p.id)
	}
	if g := m.p.group; g != nil {
		r.Groups = g.made()
	}
	return r, put(tx, bucketRequests, r.ID, r)
}

func (m *making) jobName() string {
	switch {
	case m.p.group != nil:
		return "Create group " + typeWord(m.p.typ) + " " + m.p.group.name
	case len(m.p.members) == 1:
		return "Create " + typeWord(m.p.typ) + " of " + m.p.members[0].source.Name
	}
	return "Create list of " + typeWord(m.p.typ) + "s"
}

// affected lists what the job makes: managers take the first volume or group for
// the result.
func (m *making) affected() []job.Element {
	var l []job.Element
	for _, v := range m.newVolumes() {
		l = append(l, job.Element{Kind: job.Volume, Pool: v.Pool, ID: string(v.ID)})
	}
	if g := m.p.group; g != nil && g.makeTarget {
		l = append(l, job.Element{Kind: job.Group, ID: g.target.ID})
	}
	return l
}
