package classes

import (
	"context"

	"twinlun/cim"
	"twinlun/replication"
)

// relationshipAt finds the pair that a path names by its two references, whose
// classes may be superclasses.
func (m *model) relationshipAt(ctx context.Context, p *cim.Path) (replication.Relationship, error) {
	source, target := m.deviceID(p, "SystemElement"), m.deviceID(p, "SyncedElement")
	v, err := m.volumeByID(ctx, volumeID(target))
	if err != nil {
		return replication.Relationship{}, err
	}
	list, err := m.Relationships.RelationshipsOf(ctx, refOf(v))
	if err != nil {
		return replication.Relationship{}, err
	}
	for _, r := range list {
		if string(r.Source.ID) == source && r.Target == refOf(v) {
			return r, nil
		}
	}
	return replication.Relationship{}, notFound(p)
}

// deviceID is the DeviceID in a reference key to a volume of ours, or "".
func (m *model) deviceID(p *cim.Path, key string) string {
	ref, ok := p.Key(key).(*cim.Path)
	if !ok || !m.isAncestor(ref.Class, classStorageVolume) {
		return ""
	}
	id, _ := ref.Key("DeviceID").(string)
	if !names(ref, m.volumePath(volumeID(id))) {
		return ""
	}
	return id
}

func (m *model) groupRelationshipAt(ctx context.Context, p *cim.Path) (replication.GroupRelationship, error) {
	source, target := groupID(p, "SystemElement"), groupID(p, "SyncedElement")
	list, err := m.Relationships.GroupRelationships(ctx)
	if err != nil {
		return replication.GroupRelationship{}, err
	}
	for _, g := range list {
		if g.Source == source && g.Target == target {
			return g, nil
		}
	}
	return replication.GroupRelationship{}, notFound(p)
}

// groupID is the ID in a reference key to a group of ours, or "".
func groupID(p *cim.Path, key string) string {
	ref, ok := p.Key(key).(*cim.Path)
	if !ok {
		return ""
	}
	id, _ := localID(ref, idGroup)
	return id
}

// synchronization is the ID of the pair or group relationship that a parameter
// refers to; required.
func (a *args) synchronization(param string) string {
	p := a.ref(param)
	if p == nil {
		a.fail(replication.KindInvalid, param, "a reference to a synchronized association is needed")
	}
	if a.err != nil {
		return ""
	}
	if groupID(p, "SyncedElement") != "" {
		g, err := a.groupRelationshipAt(a.ctx, p)
		a.failWith(param, err)
		return g.ID
	}
	r, err := a.relationshipAt(a.ctx, p)
	a.failWith(param, err)
	return r.ID
}
