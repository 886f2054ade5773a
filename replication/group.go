package replication

import (
	"context"
	"slices"

	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// tiePlan is what a group request makes beside its pairs.
type tiePlan struct {
	id, name               string // of the group relationship
	source, target         Group
	makeSource, makeTarget bool
}

// made lists the IDs of the new groups.
func (g *tiePlan) made() []string {
	var l []string
	if g.makeSource {
		l = append(l, g.source.ID)
	}
	if g.makeTarget {
		l = append(l, g.target.ID)
	}
	return l
}

// CreateGroupFromElements makes a group of the sources, a replica of each, a
// group of those, and ties the two: CreateGroupReplicaFromElements, and with
// SourceGroup given CreateGroupReplica. All or nothing, as for CreateList.
func (s *Service) CreateGroupFromElements(ctx context.Context, r GroupRequest) (Result, error) {
	res, err := s.createGroupReplica(ctx, r)
	return res, s.refused(err)
}

func (s *Service) createGroupReplica(ctx context.Context, r GroupRequest) (Result, error) {
	h := s.claims.hold()
	defer h.release()
	w := r.wish()
	g := &tiePlan{}
	for _, step := range []func() error{
		func() error { return s.useSourceGroup(r, h, &w, g) },
		func() error { return s.useTargetGroup(r, h, &w, g) },
		w.checkType,
		func() error { return s.nameGroups(ctx, r, h, &w, g) },
	} {
		if err := step(); err != nil {
			return Result{}, err
		}
	}
	p, err := s.check(ctx, w, h)
	if err != nil {
		return Result{}, err
	}
	p.group = g
	if err := s.formGroups(p); err != nil {
		return Result{}, err
	}
	return s.create(ctx, p)
}

// useSourceGroup takes the sources from a group that exists, or checks that they
// can become one.
func (s *Service) useSourceGroup(r GroupRequest, h *hold, w *wish, g *tiePlan) error {
	if r.SourceGroup == "" {
		g.makeSource = true
		return checkDistinct(r.Sources, w.sourceParam)
	}
	var err error
	if g.source, err = s.useGroup(r.SourceGroup, "SourceGroup", h.share); err != nil {
		return err
	}
	switch {
	case len(r.Sources) > 0:
		return Errorf(KindInvalid, w.sourceParam, "cannot be given together with SourceGroup")
	case r.SourceGroupName != "":
		return Errorf(KindInvalid, "SourceGroupName", "cannot be given together with SourceGroup")
	case len(g.source.Members) == 0:
		return Errorf(KindInvalid, "SourceGroup", "group %s is empty", g.source.Name)
	}
	w.sources, w.sourceParam = g.source.Members, "SourceGroup"
	return nil
}

// useTargetGroup takes the targets from a group that exists, if there is one.
func (s *Service) useTargetGroup(r GroupRequest, h *hold, w *wish, g *tiePlan) error {
	if r.TargetGroup == "" {
		g.makeTarget = true
		return nil
	}
	var err error
	if g.target, err = s.useGroup(r.TargetGroup, "TargetGroup", h.take); err != nil {
		return err
	}
	switch {
	case len(r.Targets) > 0:
		return Errorf(KindInvalid, w.targetParam, "cannot be given together with TargetGroup")
	case r.TargetGroupName != "":
		return Errorf(KindInvalid, "TargetGroupName", "cannot be given together with TargetGroup")
	case len(g.target.Members) == 0:
		return Errorf(KindInvalid, "TargetGroup", "group %s is empty", g.target.Name)
	case len(s.book.tiesOf(r.TargetGroup)) > 0:
		return Errorf(KindInUse, "TargetGroup", "group %s is in a relationship", g.target.Name)
	}
	w.targets, w.targetParam = g.target.Members, "TargetGroup"
	return nil
}

// useGroup finds a group and claims it.
func (s *Service) useGroup(id, param string, claim func(claimKey) bool) (Group, error) {
	g, ok := s.book.group(id)
	if !ok {
		return g, Errorf(KindInvalid, param, "there is no group %s", id)
	}
	if !claim(groupClaim(id)) {
		return g, Errorf(KindInUse, param, "group %s is in use by another request", g.Name)
	}
	if now, _ := s.book.group(id); !slices.Equal(now.Members, g.Members) {
		return g, Errorf(KindInUse, param, "group %s is being changed", g.Name)
	}
	return g, nil
}

// checkDistinct refuses a volume that is named twice: it can be a member once.
func checkDistinct(refs []VolumeRef, param string) error {
	seen := make(map[VolumeRef]bool, len(refs))
	for i, ref := range refs {
		if seen[ref] {
			return Errorf(KindInvalid, at(param, i), "a group can have volume %s only once", ref.ID)
		}
		seen[ref] = true
	}
	return nil
}

// nameGroups settles the names of the relationship, its groups and its targets.
func (s *Service) nameGroups(ctx context.Context, r GroupRequest, h *hold, w *wish, g *tiePlan) error {
	var err error
	if g.name, err = s.takeTieName(ctx, h, r.RelationshipName, r.SyncType); err != nil {
		return err
	}
	w.prefix = g.name
	if g.makeSource {
		if g.source.Name, err = s.takeGroupName(h, r.SourceGroupName, g.name+"-source", "SourceGroupName"); err != nil {
			return err
		}
	}
	if g.makeTarget {
		g.target.Name, err = s.takeGroupName(h, r.TargetGroupName, g.name+"-target", "TargetGroupName")
	}
	g.source.Persistent = g.source.Persistent || r.SourceGroupName != ""
	g.target.Persistent = g.target.Persistent || r.TargetGroupName != ""
	return err
}

// formGroups gives the new groups their IDs. A group that nobody named goes with
// its last relationship; one that a user named stays.
func (s *Service) formGroups(p *plan) error {
	g := p.group
	for _, id := range []*string{&g.id, &g.source.ID, &g.target.ID} {
		if *id != "" {
			continue
		}
		var err error
		if *id, err = s.newID(); err != nil {
			return s.failure("", err)
		}
	}
	now := s.cfg.Time()
	if g.makeSource {
		g.source.Created, g.source.DeleteOnUnassociated = now, !g.source.Persistent
	}
	if g.makeTarget {
		g.target.Created, g.target.DeleteOnUnassociated = now, !g.target.Persistent
	}
	return nil
}

// fillGroups makes the members of the new groups those of the plan that are
// left.
func (p *plan) fillGroups() {
	g := p.group
	if g.makeSource {
		g.source.Members = nil
	}
	if g.makeTarget {
		g.target.Members = nil
	}
	for _, m := range p.members {
		if g.makeSource {
			g.source.Members = append(g.source.Members, m.from)
		}
		if g.makeTarget {
			g.target.Members = append(g.target.Members, m.to)
		}
	}
	g.target.ConsistentPointInTime = p.consistent() && p.typ != pairstate.Mirror
}

// tie is the group relationship as it is stored.
func (m *making) tie() GroupRelationship {
	g := m.p.group
	t := GroupRelationship{
		ID: g.id, Name: g.name, Source: g.source.ID, Target: g.target.ID, Type: m.p.typ, Mode: m.p.mode,
		Consistency: NoConsistency, WhenEstablished: m.instant,
	}
	if m.p.consistent() {
		t.Consistency = SequentialConsistency
	}
	for _, p := range m.pairs {
		t.Pairs = append(t.Pairs, p.id)
	}
	return t
}

// putGroups stores what a group request makes beside the pairs.
func (m *making) putGroups(tx store.Tx) error {
	g := m.p.group
	if g == nil {
		return nil
	}
	m.p.fillGroups()
	for _, group := range []Group{g.source, g.target} {
		if err := put(tx, bucketGroups, group.ID, group); err != nil {
			return err
		}
	}
	return put(tx, bucketTies, g.id, m.tie())
}

// showGroupsLocked puts the same into the book.
func (m *making) showGroupsLocked() {
	g, b := m.p.group, m.s.book
	if g == nil {
		return
	}
	b.putGroupLocked(g.source)
	b.putGroupLocked(g.target)
	b.putTieLocked(m.tie())
}

// tellLocked tells of what was made, when all of it is in the book.
func (m *making) tellLocked() {
	g, b := m.p.group, m.s.book
	for _, p := range m.pairs {
		b.tellNewPairLocked(p)
	}
	if g == nil {
		return
	}
	b.tellGroupLocked(g.source.ID)
	b.tellGroupLocked(g.target.ID)
	b.tellTieLocked(g.id)
}
