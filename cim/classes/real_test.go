package classes

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// poolMeta lets a pool keep its records in a store.
type poolMeta struct{ store.Store }

func (m poolMeta) Update(ctx context.Context, fn func(pool.MetaTx) error) error {
	return m.Store.Update(ctx, func(tx store.Tx) error { return fn(tx) })
}

func (m poolMeta) View(ctx context.Context, fn func(pool.MetaTx) error) error {
	return m.Store.View(ctx, func(tx store.Tx) error { return fn(tx) })
}

// realSystem is the classes on the real service and a real pool; only exposure
// is a fake's.
type realSystem struct {
	*system
	pool *pool.LayerPool
}

func newRealSystem(t *testing.T) *realSystem {
	kept := store.NewMem()
	p, err := pool.Open(t.Context(), pool.Config{Dir: t.TempDir(), Name: "fast", Meta: poolMeta{kept}})
	require.NoError(t, err)
	svc, err := replication.New(replication.Config{Store: kept, Pools: []pool.Pool{p}})
	require.NoError(t, err)
	require.NoError(t, svc.Start(t.Context()))
	t.Cleanup(func() {
		require.NoError(t, svc.Close())
		require.NoError(t, p.Close())
	})
	c := testConfig(t, &fake{})
	c.PoolNames = []string{"fast"}
	c.Replicator, c.Relationships, c.Groups, c.Volumes, c.Pools, c.Jobs = svc, svc, svc, svc, svc, svc
	c.Editor, c.Settings = svc, newSettings(t, kept)
	s := &system{Broker: brokerOf(t, c), fake: &fake{}, t: t, m: &model{Config: c}}
	return &realSystem{s, p}
}

const realSize = 1 << 20

// create makes a volume through the Broker and fills it with one byte.
func (s *realSystem) create(name string, fill byte) *cim.Path {
	r := s.invoke(classStorageConfigSvc, createOrModifyName, arg("ElementName", name), arg("Size", realSize))
	require.Equal(s.t, uint64(0), r.Return, r.Reason)
	p := r.Out.Get("TheElement").(*cim.Path)
	s.open(p, func(d blockdev.Device) {
		require.NoError(s.t, d.WriteAt(context.Background(), bytes.Repeat([]byte{fill}, realSize), 0))
	})
	return p
}

func (s *realSystem) open(p *cim.Path, f func(blockdev.Device)) {
	d, err := s.pool.Open(context.Background(), s.m.deviceID(p, classStorageVolume))
	require.NoError(s.t, err)
	f(d)
	require.NoError(s.t, d.Close())
}

// holds checks that a volume is full of one byte.
func (s *realSystem) holds(p *cim.Path, fill byte) {
	s.open(p, func(d blockdev.Device) {
		got := make([]byte, realSize)
		require.NoError(s.t, d.ReadAt(context.Background(), got, 0))
		require.True(s.t, bytes.Equal(bytes.Repeat([]byte{fill}, realSize), got), "%s is not full of %q", p, fill)
	})
}

// counts says how many instances there are of what a method can make.
func (s *realSystem) counts() map[string]int {
	n := map[string]int{}
	for _, class := range []string{classStorageVolume, classStorageSynced, classGroupSynced, classReplicationGroup, classConcreteJob} {
		n[class] = len(s.instances(class))
	}
	return n
}

var copyTypes = []pairstate.SyncType{pairstate.Mirror, pairstate.Snapshot, pairstate.Clone}

func TestRealListReplica(t *testing.T) {
	for _, kind := range copyTypes {
		t.Run(kind.String(), func(t *testing.T) {
			s := newRealSystem(t)
			sources := []*cim.Path{s.create("a", 'a'), s.create("b", 'b')}
			r := s.invoke(classReplicationSvc, "CreateListReplica", arg("SyncType", uint64(kind)), arg("SourceElements", sources),
				arg("ElementNames", []string{"first"}), arg("WaitForCopyState", 4))
			require.Equal(t, uint64(0), r.Return, r.Reason)
			targets, syncs := r.Out.Get("TargetElements").([]cim.Value), r.Out.Get("Synchronizations").([]cim.Value)
			require.Len(t, targets, 2)
			for i, v := range targets {
				s.holds(v.(*cim.Path), "ab"[i])
				in, err := s.Get(admin(), syncs[i].(*cim.Path))
				require.NoError(t, err)
				checkComplete(t, in)
				require.Equal(t, uint64(4), in.Get("CopyState"))
				require.Equal(t, uint64(100), in.Get("PercentSynced"))
				require.True(t, cim.Equal(v, in.Get("SyncedElement")))
				require.True(t, cim.Equal(sources[i], in.Get("SystemElement")))
			}
			first, err := s.Get(admin(), targets[0].(*cim.Path))
			require.NoError(t, err)
			require.Equal(t, "first", first.Get("ElementName"))
		})
	}
}

