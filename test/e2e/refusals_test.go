package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/test/system"
)

// refusal is a call that must be refused: the arguments that differ from those of
// a call that would succeed, a NULL taking one away.
type refusal struct {
	name   string
	in     []cim.Arg
	want   int
	reason string // the parameter that is named
}

// TestRefusals goes through the table of parameters of both methods: what is
// wrong is refused with the code of the documents and a reason that names the
// parameter, and nothing at all has changed.
func TestRefusals(t *testing.T) {
	l := newLab(t)
	l.volumes(8<<20, "a", "b", "c", "spare1", "spare2", "origin", "taken_1")
	l.volumes(4<<20, "small")
	l.must(createGroup, arg("RelationshipName", "old"), arg("SyncType", mirror), arg("SourceElements", l.refs("origin")),
		arg("SourceGroupName", "old sources"), arg("WaitForCopyState", 4))
	for name, members := range map[string][]string{
		"spares": {"spare1", "spare2"}, "two": {"spare1", "spare2"}, "one": {"spare1"}, "mixed": {"spare1", "small"}, "busy": {"old_1", "spare1"},
	} {
		reply := l.create("CreateGroup", arg("GroupName", name), arg("Members", l.refs(members...)))
		require.EqualValues(t, done, reply.Return, reply.Reason)
	}
	fine := []cim.Arg{arg("SyncType", clone), arg("SourceElements", l.refs("a", "b"))}
	for method, rows := range map[string][]refusal{
		createList:  append(commonRefusals(l), listRefusals(l)...),
		createGroup: append(commonRefusals(l), groupRefusals(l)...),
	} {
		t.Run(method, func(t *testing.T) {
			l := l.in(t)
			before := l.state()
			for _, r := range rows {
				t.Run(r.name, func(t *testing.T) { r.check(l.in(t), method, fine, before) })
			}
		})
	}
	l.must(createList, fine...) // the call that they all begin with
}

func (r refusal) check(l *lab, method string, fine []cim.Arg, before string) {
	reply := l.create(method, with(fine, r.in)...)
	require.EqualValues(l.t, r.want, reply.Return, reply.Reason)
	require.True(l.t, strings.HasPrefix(strings.TrimPrefix(reply.Reason, "parameter "), r.reason), "the reason %q does not name %s", reply.Reason, r.reason)
	require.Empty(l.t, reply.Out, "a refused call has no output")
	require.Equal(l.t, before, l.state(), "a refused call left something")
}

// with replaces arguments.
func with(fine, more []cim.Arg) []cim.Arg {
	in := slices.DeleteFunc(slices.Clone(fine), func(a cim.Arg) bool {
		return slices.ContainsFunc(more, func(b cim.Arg) bool { return a.Name == b.Name })
	})
	return append(in, more...)
}

// set is a refusal by one argument alone.
func set(name, param string, value cim.Value, want int) refusal {
	return refusal{name, []cim.Arg{arg(param, value)}, want, param}
}

