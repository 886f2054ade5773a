package replication

import (
	"context"
	"slices"

	"twinlun/replication/store"
)

// Group is one group; KindInvalid if there is none.
func (s *Service) Group(_ context.Context, id string) (Group, error) {
	g, ok := s.book.group(id)
	if !ok {
		return Group{}, noGroup(id)
	}
	return g, nil
}

func noGroup(id string) *Error {
	return Errorf(KindInvalid, "ReplicationGroup", "there is no group %s", id)
}

// EachGroup calls f for the groups in the order of their IDs; see EachRelationship.
func (s *Service) EachGroup(ctx context.Context, f func(Group) error) error {
	return each(ctx, inOrder(s.book, &s.book.groups), s.book.group, f)
}

// GroupsOf lists the groups that have v as a member, by ID.
func (s *Service) GroupsOf(_ context.Context, v VolumeRef) ([]Group, error) {
	return s.book.groupsOf(v), nil
}

// CreateGroup makes a group of volumes of ours, in the order given; it may be
// empty. A name in use, a volume named twice or one that is not there is
// KindInvalid.
func (s *Service) CreateGroup(ctx context.Context, spec GroupSpec) (Group, error) {
	g, err := s.createGroup(ctx, spec)
	return g, s.refused(err)
}

func (s *Service) createGroup(ctx context.Context, spec GroupSpec) (Group, error) {
	h := s.claims.hold()
	defer h.release()
	if err := s.checkMembers(ctx, h, spec.Members, nil); err != nil {
		return Group{}, err
	}
	name, err := s.takeGroupName(h, spec.Name, "group", "GroupName")
	if err != nil {
		return Group{}, err
	}
	id, err := s.newID()
	if err != nil {
		return Group{}, err
	}
	g := Group{
		ID: id, Name: name, Members: slices.Clone(spec.Members), Persistent: spec.Persistent,
		DeleteOnEmptyElement: spec.DeleteOnEmptyElement, DeleteOnUnassociated: spec.DeleteOnUnassociated,
		Created: s.cfg.Time(),
	}
	return g, s.putGroup(ctx, g)
}

// checkMembers refuses volumes that cannot become members beside those that are.
func (s *Service) checkMembers(ctx context.Context, h *hold, add, have []VolumeRef) error {
	const param = "Members"
	if len(add)+len(have) > s.cfg.MaxElements {
		return Errorf(KindInvalid, param, "a group can have %d members", s.cfg.MaxElements)
	}
	if err := checkDistinct(add, param); err != nil {
		return err
	}
	for i, ref := range add {
		if _, err := s.lookUp(ctx, ref, at(param, i)); err != nil {
			return err
		}
		if !h.share(volumeClaim(ref)) {
			return Errorf(KindInUse, at(param, i), "volume %s is in use by another request", ref.ID)
		}
	}
	return nil
}

// putGroup stores and shows a group.
func (s *Service) putGroup(ctx context.Context, g Group) error {
	s.groupsMu.Lock()
	defer s.groupsMu.Unlock()
	err := s.cfg.Store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error { return put(tx, bucketGroups, g.ID, g) })
	if err == nil {
		s.book.change(func() { s.book.putGroupLocked(g); s.book.tellGroupLocked(g.ID) })
	}
	return err
}

// dropGroup forgets a group.
func (s *Service) dropGroup(ctx context.Context, id string) error {
	s.groupsMu.Lock()
	defer s.groupsMu.Unlock()
	err := s.cfg.Store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error { return tx.Delete(bucketGroups, id) })
	if err == nil {
		s.book.change(func() { s.book.dropGroupLocked(id); s.book.tellGroupLocked(id) })
	}
	return err
}

// ModifyGroup adds members at the end, in the order given, and removes others.
// One that is a member already stays where it is; one that is not a member
// cannot be removed (KindInvalid). A group in a relationship is KindInUse. A
// group with DeleteOnEmptyElement goes with its last member.
func (s *Service) ModifyGroup(ctx context.Context, id string, add, remove []VolumeRef) error {
	return s.refused(s.modifyGroup(ctx, id, add, remove))
}

func (s *Service) modifyGroup(ctx context.Context, id string, add, remove []VolumeRef) error {
	h := s.claims.hold()
	defer h.release()
	g, err := s.idleGroup(id, h)
	if err != nil {
		return err
	}
	for i, ref := range remove {
		if !slices.Contains(g.Members, ref) {
			return Errorf(KindInvalid, at("Members", i), "volume %s is not a member of group %s", ref.ID, g.Name)
		}
	}
	g.Members = slices.DeleteFunc(g.Members, func(m VolumeRef) bool { return slices.Contains(remove, m) })
	fresh := slices.DeleteFunc(slices.Clone(add), func(v VolumeRef) bool { return slices.Contains(g.Members, v) })
	if err := s.checkMembers(ctx, h, fresh, g.Members); err != nil {
		return err
	}
	g.Members = append(g.Members, fresh...)
	g.ConsistentPointInTime = false
	if len(g.Members) == 0 && len(remove) > 0 && g.DeleteOnEmptyElement {
		return s.dropGroup(ctx, id)
	}
	return s.putGroup(ctx, g)
}

// idleGroup claims a group that no relationship stands on.
func (s *Service) idleGroup(id string, h *hold) (Group, error) {
	if _, ok := s.book.group(id); !ok {
		return Group{}, noGroup(id)
	}
	if !h.take(groupClaim(id)) {
		return Group{}, Errorf(KindInUse, "ReplicationGroup", "the group is in use by another request")
	}
	g, ok := s.book.group(id)
	if !ok {
		return g, noGroup(id)
	}
	if ties := s.book.tiesOf(id); len(ties) > 0 {
		t, _ := s.book.tie(ties[0])
		return g, Errorf(KindInUse, "ReplicationGroup", "group %s is in group relationship %s", g.Name, t.Name)
	}
	return g, nil
}

// DeleteGroup forgets a group; its members stay. KindInUse while a relationship
// stands on it.
func (s *Service) DeleteGroup(ctx context.Context, id string) error {
	return s.refused(s.deleteGroup(ctx, id))
}

func (s *Service) deleteGroup(ctx context.Context, id string) error {
	h := s.claims.hold()
	defer h.release()
	if _, err := s.idleGroup(id, h); err != nil {
		return err
	}
	return s.dropGroup(ctx, id)
}
