package classes

import (
	"context"

	"twinlun/cim"
	"twinlun/replication"
)

// Return codes of the group methods beside the common ones (CIM 2.49).
const (
	groupDoesNotExist = 7 // AddMembers, RemoveMembers
	memberNotInGroup  = 8 // RemoveMembers
)

func createGroup(ctx context.Context, a *args) (*cim.Reply, error) {
	a.local("ServiceAccessPoint")
	a.settings("ReplicationSettingData")
	if a.given("ReservedAs") && a.number("ReservedAs") != 4 {
		a.fail(replication.KindNotSupported, "ReservedAs", "a group is always both source and target (4)")
	}
	spec := replication.GroupSpec{
		Name: a.text("GroupName"), Members: a.volumes("Members"), Persistent: a.flag("Persistent", true),
		DeleteOnEmptyElement: a.flag("DeleteOnEmptyElement", false), DeleteOnUnassociated: a.flag("DeleteOnUnassociated", false),
	}
	if a.err != nil {
		return nil, a.err
	}
	g, err := a.Groups.CreateGroup(ctx, spec)
	if err != nil {
		return nil, err
	}
	return done(cim.Arg{Name: "ReplicationGroup", Value: groupPath(g.ID)}), nil
}

func deleteGroup(ctx context.Context, a *args) (*cim.Reply, error) {
	id := a.requiredGroup()
	if a.err != nil {
		return nil, a.err
	}
	if !a.flag("RemoveElements", false) {
		g, err := a.Groups.Group(ctx, id)
		if err != nil {
			return nil, err
		}
		if len(g.Members) > 0 {
			return nil, replication.Errorf(replication.KindInUse, "RemoveElements", "the group has %d members: true is needed to delete it all the same; the volumes stay", len(g.Members))
		}
	}
	if err := a.Groups.DeleteGroup(ctx, id); err != nil {
		return nil, err
	}
	return done(), nil
}

func addMembers(ctx context.Context, a *args) (*cim.Reply, error) {
	return modifyGroup(ctx, a, func(id string, members []replication.VolumeRef) error {
		return a.Groups.ModifyGroup(ctx, id, members, nil)
	})
}

func removeMembers(ctx context.Context, a *args) (*cim.Reply, error) {
	if a.flag("DeleteOnEmptyElement", false) {
		a.fail(replication.KindNotSupported, "DeleteOnEmptyElement", "delete the group with DeleteGroup")
	}
	return modifyGroup(ctx, a, func(id string, members []replication.VolumeRef) error {
		g, err := a.Groups.Group(ctx, id)
		if err != nil {
			return err
		}
		for _, v := range members {
			if !contains(g.Members, v) {
				return replication.Errorf(memberNotInGroup, "Members", "volume %s is not in the group", v.ID)
			}
		}
		return a.Groups.ModifyGroup(ctx, id, nil, members)
	})
}

// modifyGroup reads the group and members of a call and applies a change.
func modifyGroup(ctx context.Context, a *args, change func(id string, members []replication.VolumeRef) error) (*cim.Reply, error) {
	members := a.volumes("Members")
	if len(members) == 0 {
		a.fail(replication.KindInvalid, "Members", "at least one volume is needed")
	}
	id := a.requiredGroup()
	if a.err != nil {
		return nil, a.err
	}
	if err := change(id, members); err != nil {
		return nil, err
	}
	return done(), nil
}

// requiredGroup is the group that the parameter ReplicationGroup refers to.
func (a *args) requiredGroup() string {
	a.local("ServiceAccessPoint")
	a.settings("ReplicationSettingData")
	if !a.given("ReplicationGroup") {
		a.fail(replication.KindInvalid, "ReplicationGroup", "a reference to a replication group is needed")
	}
	id := a.group("ReplicationGroup")
	if id == "" {
		a.fail(groupDoesNotExist, "ReplicationGroup", "the group does not exist")
	}
	return id
}

func contains(list []replication.VolumeRef, v replication.VolumeRef) bool {
	for _, m := range list {
		if m == v {
			return true
		}
	}
	return false
}
