package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/replication/pairstate"
)

// creation is a call that must succeed.
type creation struct {
	name string
	in   []cim.Arg
	// state is the CopyState that all relationships have when the method has
	// returned and its job, if there is one, has ended; soon is one that the
	// method does not wait for.
	state pairstate.CopyState
	// check looks closer.
	check func(l *lab, reply *cim.Reply)
}

// TestCreations goes through the table of parameters of both methods once more:
// what is right is done, and what is made is as it was asked for. Every call has
// the sources a and b.
func TestCreations(t *testing.T) {
	l := newLab(t)
	l.volumes(2<<20, "a", "b")
	l.expose("a")
	writeDisk(l, "a", 1<<20)
	sources := l.refs("a", "b")
	for method, rows := range map[string][]creation{
		createList:  append(commonCreations(l), listCreations(l)...),
		createGroup: append(commonCreations(l), groupCreations(l)...),
	} {
		for _, c := range rows {
			t.Run(method+"/"+c.name, func(t *testing.T) {
				c.run(l.in(t), method, with([]cim.Arg{arg("SyncType", clone), arg("SourceElements", sources)}, c.in))
			})
		}
	}
}

const soon pairstate.CopyState = 0

// await waits until all relationships that a call made have a state.
func (l *lab) await(reply *cim.Reply, state pairstate.CopyState) {
	l.t.Helper()
	require.Eventually(l.t, func() bool {
		for _, p := range pairs(l, reply) {
			if p.Get("CopyState") != cim.Value(uint64(state)) {
				return false
			}
		}
		return true
	}, waitLimit, pollEvery)
}

func (c creation) run(l *lab, method string, in []cim.Arg) {
	reply := l.must(method, in...)
	if c.state == soon {
		l.await(reply, pairstate.Synchronized)
		c.state = pairstate.Synchronized
	}
	for i, pair := range pairs(l, reply) {
		require.EqualValues(l.t, c.state, pair.Get("CopyState"))
		require.Equal(l.t, []string{"a", "b"}[i], l.name(pair.Get("SystemElement")), "relationships are in source order")
	}
	requireOutput(l, method, reply)
	if c.check != nil {
		c.check(l, reply)
	}
	requireFound(l, reply)
}

// requireOutput checks what each method returns, and that it agrees with itself.
func requireOutput(l *lab, method string, reply *cim.Reply) {
	if method == createList {
		require.Equal(l.t, targets(l, reply), l.names(reply.Out.Get("TargetElements")), "targets are in source order")
		return
	}
	group := l.get(reply.Out.Get("Synchronization").(*cim.Path))
	require.True(l.t, cim.Equal(group.Get("SyncedElement"), reply.Out.Get("TargetGroup")))
	source := group.Get("SystemElement").(*cim.Path)
	require.Equal(l.t, cim.Value(l.name(source)), reply.Out.Get("SourceGroupName"))
	require.Equal(l.t, []string{"a", "b"}, members(l, source))
	require.Equal(l.t, targets(l, reply), members(l, reply.Out.Get("TargetGroup").(*cim.Path)), "members are in source order")
}

// requireFound checks that what was made is found from every side.
func requireFound(l *lab, reply *cim.Reply) {
	for _, pair := range pairs(l, reply) {
		target, source := pair.Get("SyncedElement").(*cim.Path), pair.Get("SystemElement").(*cim.Path)
		require.True(l.t, has(l.near(target, "CIM_StorageSynchronized", ""), source), "the source is found from the target")
		require.True(l.t, has(l.near(source, "CIM_StorageSynchronized", "CIM_StorageVolume"), target), "the target is found from the source")
		require.Len(l.t, l.near(target, "CIM_AllocatedFromStoragePool", "CIM_StoragePool"), 1)
		require.Len(l.t, l.near(target, "CIM_SystemDevice", "CIM_ComputerSystem"), 1)
	}
}

func has(paths []*cim.Path, p *cim.Path) bool {
	for _, q := range paths {
		if q.Key("DeviceID") == p.Key("DeviceID") {
			return true
		}
	}
	return false
}

// pairs are the relationships that a call made, in source order.
func pairs(l *lab, reply *cim.Reply) []*cim.Instance {
	l.t.Helper()
	var out []*cim.Instance
	if list, ok := reply.Out.Get("Synchronizations").([]cim.Value); ok {
		for _, p := range list {
			out = append(out, l.get(p.(*cim.Path)))
		}
		return out
	}
	for _, target := range memberPaths(l, reply.Out.Get("TargetGroup").(*cim.Path)) {
		q := cim.AssociationQuery{Object: target, ResultClass: "CIM_StorageSynchronized", Role: "SyncedElement", References: true}
		require.NoError(l.t, l.c.Associators(l.t.Context(), q, func(in *cim.Instance) error {
			out = append(out, in)
			return nil
		}))
	}
	return out
}

