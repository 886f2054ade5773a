package classes

import (
	"context"
	"slices"

	"twinlun/cim"
	"twinlun/replication"
)

func replicationGroup(r *registry) {
	m := r.model
	s := &source[replication.Group]{
		class: r.class(classReplicationGroup), each: m.Groups.EachGroup, find: m.groupAt,
		fill: func(b *cim.Builder, g replication.Group) {
			b.Set("InstanceID", idGroup+g.ID).Set("ElementName", g.Name).Set("Caption", g.Name).
				Set("Persistent", g.Persistent).Set("DeleteOnEmptyElement", g.DeleteOnEmptyElement).
				Set("DeleteOnUnassociated", g.DeleteOnUnassociated).Set("ConsistentPointInTime", g.ConsistentPointInTime).
				Set("ReservedAs", sourceOrTarget).Set("SupportedSyncTypes", []uint16{6, 7, 8})
		},
	}
	r.add(writable[replication.Group]{s, m.groupWriter()})
}

// sourceOrTarget is the one value of ReservedAs that groups have.
const sourceOrTarget = 4

func (m *model) groupAt(ctx context.Context, p *cim.Path) (replication.Group, error) {
	id, ok := localID(p, idGroup)
	if !ok {
		return replication.Group{}, notFound(p)
	}
	return m.Groups.Group(ctx, id)
}

// hostedCollection lists the groups of the system.
func hostedCollection(r *registry) {
	m := r.model
	a := &association{class: r.class("TWINLUN_HostedCollection"), near: "Antecedent", far: "Dependent"}
	give := func(g replication.Group, yield links) error {
		return yield(link{near: m.systemPath(), far: groupPath(g.ID)})
	}
	a.all = func(ctx context.Context, yield links) error {
		return m.Groups.EachGroup(ctx, func(g replication.Group) error { return give(g, yield) })
	}
	a.of = func(ctx context.Context, object *cim.Path, yield links) error {
		switch object.Class {
		case classComputerSystem:
			return a.all(ctx, yield)
		case classReplicationGroup:
			g, err := m.groupAt(ctx, object)
			if err != nil {
				return err
			}
			return give(g, yield)
		}
		return nil
	}
	r.add(a)
}

// orderedMemberOfCollection lists the members of groups; AssignedSequence counts
// from 1.
func orderedMemberOfCollection(r *registry) {
	m := r.model
	a := &association{class: r.class(classOrderedMember), near: "Collection", far: "Member"}
	give := func(g replication.Group, i int, yield links) error {
		return yield(m.memberLink(member{group: g.ID, volume: g.Members[i], place: i}))
	}
	giveAll := func(g replication.Group, yield links) error {
		for i := range g.Members {
			if err := give(g, i, yield); err != nil {
				return err
			}
		}
		return nil
	}
	a.all = func(ctx context.Context, yield links) error {
		return m.Groups.EachGroup(ctx, func(g replication.Group) error { return giveAll(g, yield) })
	}
	a.of = func(ctx context.Context, object *cim.Path, yield links) error {
		switch object.Class {
		case classReplicationGroup:
			g, err := m.groupAt(ctx, object)
			if err != nil {
				return err
			}
			return giveAll(g, yield)
		case classStorageVolume:
			v, err := m.volumeAt(ctx, object)
			if err != nil {
				return err
			}
			groups, err := m.Groups.GroupsOf(ctx, refOf(v))
			if err != nil {
				return err
			}
			return inTurn(groups, func(g replication.Group) error {
				return give(g, slices.Index(g.Members, refOf(v)), yield)
			})
		}
		return nil
	}
	r.add(a)
}
