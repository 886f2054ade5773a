package classes

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/replication"
)

func nums(n ...uint64) []cim.Value {
	l := []cim.Value{}
	for _, v := range n {
		l = append(l, v)
	}
	return l
}

func TestCapabilityMethods(t *testing.T) {
	kind := func(n int) cim.Arg { return arg("ReplicationType", n) }
	for name, c := range map[string]struct {
		method string
		in     []cim.Arg
		out    []cim.Arg
	}{
		"convert, mirror": {"ConvertSyncTypeToReplicationType", []cim.Arg{arg("SyncType", 6)}, []cim.Arg{arg("SupportedReplicationTypes", uint64(2))}},
		"convert, async clone": {"ConvertSyncTypeToReplicationType", []cim.Arg{arg("SyncType", 8), arg("Mode", 3), arg("LocalOrRemote", 2)},
			[]cim.Arg{arg("SupportedReplicationTypes", uint64(11))}},
		"convert back": {"ConvertReplicationTypeToSyncType", []cim.Arg{kind(7)},
			[]cim.Arg{arg("SyncType", uint64(7)), arg("Mode", uint64(3)), arg("LocalOrRemote", uint64(2))}},
		"states of a mirror": {"GetSupportedCopyStates", []cim.Arg{kind(2)}, []cim.Arg{
			arg("SupportedCopyStates", nums(2, 3, 4, 5, 8)), arg("HostAccessible", []cim.Value{false, false, false, false, false})}},
		"states of a snapshot": {"GetSupportedCopyStates", []cim.Arg{kind(6)}, []cim.Arg{
			arg("SupportedCopyStates", nums(2, 4, 5, 8, 13, 18)), arg("HostAccessible", []cim.Value{false, true, true, false, true, true})}},
		"states to detach a clone in": {"GetSupportedCopyStates", []cim.Arg{kind(10), arg("Operation", 8)}, []cim.Arg{
			arg("SupportedCopyStates", nums(4, 13, 18)), arg("HostAccessible", []cim.Value{true, true, true})}},
		"states to restore a clone in": {"GetSupportedCopyStates", []cim.Arg{kind(10), arg("Operation", 15)}, []cim.Arg{
			arg("SupportedCopyStates", nums(4, 13, 18)), arg("HostAccessible", []cim.Value{true, true, true})}},
		"group states to reset": {"GetSupportedGroupCopyStates", []cim.Arg{kind(7), arg("Operation", 27)}, []cim.Arg{arg("SupportedCopyStates", nums(4, 13, 18))}},
		"states for what is not done": {"GetSupportedCopyStates", []cim.Arg{kind(10), arg("Operation", 12)}, []cim.Arg{
			arg("SupportedCopyStates", nums()), arg("HostAccessible", nums())}},
		"group states":             {"GetSupportedGroupCopyStates", []cim.Arg{kind(11)}, []cim.Arg{arg("SupportedCopyStates", nums(2, 3, 4, 5, 8, 13, 18, 14))}},
		"group states to activate": {"GetSupportedGroupCopyStates", []cim.Arg{kind(11), arg("Operation", 4)}, []cim.Arg{arg("SupportedCopyStates", nums(2, 8))}},
		"waits of a list":          {"GetSupportedWaitForCopyStates", []cim.Arg{kind(2), arg("MethodName", 7)}, []cim.Arg{arg("SupportedCopyStates", nums(2, 3, 4, 8))}},
		"waits of a snapshot":      {"GetSupportedWaitForCopyStates", []cim.Arg{kind(6), arg("MethodName", 8)}, []cim.Arg{arg("SupportedCopyStates", nums(4, 8))}},
		"waits of operations":      {"GetSupportedWaitForCopyStates", []cim.Arg{kind(2), arg("MethodName", 4)}, []cim.Arg{arg("SupportedCopyStates", nums(3, 4, 15))}},
		"waits of an end":          {"GetSupportedWaitForCopyStates", []cim.Arg{kind(2), arg("MethodName", 4), arg("Operation", 8)}, []cim.Arg{arg("SupportedCopyStates", nums(15))}},
		"waits of a restore":       {"GetSupportedWaitForCopyStates", []cim.Arg{kind(6), arg("MethodName", 4), arg("Operation", 15)}, []cim.Arg{arg("SupportedCopyStates", nums(4, 18, 15))}},
		"waits of a reset":         {"GetSupportedWaitForCopyStates", []cim.Arg{kind(6), arg("MethodName", 4), arg("Operation", 27)}, []cim.Arg{arg("SupportedCopyStates", nums(4, 15))}},
		"waits of what is not":     {"GetSupportedWaitForCopyStates", []cim.Arg{kind(2), arg("MethodName", 4), arg("Operation", 15)}, []cim.Arg{arg("SupportedCopyStates", nums(15))}},
		"features":                 {"GetSupportedFeatures", []cim.Arg{kind(6)}, []cim.Arg{arg("Features", nums(2, 3, 7, 24, 39, 44, 51))}},
		"group features":           {"GetSupportedGroupFeatures", []cim.Arg{kind(2)}, []cim.Arg{arg("GroupFeatures", nums(3, 5, 14, 23, 38, 56))}},
		"list features":            {"GetSupportedListFeatures", []cim.Arg{kind(2)}, []cim.Arg{arg("GroupFeatures", nums(2, 3, 4))}},
		"consistency":              {"GetSupportedConsistency", []cim.Arg{kind(2)}, []cim.Arg{arg("SupportedConsistency", nums(2))}},
		"operations on a snapshot": {"GetSupportedOperations", []cim.Arg{kind(6)}, []cim.Arg{
			arg("SupportedOperations", nums(4, 9, 15, 19, 27)), arg("RequiresForce", []cim.Value{false, false, false, false, false})}},
		"operations on a mirror in sync": {"GetSupportedOperations", []cim.Arg{kind(2), arg("CopyState", 4)}, []cim.Arg{
			arg("SupportedOperations", nums(8, 9)), arg("RequiresForce", []cim.Value{true, false})}},
		"operations in a state that is never": {"GetSupportedOperations", []cim.Arg{kind(2), arg("CopyState", 10)}, []cim.Arg{
			arg("SupportedOperations", nums()), arg("RequiresForce", nums())}},
		"group operations": {"GetSupportedGroupOperations", []cim.Arg{kind(10)}, []cim.Arg{
			arg("SupportedGroupOperations", nums(4, 8, 9, 15)), arg("RequiresForce", []cim.Value{false, false, false, false})}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSystem(t).invoke("CIM_ReplicationServiceCapabilities", c.method, c.in...)
			require.Equal(t, &cim.Reply{Return: uint64(0), Out: c.out}, r)
		})
	}
}