// targets are the names of the replicas that a call made, in source order.
func targets(l *lab, reply *cim.Reply) []string {
	l.t.Helper()
	var out []string
	for _, p := range pairs(l, reply) {
		out = append(out, l.name(p.Get("SyncedElement")))
	}
	require.Len(l.t, out, 2)
	return out
}

// memberPaths are the members of a group in the order of the group.
func memberPaths(l *lab, group *cim.Path) []*cim.Path {
	l.t.Helper()
	byOrder := map[uint64]*cim.Path{}
	q := cim.AssociationQuery{Object: group, ResultClass: "CIM_OrderedMemberOfCollection", References: true}
	require.NoError(l.t, l.c.Associators(l.t.Context(), q, func(in *cim.Instance) error {
		byOrder[in.Get("AssignedSequence").(uint64)] = in.Get("Member").(*cim.Path)
		return nil
	}))
	var out []*cim.Path
	for i := range uint64(len(byOrder)) {
		require.Contains(l.t, byOrder, i+1, "the order of the members has a gap")
		out = append(out, byOrder[i+1])
	}
	return out
}

func members(l *lab, group *cim.Path) []string {
	l.t.Helper()
	var out []string
	for _, p := range memberPaths(l, group) {
		out = append(out, l.name(p))
	}
	return out
}

// commonCreations are those of parameters that both methods have.
func commonCreations(l *lab) []creation {
	pool, goal := l.list("CIM_StoragePool")[0].Path, l.list("CIM_StorageSetting")[0].Path
	here := l.list("CIM_iSCSIProtocolEndpoint")[0].Path
	property := func(name string, want cim.Value) func(*lab, *cim.Reply) {
		return func(l *lab, reply *cim.Reply) {
			for _, p := range pairs(l, reply) {
				require.Equal(l.t, want, p.Get(name))
			}
		}
	}
	one := func(name string, state pairstate.CopyState, in ...cim.Arg) creation {
		return creation{name, in, state, nil}
	}
	rows := []creation{
		one("source here", pairstate.Synchronized, arg("SourceAccessPoint", here), arg("TargetAccessPoint", here)),
		one("setting", pairstate.Synchronized, arg("ReplicationSettingData", settings(l, arg("Pairing", 3)))),
		one("pool and goal", pairstate.Synchronized, arg("TargetPool", pool), arg("TargetSettingGoal", goal)),
		one("consistent", pairstate.Synchronized, arg("Consistency", 3)),
		one("not consistent", pairstate.Synchronized, arg("Consistency", 2)),
		{"priority", []cim.Arg{arg("ReplicationSettingData", settings(l, arg("CopyPriority", 3)))}, pairstate.Synchronized, property("CopyPriority", uint64(3))},
	}
	for _, syncType := range []int{mirror, snapshot, clone} {
		rows = append(rows, creation{fmt.Sprintf("type %d", syncType), []cim.Arg{arg("SyncType", syncType)}, pairstate.Synchronized, property("SyncType", uint64(syncType))})
		for _, mode := range []int{2, 3} {
			if syncType != mirror || mode == 2 {
				rows = append(rows, one(fmt.Sprintf("type %d mode %d", syncType, mode), pairstate.Synchronized, arg("SyncType", syncType), arg("Mode", mode)))
			}
		}
		rows = append(rows, one(fmt.Sprintf("type %d wait for 4", syncType), pairstate.Synchronized, arg("SyncType", syncType), arg("WaitForCopyState", 4)))
		for _, wait := range []int{2, 3} {
			if syncType != snapshot {
				rows = append(rows, one(fmt.Sprintf("type %d wait for %d", syncType, wait), soon, arg("SyncType", syncType), arg("WaitForCopyState", wait)))
			}
		}
		rows = append(rows, creation{fmt.Sprintf("type %d inactive", syncType), []cim.Arg{arg("SyncType", syncType), arg("WaitForCopyState", 8)}, pairstate.Inactive, activate})
	}
	return append(rows, creation{"mode of the service", []cim.Arg{arg("SyncType", mirror)}, pairstate.Synchronized, property("Mode", uint64(2))})
}

// activate brings relationships that were created Inactive to life.
func activate(l *lab, reply *cim.Reply) {
	whole, isGroup := reply.Out.Get("Synchronization").(*cim.Path)
	syncs, _ := reply.Out.Get("Synchronizations").([]cim.Value)
	if isGroup {
		syncs = []cim.Value{whole}
	}
	for _, s := range syncs {
		l.must("ModifyReplicaSynchronization", arg("Operation", 4), arg("Synchronization", s), arg("WaitForCopyState", 4))
	}
	for _, p := range pairs(l, reply) {
		require.EqualValues(l.t, pairstate.Synchronized, p.Get("CopyState"))
	}
}