// commonRefusals are those of parameters that both methods have.
func commonRefusals(l *lab) []refusal {
	a, pool := l.refs("a")[0], l.list("CIM_StoragePool")[0].Path
	elsewhere := &cim.Path{Namespace: system.Namespace, Class: "CIM_iSCSIProtocolEndpoint", Keys: []cim.Key{
		{Name: "SystemCreationClassName", Value: "X"}, {Name: "SystemName", Value: "elsewhere"},
		{Name: "CreationClassName", Value: "X"}, {Name: "Name", Value: "iqn.2026-11.test:x"},
	}}
	gone := &cim.Path{Namespace: system.Namespace, Class: a.(*cim.Path).Class, Keys: slices.Clone(a.(*cim.Path).Keys)}
	for i, k := range gone.Keys {
		if k.Name == "DeviceID" {
			gone.Keys[i].Value = "602544c0000000000000000000000000"
		}
	}
	noPool := &cim.Path{Namespace: system.Namespace, Class: pool.Class, Keys: []cim.Key{{Name: "InstanceID", Value: "TWINLUN:pool:none"}}}
	noGoal := &cim.Path{Namespace: system.Namespace, Class: "TWINLUN_StorageSetting", Keys: []cim.Key{{Name: "InstanceID", Value: "TWINLUN:setting:none"}}}
	rows := []refusal{
		set("no sync type", "SyncType", nil, invalid),
		set("sync type 0", "SyncType", 0, invalid),
		set("sync type below", "SyncType", 5, invalid),
		set("sync type reserved", "SyncType", 10, invalid),
		set("tokenized clone", "SyncType", 9, notSupported),
		set("vendor's sync type", "SyncType", 0x8000, notSupported),
		set("mode 0", "Mode", 0, invalid),
		set("mode adaptive", "Mode", 4, invalid),
		set("mode of a vendor", "Mode", 0x8000, invalid),
		{"asynchronous mirror", []cim.Arg{arg("SyncType", mirror), arg("Mode", 3)}, notSupported, "Mode"},
		set("no sources", "SourceElements", nil, invalid),
		set("empty sources", "SourceElements", []cim.Value{}, invalid),
		set("a source is NULL", "SourceElements", []cim.Value{a, nil}, invalid),
		set("a source is gone", "SourceElements", []cim.Value{a, gone}, invalid),
		set("sources of two types", "SourceElements", []cim.Value{a, pool}, invalid),
		set("source elsewhere", "SourceAccessPoint", elsewhere, notSupported),
		set("target elsewhere", "TargetAccessPoint", elsewhere, notSupported),
		set("consistency 0", "Consistency", 0, invalid),
		set("consistency 4", "Consistency", 4, invalid),
		set("setting not honoured", "ReplicationSettingData", settings(l, arg("TargetElementSupplier", 1)), notSupported),
		set("setting of another kind", "ReplicationSettingData", settings(l, arg("FailedCopyStopsHostIO", true)), notSupported),
		set("setting malformed", "ReplicationSettingData", settings(l, arg("Pairing", 99)), invalid),
		set("unknown goal", "TargetSettingGoal", noGoal, invalid),
		set("goal that is none", "TargetSettingGoal", pool, invalid),
		set("unknown pool", "TargetPool", noPool, invalid),
		set("pool that is none", "TargetPool", a, invalid),
		set("wait for what cannot be", "WaitForCopyState", 5, invalid),
		set("wait for nothing", "WaitForCopyState", 0, invalid),
		set("wait for what is reserved", "WaitForCopyState", 99, invalid),
		{"snapshot, wait for Initialized", []cim.Arg{arg("SyncType", snapshot), arg("WaitForCopyState", 2)}, invalid, "WaitForCopyState"},
		{"snapshot, wait for Unsynchronized", []cim.Arg{arg("SyncType", snapshot), arg("WaitForCopyState", 3)}, invalid, "WaitForCopyState"},
	}
	return append(rows, targetRefusals(l)...)
}

// targetRefusals are those of given targets, which both methods have too.
func targetRefusals(l *lab) []refusal {
	given := func(name string, want int, reason string, targets []cim.Value, more ...cim.Arg) refusal {
		return refusal{name, append(more, arg("TargetElements", targets)), want, reason}
	}
	spares := l.refs("spare1", "spare2")
	pool, goal := l.list("CIM_StoragePool")[0].Path, l.list("CIM_StorageSetting")[0].Path
	return []refusal{
		given("too few targets", invalid, "TargetElements", spares[:1]),
		given("too many targets", invalid, "TargetElements", l.refs("spare1", "spare2", "c")),
		given("target too small", invalid, "TargetElements", l.refs("spare1", "small")),
		given("target is its source", invalid, "TargetElements", l.refs("a", "spare1")),
		given("target is another source", invalid, "TargetElements", l.refs("spare1", "a")),
		given("target given twice", invalid, "TargetElements", l.refs("spare1", "spare1")),
		given("target is a mirror", inUse, "TargetElements", l.refs("spare1", "old_1")),
		given("target is mirrored", inUse, "TargetElements", l.refs("spare1", "origin")),
		given("snapshot into targets", notSupported, "TargetElements", spares, arg("SyncType", snapshot)),
		given("targets and pool", invalid, "TargetPool", spares, arg("TargetPool", pool)),
		given("targets and goal", invalid, "TargetSettingGoal", spares, arg("TargetSettingGoal", goal)),
	}
}

