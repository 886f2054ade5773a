package replication

import (
	"context"
	"errors"
	"slices"
	"time"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
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

// newVolumes lists the targets that do not exist yet.
func (m *making) newVolumes() []VolumeRef {
	var l []VolumeRef
	for _, mem := range m.p.members {
		if !mem.into {
			l = append(l, mem.to)
		}
	}
	return l
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

// makeVolumes makes the targets.
func (m *making) makeVolumes(ctx context.Context) error {
	if m.p.typ == pairstate.Mirror || m.p.inactive() {
		return m.filter(func(mem *member) error { return m.makeBlank(ctx, mem) })
	}
	m.instant = m.s.cfg.Time()
	if m.p.settings.ContinueOnError && !m.p.consistent() {
		return m.filter(func(mem *member) error { return m.takePoints(ctx, []*member{mem}) })
	}
	for _, set := range byPool(m.p.members) {
		if err := m.takePoints(ctx, set); err != nil {
			return err
		}
	}
	return nil
}

// filter is plan.each that keeps the pairs in step with the members.
func (m *making) filter(f func(*member) error) error {
	byID := make(map[string]*pair, len(m.pairs))
	for _, p := range m.pairs {
		byID[p.id] = p
	}
	err := m.p.each(f)
	left := make([]*pair, 0, len(m.p.members))
	for _, mem := range m.p.members {
		left = append(left, byID[mem.id])
		delete(byID, mem.id)
	}
	for _, p := range byID {
		p.unhookTarget()
	}
	m.pairs = left
	return err
}

// makeBlank makes a target that the copy will fill.
func (m *making) makeBlank(ctx context.Context, mem *member) error {
	if mem.into {
		return nil
	}
	_, err := m.s.pools[mem.to.Pool].Create(ctx, mem.spec(m.p.labels))
	return m.failure(mem, err)
}

func (mem *member) spec(labels map[string]string) pool.Spec {
	return pool.Spec{ID: mem.to.ID, Name: mem.name, Size: mem.size, Labels: labels}
}

// takePoints takes the points in time of members of one pool, at one instant.
func (m *making) takePoints(ctx context.Context, set []*member) error {
	copies := make([]pool.Copy, 0, len(set))
	for _, mem := range set {
		c := pool.Copy{Source: mem.from.ID}
		if mem.into {
			c.Into = mem.to.ID
		} else {
			c.Target = mem.spec(m.p.labels)
		}
		copies = append(copies, c)
	}
	_, err := m.s.pools[set[0].from.Pool].Snapshot(ctx, copies)
	return m.failure(set[0], err)
}

// byPool splits members by the pool of their sources, in order.
func byPool(all []*member) [][]*member {
	var order []string
	sets := map[string][]*member{}
	for _, m := range all {
		if sets[m.from.Pool] == nil {
			order = append(order, m.from.Pool)
		}
		sets[m.from.Pool] = append(sets[m.from.Pool], m)
	}
	l := make([][]*member, 0, len(order))
	for _, p := range order {
		l = append(l, sets[p])
	}
	return l
}

// failure says which parameter a pool's refusal is about.
func (m *making) failure(mem *member, err error) error {
	param := at(m.p.sourceParam, mem.index)
	switch blockdev.KindOf(err) {
	case blockdev.KindExists:
		param = m.p.nameParam
	case blockdev.KindNoSpace:
		param = "TargetPool"
	}
	return m.s.failure(param, err)
}

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
		Name: m.jobName(), Owner: m.owner, Retain: m.p.settings.TimeBeforeRemoval, Affected: m.affected(),
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
