package replication

import (
	"context"

	"twinlun/replication/store"
)

// RelationshipEdit is what can be changed of a relationship that stands; nil leaves
// a field as it is.
type RelationshipEdit struct {
	Name *string
	// CopyPriority is that of Settings. A copy that runs goes on at the new rate.
	CopyPriority *uint16
}

// EditRelationship changes a relationship, all of it or nothing; it is durable when
// the method returns. KindInvalid if there is no such relationship or a value cannot
// be. Two relationships may have one name, as their targets in two pools may.
func (s *Service) EditRelationship(ctx context.Context, id string, e RelationshipEdit) error {
	return s.refused(s.editRelationship(ctx, id, e))
}

func (s *Service) editRelationship(ctx context.Context, id string, e RelationshipEdit) error {
	if e.Name != nil {
		if err := checkNewName(*e.Name, "RelationshipName"); err != nil {
			return err
		}
	}
	if e.CopyPriority != nil && *e.CopyPriority > maxPriority {
		return Errorf(KindInvalid, "CopyPriority", "%d is not one of 0 to %d", *e.CopyPriority, maxPriority)
	}
	p := s.book.pair(id)
	if p == nil {
		return gone(id)
	}
	err := s.amend(ctx, p, func(r *pairRecord) {
		set(&r.Name, e.Name)
		set(&r.Settings.CopyPriority, e.CopyPriority)
	})
	if err == nil && e.CopyPriority != nil {
		p.live.repaced()
	}
	return err
}

// set gives a field a value that is not nil.
func set[T any](field, v *T) {
	if v != nil {
		*field = *v
	}
}

// checkNewName refuses names that a group or a relationship cannot be given.
func checkNewName(name, param string) error {
	if name == "" {
		return Errorf(KindInvalid, param, "a name is needed")
	}
	return checkLabel(name, param)
}

// RenameGroupRelationship gives a group relationship another name, durably.
// KindInvalid if there is no such relationship or the name is in use.
func (s *Service) RenameGroupRelationship(ctx context.Context, id, name string) error {
	return s.refused(s.renameTie(ctx, id, name))
}

func (s *Service) renameTie(ctx context.Context, id, name string) error {
	const param = "RelationshipName"
	if err := checkNewName(name, param); err != nil {
		return err
	}
	h := s.claims.hold()
	defer h.release()
	if !h.take(tieNameClaim(name)) {
		return Errorf(KindInvalid, param, "the name %s is in use", name)
	}
	s.groupsMu.Lock()
	defer s.groupsMu.Unlock()
	t, ok := s.book.tie(id)
	if !ok {
		return gone(id)
	}
	if tieNameClaim(name) != tieNameClaim(t.Name) && s.book.tieNamed(name) {
		return Errorf(KindInvalid, param, "the name %s is in use", name)
	}
	t.Name = name
	err := s.cfg.Store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error { return put(tx, bucketTies, id, t) })
	if err == nil {
		s.book.change(func() { s.book.renameTieLocked(t) })
	}
	return err
}

// GroupEdit is what can be changed of a group beside its members; nil leaves a field
// as it is.
type GroupEdit struct {
	Name                                                   *string
	Persistent, DeleteOnEmptyElement, DeleteOnUnassociated *bool
}

// EditGroup changes a group, also one in a relationship, all of it or nothing; it is
// durable when the method returns. What a change of DeleteOnEmptyElement or
// DeleteOnUnassociated asks for happens from the next occasion on: a group that is
// empty already stays. KindInvalid if there is no such group or the name is in use.
func (s *Service) EditGroup(ctx context.Context, id string, e GroupEdit) error {
	return s.refused(s.editGroup(ctx, id, e))
}

func (s *Service) editGroup(ctx context.Context, id string, e GroupEdit) error {
	h := s.claims.hold()
	defer h.release()
	if !h.take(groupClaim(id)) {
		return Errorf(KindInUse, "ReplicationGroup", "the group is in use by another request")
	}
	s.groupsMu.Lock()
	defer s.groupsMu.Unlock()
	g, ok := s.book.group(id)
	if !ok {
		return noGroup(id)
	}
	if err := s.checkGroupName(h, g, e.Name); err != nil {
		return err
	}
	set(&g.Name, e.Name)
	set(&g.Persistent, e.Persistent)
	set(&g.DeleteOnEmptyElement, e.DeleteOnEmptyElement)
	set(&g.DeleteOnUnassociated, e.DeleteOnUnassociated)
	err := s.cfg.Store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error { return put(tx, bucketGroups, id, g) })
	if err == nil {
		s.book.change(func() { s.book.putGroupLocked(g); s.book.tellGroupLocked(id) })
	}
	return err
}

// checkGroupName claims a new name for a group.
func (s *Service) checkGroupName(h *hold, g Group, name *string) error {
	const param = "ElementName"
	if name == nil {
		return nil
	}
	if err := checkNewName(*name, param); err != nil {
		return err
	}
	same := groupNameClaim(*name) == groupNameClaim(g.Name)
	if !h.take(groupNameClaim(*name)) || !same && s.book.groupNamed(*name) {
		return Errorf(KindInvalid, param, "the name %s is in use", *name)
	}
	return nil
}
