package classes

import (
	"context"
	"slices"

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
	a.noSettings()
	a.checkReservedAs()
	spec := replication.GroupSpec{
		Name: a.text("GroupName"), Members: a.volumes(ctx, "Members"), Persistent: a.flag("Persistent", true),
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

// checkReservedAs fails unless the group may be both source and target.
func (a *args) checkReservedAs() {
	switch n := a.enumerated("ReservedAs"); n {
	case 0, sourceOrTarget:
	case 2, 3:
		a.fail(replication.KindNotSupported, "ReservedAs", "a group is always both source and target (%d)", sourceOrTarget)
	default:
		a.fail(replication.KindInvalid, "ReservedAs", "%d is none of 2, 3 and 4", n)
	}
}

func deleteGroup(ctx context.Context, a *args) (*cim.Reply, error) {
	g := a.requiredGroup(ctx, replication.KindInvalid)
	if len(g.Members) > 0 && !a.flag("RemoveElements", false) {
		a.fail(replication.KindInUse, "RemoveElements", "the group has %d members: true is needed to delete it all the same; the volumes stay", len(g.Members))
	}
	if a.err != nil {
		return nil, a.err
	}
	if err := a.Groups.DeleteGroup(ctx, g.ID); err != nil {
		return nil, err
	}
	return done(), nil
}

func addMembers(ctx context.Context, a *args) (*cim.Reply, error) {
	g, members := a.groupChange(ctx)
	if a.err != nil {
		return nil, a.err
	}
	if err := a.Groups.ModifyGroup(ctx, g.ID, members, nil); err != nil {
		return nil, err
	}
	return done(), nil
}

func removeMembers(ctx context.Context, a *args) (*cim.Reply, error) {
	g, members := a.groupChange(ctx)
	if a.flag("DeleteOnEmptyElement", g.DeleteOnEmptyElement) != g.DeleteOnEmptyElement {
		a.fail(replication.KindNotSupported, "DeleteOnEmptyElement", "that of the group, %t, cannot be overridden", g.DeleteOnEmptyElement)
	}
	for i, v := range members {
		if !slices.Contains(g.Members, v) {
			a.fail(memberNotInGroup, entry("Members", i), "volume %s is not in the group", v.ID)
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	if err := a.Groups.ModifyGroup(ctx, g.ID, nil, members); err != nil {
		return nil, err
	}
	return done(), nil
}

// groupChange reads the group and the members of a call that changes a group.
func (a *args) groupChange(ctx context.Context) (replication.Group, []replication.VolumeRef) {
	g := a.requiredGroup(ctx, groupDoesNotExist)
	members := a.volumes(ctx, "Members")
	if len(members) == 0 {
		a.fail(replication.KindInvalid, "Members", "at least one volume is needed")
	}
	return g, members
}

// requiredGroup is the group that the parameter ReplicationGroup refers to. absent
// is the return code for one that is not there.
func (a *args) requiredGroup(ctx context.Context, absent replication.Kind) replication.Group {
	const param = "ReplicationGroup"
	a.local("ServiceAccessPoint")
	a.noSettings()
	a.need(param, "a reference to a replication group")
	if a.err != nil {
		return replication.Group{}
	}
	p := a.ref(param)
	id, _ := localID(p, idGroup)
	if !a.means(p, groupPath(id)) {
		a.fail(absent, param, "%s is not a replication group of this system", p)
		return replication.Group{}
	}
	g, err := a.Groups.Group(ctx, id)
	if missing(err) {
		a.fail(absent, param, "%s", reasonOf(err))
	}
	a.failWith(param, err)
	return g
}