func TestCapabilityMethodsRefuse(t *testing.T) {
	rows := []refusal{
		{"no type", []cim.Arg{arg("ReplicationType", nil)}, 5, "ReplicationType: "},
		{"type 0", []cim.Arg{arg("ReplicationType", 0)}, 5, "ReplicationType: "},
		{"reserved type", []cim.Arg{arg("ReplicationType", 28)}, 5, "ReplicationType: "},
		{"async mirror", []cim.Arg{arg("ReplicationType", 3)}, 1, "ReplicationType: "},
		{"vendor's type", []cim.Arg{arg("ReplicationType", 0x8001)}, 1, "ReplicationType: "},
	}
	good := []cim.Arg{arg("ReplicationType", 2)}
	for _, m := range []string{
		"ConvertReplicationTypeToSyncType", "GetSupportedCopyStates", "GetSupportedGroupCopyStates", "GetSupportedFeatures",
		"GetSupportedGroupFeatures", "GetSupportedListFeatures", "GetSupportedConsistency", "GetSupportedOperations",
		"GetSupportedGroupOperations", "GetDefaultReplicationSettingData",
	} {
		refuses(t, classCapabilities, m, good, rows)
	}
	refuses(t, classCapabilities, "GetSupportedWaitForCopyStates", append(good, arg("MethodName", 7)), append(rows,
		refusal{"no method", []cim.Arg{arg("MethodName", nil)}, 1, "MethodName: "},
		refusal{"method that does not wait", []cim.Arg{arg("MethodName", 5)}, 1, "MethodName: "}))
	refuses(t, classCapabilities, "GetSupportedOperations", good, []refusal{
		{"state 0", []cim.Arg{arg("CopyState", 0)}, 5, "CopyState: "},
		{"options that are not done", []cim.Arg{arg("ReplicationSettingData", options(t, arg("Multihop", 3)))}, 1, "ReplicationSettingData.Multihop: "},
	})
	refuses(t, classCapabilities, "ConvertSyncTypeToReplicationType", []cim.Arg{arg("SyncType", 8)}, []refusal{
		{"no type", []cim.Arg{arg("SyncType", nil)}, 5, "SyncType: "},
		{"async mirror", []cim.Arg{arg("SyncType", 6), arg("Mode", 3)}, 1, "SyncType: "},
		{"Mode 0", []cim.Arg{arg("Mode", 0)}, 5, "Mode: "},
		{"adaptive", []cim.Arg{arg("Mode", 4)}, 1, "SyncType: "},
		{"remote", []cim.Arg{arg("LocalOrRemote", 3)}, 1, "LocalOrRemote: "},
	})
}

// The default options can be sent back as they are, for every type of copy.
func TestDefaultSettingDataIsHonoured(t *testing.T) {
	for _, kind := range replicationTypes() {
		s := newSystem(t)
		in := s.invoke(classCapabilities, "GetDefaultReplicationSettingData", arg("ReplicationType", kind.number)).Out.Get("DefaultInstance").(*cim.Instance)
		checkComplete(t, in)
		r := s.invoke(classReplicationSvc, "CreateListReplica", arg("SyncType", uint64(kind.sync)), arg("Mode", uint64(kind.mode)),
			arg("SourceElements", s.vol(1)), arg("ReplicationSettingData", in))
		require.Equal(t, uint64(0), r.Return, r.Reason)
		require.Equal(t, replication.Settings{}, s.list[0].Settings)
	}
}

// The lists of the instance name what the methods do.
func TestCapabilitiesAreTrue(t *testing.T) {
	s := newSystem(t)
	in := s.instances(classCapabilities)[0]
	types := in.Get("SupportedReplicationTypes").([]cim.Value)
	for n := uint64(2); n <= typeLast; n++ {
		r := s.invoke(classCapabilities, "GetSupportedFeatures", arg("ReplicationType", n))
		require.Equal(t, slices.Contains(types, cim.Value(n)), r.Return == uint64(0), "%d", n)
	}
	for _, action := range []string{"SupportedSynchronousActions", "SupportedAsynchronousActions"} {
		for _, v := range in.Get(action).([]cim.Value) {
			r := s.invoke(classReplicationSvc, valueName(t, in.Class.Property(action), v.(uint64)))
			require.NotEqual(t, uint64(1), r.Return, "%s %d", action, v)
		}
	}
}

func valueName(t *testing.T, p *cim.Property, n uint64) string {
	keys, _ := p.Qualifiers.Get("ValueMap")
	values, _ := p.Qualifiers.Get("Values")
	i := slices.Index(keys.Value.([]cim.Value), cim.Value(cim.FormatText(n)))
	require.GreaterOrEqual(t, i, 0)
	return values.Value.([]cim.Value)[i].(string)
}
