package classes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/replication"
)

func TestCreateGroup(t *testing.T) {
	s := newSystem(t)
	r := s.invoke(classReplicationSvc, "CreateGroup", arg("GroupName", "mine"), arg("Members", []*cim.Path{s.vol(2), s.vol(1)}),
		arg("Persistent", false), arg("DeleteOnEmptyElement", true), arg("DeleteOnUnassociated", true), arg("ReservedAs", 4))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	in, err := s.Get(admin(), r.Out.Get("ReplicationGroup").(*cim.Path))
	require.NoError(t, err)
	for name, want := range map[string]cim.Value{
		"ElementName": "mine", "Persistent": false, "DeleteOnEmptyElement": true, "DeleteOnUnassociated": true, "ConsistentPointInTime": false,
	} {
		require.Equal(t, want, in.Get(name), name)
	}
	members := s.associated(cim.AssociationQuery{Object: in.Path, AssociationClass: "CIM_OrderedMemberOfCollection", ResultClass: "CIM_StorageVolume"})
	require.Equal(t, []string{s.vol(2).String(), s.vol(1).String()}, pathsOf(members))

	r = s.invoke(classReplicationSvc, "CreateGroup")
	in, err = s.Get(admin(), r.Out.Get("ReplicationGroup").(*cim.Path))
	require.NoError(t, err)
	require.Equal(t, true, in.Get("Persistent"), "unless told otherwise")

	refuses(t, classReplicationSvc, "CreateGroup", nil, []refusal{
		{"unknown member", []cim.Arg{arg("Members", []*cim.Path{plainVol(1), plainVol(77)})}, 5, "Members[1]: "},
		{"source only", []cim.Arg{arg("ReservedAs", 2)}, 1, "ReservedAs: "},
		{"reserved as nothing", []cim.Arg{arg("ReservedAs", 0)}, 5, "ReservedAs: "},
		{"reserved as what is reserved", []cim.Arg{arg("ReservedAs", 5)}, 5, "ReservedAs: "},
		{"on another system", []cim.Arg{arg("ServiceAccessPoint", accessPoint("other"))}, 1, "ServiceAccessPoint: "},
	}, "CreateGroup")
}

func TestDeleteGroup(t *testing.T) {
	s := newSystem(t)
	require.Equal(t, uint64(0), s.invoke(classReplicationSvc, "DeleteGroup", arg("ReplicationGroup", groupPath("g3"))).Return)
	require.Equal(t, uint64(0), s.invoke(classReplicationSvc, "DeleteGroup", arg("ReplicationGroup", groupPath("g1")), arg("RemoveElements", true)).Return)
	require.Len(t, s.groups, 1)
	s.fails = map[string]error{"DeleteGroup": replication.Errorf(replication.KindInUse, "ReplicationGroup", "it is in a relationship")}
	r := s.invoke(classReplicationSvc, "DeleteGroup", arg("ReplicationGroup", groupPath("g2")), arg("RemoveElements", true))
	require.Equal(t, uint64(6), r.Return)

	refuses(t, classReplicationSvc, "DeleteGroup", []cim.Arg{arg("ReplicationGroup", groupPath("g1"))}, []refusal{
		{"with members", nil, 6, "RemoveElements: "},
		{"no group", []cim.Arg{arg("ReplicationGroup", nil)}, 5, "ReplicationGroup: "},
		{"unknown", []cim.Arg{arg("ReplicationGroup", groupPath("x"))}, 5, "ReplicationGroup: "},
		{"not a group", []cim.Arg{arg("ReplicationGroup", plainVol(1))}, 5, "ReplicationGroup: "},
		{"on another system", []cim.Arg{arg("ServiceAccessPoint", accessPoint("other"))}, 1, "ServiceAccessPoint: "},
	}, "DeleteGroup")
}

func TestAddAndRemoveMembers(t *testing.T) {
	s := newSystem(t)
	group := arg("ReplicationGroup", groupPath("g3"))
	r := s.invoke(classReplicationSvc, "AddMembers", group, arg("Members", []*cim.Path{s.vol(6), s.vol(1)}))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	require.Equal(t, []replication.VolumeRef{volRef("slow", 6), volRef("fast", 1)}, s.groups[2].Members)
	r = s.invoke(classReplicationSvc, "RemoveMembers", group, arg("Members", s.vol(6)), arg("DeleteOnEmptyElement", true))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	require.Equal(t, []replication.VolumeRef{volRef("fast", 1)}, s.groups[2].Members)

	good := []cim.Arg{arg("ReplicationGroup", groupPath("g1")), arg("Members", plainVol(2))}
	common := []refusal{
		{"no members", []cim.Arg{arg("Members", nil)}, 5, "Members: "},
		{"unknown member", []cim.Arg{arg("Members", plainVol(77))}, 5, "Members[0]: "},
		{"no group", []cim.Arg{arg("ReplicationGroup", nil)}, 5, "ReplicationGroup: "},
		{"unknown group", []cim.Arg{arg("ReplicationGroup", groupPath("x"))}, groupDoesNotExist, "ReplicationGroup: "},
		{"not a group", []cim.Arg{arg("ReplicationGroup", plainVol(1))}, groupDoesNotExist, "ReplicationGroup: "},
		{"on another system", []cim.Arg{arg("ServiceAccessPoint", accessPoint("other"))}, 1, "ServiceAccessPoint: "},
	}
	refuses(t, classReplicationSvc, "AddMembers", good, common, "ModifyGroup")
	refuses(t, classReplicationSvc, "RemoveMembers", good, append(common,
		refusal{"not a member", []cim.Arg{arg("Members", []*cim.Path{plainVol(2), plainVol(6)})}, memberNotInGroup, "Members[1]: "},
		refusal{"deletion overridden", []cim.Arg{arg("DeleteOnEmptyElement", true)}, 1, "DeleteOnEmptyElement: "},
	), "ModifyGroup")
}