func listRefusals(l *lab) []refusal {
	long := strings.Repeat("x", 10_000)
	return []refusal{
		set("more names than sources", "ElementNames", []cim.Value{"x", "y", "z"}, invalid),
		set("name of a volume", "ElementNames", []cim.Value{"x", "c"}, invalid),
		set("name of a source", "ElementNames", []cim.Value{"a"}, invalid),
		set("name given twice", "ElementNames", []cim.Value{"x", "x"}, invalid),
		set("name too long", "ElementNames", []cim.Value{"x", long}, invalid),
		set("name with a control character", "ElementNames", []cim.Value{"x\ty"}, invalid),
		{"third of five", []cim.Arg{arg("SourceElements", l.refs("a", "b", "c", "spare1", "spare2")), arg("ElementNames", []cim.Value{"x1", "x2", "origin", "x4", "x5"})},
			invalid, "ElementNames[2]"},
		{"third source of five", []cim.Arg{arg("SyncType", mirror), arg("SourceElements", l.refs("a", "b", "old_1", "spare1", "spare2"))}, notSupported, "SourceElements[2]"},
	}
}

func groupRefusals(l *lab) []refusal {
	group := func(name string) cim.Value { return l.path("CIM_ReplicationGroup", name) }
	gone := &cim.Path{Namespace: system.Namespace, Class: "TWINLUN_ReplicationGroup", Keys: []cim.Key{{Name: "InstanceID", Value: "TWINLUN:group:none"}}}
	into := func(name, target string, want int, reason string, more ...cim.Arg) refusal {
		return refusal{name, append(more, arg("TargetGroup", group(target))), want, reason}
	}
	pool, goal := l.list("CIM_StoragePool")[0].Path, l.list("CIM_StorageSetting")[0].Path
	return []refusal{
		set("relationship in use", "RelationshipName", "old", invalid),
		set("target's name in use", "RelationshipName", "taken", invalid),
		set("source group in use", "SourceGroupName", "old sources", invalid),
		set("target group in use", "TargetGroupName", "spares", invalid),
		set("group is gone", "TargetGroup", gone, invalid),
		set("group that is none", "TargetGroup", pool, invalid),
		into("group too small", "one", invalid, "TargetGroup"),
		into("group with a small member", "mixed", invalid, "TargetGroup"),
		into("group with a busy member", "busy", inUse, "TargetGroup"),
		into("group for snapshots", "two", notSupported, "TargetGroup", arg("SyncType", snapshot)),
		into("group and pool", "two", invalid, "TargetPool", arg("TargetPool", pool)),
		into("group and goal", "two", invalid, "TargetSettingGoal", arg("TargetSettingGoal", goal)),
		into("group and targets", "two", invalid, "TargetElements", arg("TargetElements", l.refs("spare1", "spare2"))),
		set("more names than sources", "TargetElementNames", []cim.Value{"x", "y", "z"}, invalid),
		set("name of a volume", "TargetElementNames", []cim.Value{"x", "c"}, invalid),
		{"third of five", []cim.Arg{arg("SourceElements", l.refs("a", "b", "c", "spare1", "spare2")), arg("TargetElementNames", []cim.Value{"x1", "x2", "origin", "x4", "x5"})},
			invalid, "TargetElementNames[2]"},
	}
}

// settings is an embedded CIM_ReplicationSettingData.
func settings(l *lab, values ...cim.Arg) *cim.Instance {
	in := cim.NewInstance(system.Schema(l.t).Class("CIM_ReplicationSettingData"))
	for _, v := range values {
		value, err := cim.Coerce(v.Value, in.Class.Property(v.Name).Type, false, false)
		require.NoError(l.t, err)
		require.NoError(l.t, in.Set(v.Name, value))
	}
	return in
}
