package classes

import (
	"context"

	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication"
)

func volumeID(s string) pool.VolumeID { return pool.VolumeID(s) }

func replicationGroup(r *registry) {
	m := r.model
	r.add(&source[replication.Group]{
		class: r.class(classReplicationGroup), list: m.Groups.Groups, find: m.groupAt,
		fill: func(b *cim.Builder, g replication.Group) {
			b.Set("InstanceID", idGroup+g.ID).Set("ElementName", g.Name).Set("Caption", g.Name).
				Set("Persistent", g.Persistent).Set("DeleteOnEmptyElement", g.DeleteOnEmptyElement).
				Set("DeleteOnUnassociated", g.DeleteOnUnassociated).Set("ConsistentPointInTime", g.ConsistentPointInTime).
				Set("SupportedSyncTypes", []uint16{6, 7, 8})
		},
	})
}

func (m *model) groupAt(ctx context.Context, p *cim.Path) (replication.Group, error) {
	id, ok := localID(p, idGroup)
	if !ok {
		return replication.Group{}, notFound(p)
	}
	return m.Groups.Group(ctx, id)
}

func (m *model) eachGroup(ctx context.Context, f func(replication.Group) error) error {
	groups, err := m.Groups.Groups(ctx)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if err := f(g); err != nil {
			return err
		}
	}
	return nil
}

func hostedCollection(r *registry) {
	m := r.model
	r.add(&association{
		class: r.class("TWINLUN_HostedCollection"), near: "Antecedent", far: "Dependent",
		all: func(ctx context.Context, yield links) error {
			return m.eachGroup(ctx, func(g replication.Group) error {
				return yield(link{near: m.systemPath(), far: groupPath(g.ID)})
			})
		},
	})
}

// orderedMemberOfCollection lists the members of groups; AssignedSequence counts
// from 1.
func orderedMemberOfCollection(r *registry) {
	m := r.model
	a := &association{class: r.class("TWINLUN_OrderedMemberOfCollection"), near: "Collection", far: "Member"}
	give := func(g replication.Group, yield links) error {
		for i, v := range g.Members {
			set := func(b *cim.Builder) { b.Set("AssignedSequence", i+1) }
			if err := yield(link{near: groupPath(g.ID), far: m.volumePath(v.ID), set: set}); err != nil {
				return err
			}
		}
		return nil
	}
	a.all = func(ctx context.Context, yield links) error {
		return m.eachGroup(ctx, func(g replication.Group) error { return give(g, yield) })
	}
	a.of = func(ctx context.Context, object *cim.Path, yield links) error {
		if object.Class != classReplicationGroup {
			return a.all(ctx, yield)
		}
		g, err := m.groupAt(ctx, object)
		if err != nil {
			return err
		}
		return give(g, yield)
	}
	r.add(a)
}
