package classes

import (
	"context"

	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/pairstate"
)

// synchronized is a source that is an association too.
type synchronized[T any] struct {
	*source[T]
	// of lists those that may refer to an object of whatever class.
	of func(ctx context.Context, object *cim.Path) ([]T, error)
}

// References yields the instances that refer to an object.
func (s *synchronized[T]) References(ctx context.Context, object *cim.Path, _ string, yield cim.Yield) error {
	values, err := s.of(ctx, object)
	if missing(err) {
		return nil // gone since the Broker has seen it
	}
	if err != nil {
		return statusOf(err)
	}
	return s.show(ctx, func(_ context.Context, f func(T) error) error { return inTurn(values, f) }, yield)
}

// storageSynchronized shows the replica pairs.
func storageSynchronized(r *registry) {
	m := r.model
	s := &source[replication.Relationship]{
		class: r.class(classStorageSynced), each: m.Relationships.EachRelationship, find: m.pairAt, fill: m.fillPair,
	}
	r.add(writableLink[replication.Relationship]{&synchronized[replication.Relationship]{source: s, of: m.pairsOf}, m.pairWriter()})
}

// groupSynchronized shows the pairs of groups.
func groupSynchronized(r *registry) {
	m := r.model
	s := &source[replication.GroupRelationship]{
		class: r.class(classGroupSynced), each: m.Relationships.EachGroupRelationship, find: m.tieAt, fill: m.fillTie,
	}
	r.add(writableLink[replication.GroupRelationship]{&synchronized[replication.GroupRelationship]{source: s, of: m.tiesOf}, m.tieWriter()})
}

func (m *model) pairsOf(ctx context.Context, object *cim.Path) ([]replication.Relationship, error) {
	if object.Class != classStorageVolume {
		return nil, nil
	}
	v, err := m.volumeAt(ctx, object)
	if err != nil {
		return nil, err
	}
	return m.Relationships.RelationshipsOf(ctx, refOf(v))
}

// pairAt finds the pair that a path names by its two references, whose classes
// may be superclasses.
func (m *model) pairAt(ctx context.Context, p *cim.Path) (replication.Relationship, error) {
	source, target := m.volumeKey(p, "SystemElement"), m.volumeKey(p, "SyncedElement")
	if source == "" || target == "" {
		return replication.Relationship{}, notFound(p)
	}
	v, err := m.volumeByID(ctx, target)
	if err != nil {
		return replication.Relationship{}, err
	}
	pairs, err := m.Relationships.RelationshipsOf(ctx, refOf(v))
	if err != nil {
		return replication.Relationship{}, err
	}
	for _, r := range pairs {
		if r.Source.ID == source && r.Target.ID == target {
			return r, nil
		}
	}
	return replication.Relationship{}, notFound(p)
}

// volumeKey is the identifier of the volume that a key refers to, or "".
func (m *model) volumeKey(p *cim.Path, key string) pool.VolumeID {
	ref, ok := p.Key(key).(*cim.Path)
	if !ok {
		return ""
	}
	return m.deviceID(ref, classStorageVolume)
}

func (m *model) tieAt(ctx context.Context, p *cim.Path) (replication.GroupRelationship, error) {
	source, target := m.groupKey(p, "SystemElement"), m.groupKey(p, "SyncedElement")
	ties, err := m.Relationships.GroupRelationshipsOf(ctx, target)
	if err != nil {
		return replication.GroupRelationship{}, err
	}
	for _, g := range ties {
		if g.Source == source && g.Target == target {
			return g, nil
		}
	}
	return replication.GroupRelationship{}, notFound(p)
}

// groupKey is the ID of the group that a key refers to, or "".
func (m *model) groupKey(p *cim.Path, key string) string {
	ref, ok := p.Key(key).(*cim.Path)
	if !ok {
		return ""
	}
	id, _ := localID(ref, idGroup)
	if !m.means(ref, groupPath(id)) {
		return ""
	}
	return id
}

func (m *model) tiesOf(ctx context.Context, object *cim.Path) ([]replication.GroupRelationship, error) {
	if object.Class != classReplicationGroup {
		return nil, nil
	}
	id, _ := localID(object, idGroup)
	return m.Relationships.GroupRelationshipsOf(ctx, id)
}

// synchronization is the ID of the pair or group relationship that a parameter
// refers to; required.
func (a *args) synchronization(ctx context.Context, param string) string {
	p := a.ref(param)
	if p == nil {
		a.fail(replication.KindInvalid, param, "a reference to a synchronized association is needed")
	}
	if a.err != nil {
		return ""
	}
	if a.groupKey(p, "SyncedElement") != "" {
		g, err := a.tieAt(ctx, p)
		a.failWith(param, err)
		return g.ID
	}
	r, err := a.pairAt(ctx, p)
	a.failWith(param, err)
	return r.ID
}

func (m *model) fillPair(b *cim.Builder, p replication.Relationship) {
	b.Set("SystemElement", m.volumePath(p.Source.ID)).Set("SyncedElement", m.volumePath(p.Target.ID)).
		Set("CopyMethodology", copyMethodology(p.Type)).Set("CopyType", copyType(p.Type, p.Mode)).
		Set("ReplicaType", replicaType(p.Type)).Set("SyncState", syncState(p.Type, p.State)).
		Set("CopyPriority", p.Settings.CopyPriority).
		Set("RelationshipID", p.ID).Set("RelationshipName", p.Name)
	setSynchronized(b, p.Type, p.Mode, p.State, p.Percent)
	setTimes(b, p.Type, p.WhenEstablished, p.WhenActivated, p.WhenSynchronized)
	if p.Settings.TargetReadOnly || p.Type == pairstate.Mirror {
		b.Set("ReadOnly", readOnlyTarget)
	}
	if p.Reason != "" {
		b.Set("Reason", p.Reason)
	}
	if p.GroupName != "" {
		b.Set("GroupRelationshipName", p.GroupName)
	}
}

func (m *model) fillTie(b *cim.Builder, g replication.GroupRelationship) {
	b.Set("SystemElement", groupPath(g.Source)).Set("SyncedElement", groupPath(g.Target)).
		Set("RelationshipName", g.Name).Set("RelationshipID", g.ID)
	setSynchronized(b, g.Type, g.Mode, g.State, g.Percent)
	setTimes(b, g.Type, g.WhenEstablished, g.WhenActivated, g.WhenSynchronized)
	setConsistency(b, g)
}
