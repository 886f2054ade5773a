package classes

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/pairstate"
)

func TestRestoreFromReplica(t *testing.T) {
	const method = "RestoreFromReplica"
	s := newSystem(t)
	r := s.invoke(classReplicationSvc, method, arg("Synchronization", tiePath("g1", "g2")))
	require.Equal(t, &cim.Reply{Return: uint64(0), Out: cim.Args{}}, r)
	r = s.invoke(classReplicationSvc, method, arg("Synchronization", pairPath(1, 3)), arg("KeepName", "before"), arg("Force", true))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	require.Equal(t, []replication.RestoreRequest{{ID: "t1"}, {ID: "p1", KeepName: "before", Force: true}}, s.restored)
	kept := r.Out.Get("KeptSynchronizations").([]cim.Value)
	require.Len(t, kept, 1)
	require.True(t, cim.Equal(s.m.pairPath(s.pairs[0]), kept[0]))
	refuses(t, classReplicationSvc, method, []cim.Arg{arg("Synchronization", pairPath(1, 3))}, []refusal{
		{"nothing", []cim.Arg{arg("Synchronization", nil)}, 5, "Synchronization: "},
		{"unknown", []cim.Arg{arg("Synchronization", pairPath(3, 1))}, 5, "Synchronization: "},
		{"empty name", []cim.Arg{arg("KeepName", "")}, 5, "KeepName: "},
	}, "Restore")
}

func TestResizeVolume(t *testing.T) {
	const method = "ResizeVolume"
	s := newSystem(t)
	r := s.invoke(classStorageConfigSvc, method, arg("TheElement", s.vol(1)), arg("Size", 5000), arg("Force", true))
	require.Equal(t, &cim.Reply{Return: uint64(0), Out: cim.Args{{Name: "Size", Value: uint64(5120)}}}, r)
	s.fails = map[string]error{"ResizeVolume": &pool.LimitError{Pool: "fast", Limit: 2 << 30, Provisioned: 3 << 29, More: 1 << 30}}
	r = s.invoke(classStorageConfigSvc, method, arg("TheElement", s.vol(1)), arg("Size", 2<<30))
	require.Equal(t, []any{uint64(4097), uint64(3 << 29)}, []any{r.Return, r.Out.Get("Size")}, "it may grow as far")
	refuses(t, classStorageConfigSvc, method, []cim.Arg{arg("TheElement", plainVol(1)), arg("Size", 1<<40)}, []refusal{
		{"nothing", []cim.Arg{arg("TheElement", nil)}, 5, "TheElement: "},
		{"unknown", []cim.Arg{arg("TheElement", plainVol(77))}, 5, "TheElement: "},
		{"no size", []cim.Arg{arg("Size", nil)}, 5, "Size: "},
		{"size 0", []cim.Arg{arg("Size", 0)}, 5, "Size: "},
		{"where data is", []cim.Arg{arg("Size", 512)}, 5, "Size: it has data at 4096"},
	}, "UpdateVolume")
}

// While a volume is restored, both properties that clients look at say so.
func TestRestoringIsShown(t *testing.T) {
	s := pairstate.State{Copy: pairstate.Synchronized, Progress: pairstate.Restoring}
	require.Equal(t, uint64(10), syncState(pairstate.Snapshot, s))
	require.Equal(t, uint64(10), syncState(pairstate.Clone, s))
	s = pairstate.State{Copy: pairstate.Restored, Progress: pairstate.Completed}
	require.Equal(t, uint64(11), syncState(pairstate.Snapshot, s))
}

func (s *realSystem) fill(p *cim.Path, fill byte) {
	s.open(p, func(d blockdev.Device) {
		require.NoError(s.t, d.WriteAt(context.Background(), bytes.Repeat([]byte{fill}, realSize), 0))
	})
}

// modify carries out an operation, which must succeed, and returns the relationship.
func (s *realSystem) modify(sync *cim.Path, op int) *cim.Instance {
	s.t.Helper()
	r := s.invoke(classReplicationSvc, "ModifyReplicaSynchronization", arg("Operation", op), arg("Synchronization", sync), arg("WaitForCopyState", 4))
	require.Equal(s.t, uint64(0), r.Return, r.Reason)
	in, err := s.Get(admin(), sync)
	require.NoError(s.t, err)
	return in
}

func TestRealWayBack(t *testing.T) {
	s := newRealSystem(t)
	source := s.create("v", 'a')
	r := s.invoke(classReplicationSvc, "CreateElementReplica", arg("SyncType", 7), arg("SourceElement", source))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	target, sync := r.Out.Get("TargetElement").(*cim.Path), r.Out.Get("Synchronization").(*cim.Path)
	s.fill(source, 'b')
	require.Equal(t, uint64(4), s.modify(sync, 15).Get("CopyState"))
	s.holds(source, 'a')
	s.fill(target, 'c')
	require.Equal(t, uint64(18), s.modify(sync, 15).Get("CopyState"))
	s.holds(source, 'c')
	require.Equal(t, uint64(4), s.modify(sync, 27).Get("CopyState"))
	s.holds(target, 'a')

	r = s.invoke(classReplicationSvc, "RestoreFromReplica", arg("Synchronization", sync), arg("KeepName", "before"))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	s.holds(source, 'a')
	in, err := s.Get(admin(), r.Out.Get("KeptSynchronizations").([]cim.Value)[0].(*cim.Path))
	require.NoError(t, err)
	checkComplete(t, in)
	require.Equal(t, []any{"before", uint64(7), uint64(4)}, []any{in.Get("RelationshipName"), in.Get("SyncType"), in.Get("CopyState")})
	s.holds(in.Get("SyncedElement").(*cim.Path), 'c')
	require.Len(t, s.instances(classStorageSynced), 2)
}

func TestRealShrink(t *testing.T) {
	s := newRealSystem(t)
	v := s.create("v", 'a')
	smaller := []cim.Arg{arg("TheElement", v), arg("Size", realSize/2)}
	for _, method := range []string{createOrModifyName, "ResizeVolume"} {
		r := s.invoke(classStorageConfigSvc, method, smaller...)
		require.Equal(t, uint64(5), r.Return, method)
		require.Regexp(t, "^Size: v: volume [0-9a-f]+ has data at 524288, beyond the new size of 524288$", r.Reason)
		s.holds(v, 'a')
	}
	r := s.invoke(classStorageConfigSvc, "ResizeVolume", append(smaller, arg("Force", true))...)
	require.Equal(t, uint64(0), r.Return, r.Reason)
	r = s.invoke(classStorageConfigSvc, createOrModifyName, arg("TheElement", v), arg("Size", realSize))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	r = s.invoke(classStorageConfigSvc, createOrModifyName, smaller...)
	require.Equal(t, uint64(0), r.Return, "there is nothing in it: %s", r.Reason)
	require.Equal(t, uint64(realSize/2), r.Out.Get("Size"))
}
