package replication

import (
	"context"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
)

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
