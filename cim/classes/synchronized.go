package classes

import (
	"context"

	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/pairstate"
)

// storageSynchronized shows the replica pairs.
func storageSynchronized(r *registry) {
	m := r.model
	s := &source[replication.Relationship]{class: r.class(classStorageSynced), list: m.Relationships.Relationships, find: m.relationshipAt}
	s.fill = func(b *cim.Builder, rel replication.Relationship) { m.fillRelationship(b, rel) }
	r.add(&synchronized[replication.Relationship]{source: s, of: m.relationshipsOf})
}

// groupSynchronized shows the pairs of groups.
func groupSynchronized(r *registry) {
	m := r.model
	s := &source[replication.GroupRelationship]{class: r.class(classGroupSynced), list: m.Relationships.GroupRelationships, find: m.groupRelationshipAt}
	s.fill = func(b *cim.Builder, g replication.GroupRelationship) { m.fillGroupRelationship(b, g) }
	r.add(&synchronized[replication.GroupRelationship]{source: s})
}

// synchronized is a source that is an association too.
type synchronized[T any] struct {
	*source[T]
	// of lists those that may refer to an object; nil: all are listed.
	of func(ctx context.Context, object *cim.Path) ([]T, error)
}

// References yields the instances that refer to an object; the Broker drops
// those that do not.
func (s *synchronized[T]) References(ctx context.Context, object *cim.Path, _ string, yield cim.Yield) error {
	if s.of == nil {
		return s.Enumerate(ctx, Namespace, yield)
	}
	narrowed := *s.source
	narrowed.list = func(ctx context.Context) ([]T, error) { return s.of(ctx, object) }
	return narrowed.Enumerate(ctx, Namespace, yield)
}

func (m *model) relationshipsOf(ctx context.Context, object *cim.Path) ([]replication.Relationship, error) {
	v, err := m.volumeAt(ctx, object)
	if err != nil {
		return nil, err
	}
	return m.Relationships.RelationshipsOf(ctx, refOf(v))
}

func (m *model) fillRelationship(b *cim.Builder, r replication.Relationship) {
	b.Set("SystemElement", m.volumePath(r.Source.ID)).Set("SyncedElement", m.volumePath(r.Target.ID)).
		Set("WhenSynced", cim.TimeValue(r.WhenActivated)).
		Set("CopyMethodology", copyMethodology(r.Type)).Set("CopyType", copyType(r.Type)).
		Set("ReplicaType", replicaType(r.Type)).Set("SyncState", syncState(r.Type, r.State)).
		Set("CopyPriority", r.Settings.CopyPriority).
		Set("RelationshipID", r.ID).Set("RelationshipName", r.Name)
	setSynchronized(b, r.Type, r.Mode, r.State, r.Percent)
	setTimes(b, r.WhenEstablished, r.WhenActivated, r.WhenSynchronized)
	if r.Settings.TargetReadOnly || r.Type == pairstate.Mirror {
		b.Set("ReadOnly", 3) // SyncedElement
	}
	if r.Reason != "" {
		b.Set("Reason", r.Reason)
	}
	m.setGroupName(b, r.Group)
}

// setGroupName shows the group relationship that a pair belongs to.
func (m *model) setGroupName(b *cim.Builder, group string) {
	if group == "" {
		return
	}
	if g, err := m.Relationships.GroupRelationship(context.Background(), group); err == nil {
		b.Set("GroupRelationshipName", g.Name)
	}
}

func (m *model) fillGroupRelationship(b *cim.Builder, g replication.GroupRelationship) {
	b.Set("SystemElement", groupPath(g.Source)).Set("SyncedElement", groupPath(g.Target)).
		Set("WhenSynced", cim.TimeValue(g.WhenActivated)).
		Set("RelationshipName", g.Name).Set("RelationshipID", g.ID)
	setSynchronized(b, g.Type, g.Mode, g.State, g.Percent)
	setTimes(b, g.WhenEstablished, g.WhenActivated, g.WhenSynchronized)
	setConsistency(b, g)
}