func TestRealGroupReplica(t *testing.T) {
	for _, kind := range copyTypes {
		t.Run(kind.String(), func(t *testing.T) {
			s := newRealSystem(t)
			sources := []*cim.Path{s.create("a", 'a'), s.create("b", 'b')}
			r := s.invoke(classReplicationSvc, "CreateGroupReplicaFromElements", arg("SyncType", uint64(kind)), arg("SourceElements", sources),
				arg("RelationshipName", "nightly"), arg("Consistency", 3), arg("WaitForCopyState", 4))
			require.Equal(t, uint64(0), r.Return, r.Reason)
			group := r.Out.Get("TargetGroup").(*cim.Path)
			members := s.associated(cim.AssociationQuery{Object: group, AssociationClass: "CIM_OrderedMemberOfCollection"})
			require.Len(t, members, 2)
			for i, in := range members {
				require.Equal(t, fmt.Sprintf("nightly_%d", i+1), in.Get("ElementName"))
				s.holds(in.Path, "ab"[i])
			}
			tie, err := s.Get(admin(), r.Out.Get("Synchronization").(*cim.Path))
			require.NoError(t, err)
			checkComplete(t, tie)
			require.Equal(t, "nightly", tie.Get("RelationshipName"))
			require.Equal(t, uint64(4), tie.Get("CopyState"))
			require.Equal(t, uint64(3), tie.Get("ConsistencyState"))
			require.NotEmpty(t, r.Out.Get("SourceGroupName"))
			for _, pair := range s.instances(classStorageSynced) {
				require.Equal(t, "nightly", pair.Get("GroupRelationshipName"))
			}
			r = s.invoke(classReplicationSvc, "ModifyReplicaSynchronization", arg("Operation", 9), arg("Synchronization", tie.Path), arg("Force", true))
			require.Equal(t, uint64(0), r.Return, r.Reason)
			require.Empty(t, s.instances("CIM_Synchronized"))
			require.Len(t, s.instances(classStorageVolume), 4, "a dissolved replica stays")
		})
	}
}

// The rows of the parameter table that the service decides, seen from the
// outside; each leaves nothing behind.
func TestRealRefusals(t *testing.T) {
	s := newRealSystem(t)
	a, b := s.create("a", 'a'), s.create("b", 'b')
	good := []cim.Arg{arg("SyncType", 8), arg("SourceElements", []*cim.Path{a, b})}
	before := s.counts()
	for _, row := range []refusal{
		{"reserved type", []cim.Arg{arg("SyncType", 5)}, 5, "SyncType: "},
		{"type 0", []cim.Arg{arg("SyncType", 0)}, 5, "SyncType: "},
		{"tokenized clone", []cim.Arg{arg("SyncType", 9)}, 1, "SyncType: "},
		{"reserved type", []cim.Arg{arg("SyncType", 10)}, 5, "SyncType: "},
		{"vendor's type", []cim.Arg{arg("SyncType", 0x8000)}, 1, "SyncType: "},
		{"mode 4", []cim.Arg{arg("Mode", 4)}, 5, "Mode: "},
		{"async mirror", []cim.Arg{arg("SyncType", 6), arg("Mode", 3)}, 1, "Mode: "},
		{"no source", []cim.Arg{arg("SourceElements", nil)}, 5, "SourceElements: "},
		{"no source at all", []cim.Arg{arg("SourceElements", []cim.Value{})}, 5, "SourceElements: "},
		{"more names", []cim.Arg{arg("ElementNames", []string{"x", "y", "z"})}, 5, "ElementNames: "},
		{"second name in use", []cim.Arg{arg("ElementNames", []string{"x", "A"})}, 5, "ElementNames[1]: "},
		{"count differs", []cim.Arg{arg("TargetElements", a)}, 5, "TargetElements: "},
		{"its own target", []cim.Arg{arg("SourceElements", a), arg("TargetElements", a)}, 5, "TargetElements[0]: "},
		{"target and pool", []cim.Arg{arg("SourceElements", a), arg("TargetElements", b), arg("TargetPool", poolPath("fast"))}, 5, "TargetPool: "},
		{"target and setting", []cim.Arg{arg("SourceElements", a), arg("TargetElements", b), arg("TargetSettingGoal", byInstanceID(classStorageSetting, "TWINLUN:setting:thin"))}, 5, "TargetSettingGoal: "},
		{"target of a snapshot", []cim.Arg{arg("SyncType", 7), arg("SourceElements", a), arg("TargetElements", b)}, 1, "TargetElements: "},
		{"consistency 4", []cim.Arg{arg("Consistency", 4)}, 5, "Consistency: "},
		{"wait for Fractured", []cim.Arg{arg("WaitForCopyState", 6)}, 5, "WaitForCopyState: "},
		{"snapshot waits for Initialized", []cim.Arg{arg("SyncType", 7), arg("WaitForCopyState", 2)}, 5, "WaitForCopyState: "},
	} {
		r := s.invoke(classReplicationSvc, "CreateListReplica", with(good, row.with)...)
		require.Equal(t, row.code, r.Return, "%s: %s", row.name, r.Reason)
		require.True(t, strings.HasPrefix(r.Reason, row.why), "%s: %q", row.name, r.Reason)
		require.Equal(t, before, s.counts(), row.name)
	}
}

// A job belongs to who started it, and shows what it makes.
func TestRealJob(t *testing.T) {
	s := newRealSystem(t)
	a := s.create("a", 'a')
	r := s.invoke(classReplicationSvc, "CreateElementReplica", arg("SyncType", 8), arg("SourceElement", a), arg("ElementName", "copy"))
	require.Equal(t, uint64(jobStarted), r.Return, r.Reason)
	job, err := s.Get(admin(), r.Out.Get("Job").(*cim.Path))
	require.NoError(t, err)
	checkComplete(t, job)
	require.Equal(t, "eva", job.Get("Owner"))
	made := s.associated(cim.AssociationQuery{Object: job.Path, ResultClass: "CIM_StorageVolume"})
	require.Equal(t, []string{r.Out.Get("TargetElement").(*cim.Path).String()}, pathsOf(made))
	r = s.invoke(classReplicationSvc, "CreateElementReplica", arg("SyncType", 8), arg("SourceElement", a), arg("ElementName", "COPY"))
	require.Equal(t, uint64(5), r.Return)
	require.Regexp(t, "^ElementName: ", r.Reason)
}