func listCreations(l *lab) []creation {
	l.volumes(2<<20, "given1", "given2")
	return []creation{
		{"names", []cim.Arg{arg("ElementNames", []cim.Value{"first", "second"})}, pairstate.Synchronized, func(l *lab, reply *cim.Reply) {
			require.Equal(l.t, []string{"first", "second"}, targets(l, reply))
		}},
		{"fewer names", []cim.Arg{arg("ElementNames", []cim.Value{"only"})}, pairstate.Synchronized, func(l *lab, reply *cim.Reply) {
			got := targets(l, reply)
			require.Equal(l.t, "only", got[0])
			require.NotEmpty(l.t, got[1])
		}},
		{"targets", []cim.Arg{arg("TargetElements", l.refs("given2", "given1"))}, pairstate.Synchronized, func(l *lab, reply *cim.Reply) {
			require.Equal(l.t, []string{"given2", "given1"}, targets(l, reply), "one to one, as given")
		}},
	}
}

func groupCreations(l *lab) []creation {
	l.volumes(2<<20, "given3", "given4")
	reply := l.create("CreateGroup", arg("GroupName", "given"), arg("Members", l.refs("given4", "given3")))
	require.EqualValues(l.t, done, reply.Return, reply.Reason)
	out := func(name string, want cim.Value) func(*lab, *cim.Reply) {
		return func(l *lab, reply *cim.Reply) { require.Equal(l.t, want, reply.Out.Get(name)) }
	}
	return []creation{
		{"relationship's name", []cim.Arg{arg("RelationshipName", "weekly")}, pairstate.Synchronized, func(l *lab, reply *cim.Reply) {
			require.Equal(l.t, []string{"weekly_1", "weekly_2"}, targets(l, reply))
			require.Equal(l.t, cim.Value("weekly"), l.get(reply.Out.Get("Synchronization").(*cim.Path)).Get("RelationshipName"))
		}},
		{"source group's name", []cim.Arg{arg("SourceGroupName", "databases")}, pairstate.Synchronized, out("SourceGroupName", "databases")},
		{"target group's name", []cim.Arg{arg("TargetGroupName", "copies")}, pairstate.Synchronized, out("TargetGroupName", "copies")},
		{"names of elements", []cim.Arg{arg("TargetElementNames", []cim.Value{"one", "two"})}, pairstate.Synchronized, func(l *lab, reply *cim.Reply) {
			require.Equal(l.t, []string{"one", "two"}, targets(l, reply))
		}},
		{"target group", []cim.Arg{arg("TargetGroup", reply.Out.Get("ReplicationGroup"))}, pairstate.Synchronized, func(l *lab, reply *cim.Reply) {
			require.Equal(l.t, []string{"given4", "given3"}, targets(l, reply), "one to one, as in the group")
			require.Equal(l.t, cim.Value("given"), reply.Out.Get("TargetGroupName"))
		}},
	}
}

// TestJob follows a copy that takes its time: 4096 at once with what is made,
// and a job that knows whose it is.
func TestJob(t *testing.T) {
	l := newLab(t)
	l.volumes(64<<20, "big1", "big2")
	for _, v := range []string{"big1", "big2"} {
		l.expose(v)
		writeDisk(l, v, 64<<20)
	}
	for method, reply := range map[string]*cim.Reply{
		createList:  l.create(createList, arg("SyncType", clone), arg("SourceElements", l.refs("big1", "big2"))),
		createGroup: l.create(createGroup, arg("SyncType", mirror), arg("SourceElements", l.refs("big1", "big2"))),
	} {
		t.Run(method, func(t *testing.T) {
			l := l.in(t)
			require.EqualValues(t, started, reply.Return, reply.Reason)
			job := reply.Out.Get("Job").(*cim.Path)
			made := pairs(l, reply)
			require.Len(t, made, 2, "relationships are there while the job runs")
			service := l.list("CIM_ReplicationService")[0].Path
			require.Equal(t, service.String(), l.near(job, "CIM_OwningJobElement", "")[0].String())
			affected := l.near(job, "CIM_AffectedJobElement", "CIM_StorageVolume")
			for _, p := range made {
				require.True(t, has(affected, p.Get("SyncedElement").(*cim.Path)), "the job names the volumes that it fills")
			}
			l.follow(job)
			for _, p := range pairs(l, reply) {
				require.EqualValues(t, pairstate.Synchronized, p.Get("CopyState"))
				require.EqualValues(t, 100, p.Get("PercentSynced"))
			}
		})
	}
}

// writeDisk fills the first bytes of a volume through iSCSI.
func writeDisk(l *lab, volume string, size int) {
	l.t.Helper()
	disk, err := l.d.Disk(l.t.Context(), volume)
	require.NoError(l.t, err)
	chunk := make([]byte, 1<<20)
	for i := range chunk {
		chunk[i] = byte(i>>8) | 1
	}
	for off := 0; off < size; off += len(chunk) {
		require.NoError(l.t, disk.WriteAt(l.t.Context(), chunk, int64(off)))
	}
	require.NoError(l.t, disk.Close())
}
