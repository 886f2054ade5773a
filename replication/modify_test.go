package replication

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/replication/job"
	"twinlun/replication/pairstate"
)

// modify calls Modify.
func (w *world) modify(op Operation, id string) error {
	_, err := w.svc.Modify(context.Background(), ModifyRequest{Operation: op, ID: id})
	return err
}

// one makes a relationship of a new volume.
func (w *world) one(t pairstate.SyncType, name string, wait pairstate.CopyState) (id string, source, target VolumeRef) {
	w.t.Helper()
	source = w.volume("p0", name)
	res := w.list(ListRequest{SyncType: t, Sources: []VolumeRef{source}, Wait: Wait{State: wait}})
	return res.Relationships[0], source, res.Targets[0]
}

// isGone checks that a relationship and all hooks for it are no more.
func (w *world) isGone(id string, volumes ...VolumeRef) {
	w.t.Helper()
	_, err := w.svc.Relationship(context.Background(), id)
	refusedWith(w.t, err, KindInvalid, "Synchronization")
	for _, v := range volumes {
		if fv := w.pool(v.Pool).vols[v.ID]; fv != nil {
			require.Empty(w.t, fv.hooks)
			require.Zero(w.t, fv.handles)
		}
	}
	require.Empty(w.t, w.svc.claims.held)
}

func TestDetachAndDissolveKeepTheTarget(t *testing.T) {
	for _, c := range []struct {
		typ pairstate.SyncType
		op  Operation
	}{
		{pairstate.Clone, OpDetach}, {pairstate.Clone, OpDissolve}, {pairstate.Snapshot, OpDissolve}, {pairstate.Mirror, OpDissolve},
	} {
		w := newWorld(t)
		id, src, target := w.one(c.typ, "a", pairstate.Synchronized)
		want := w.read(src)
		require.NoError(t, w.modify(c.op, id))
		w.isGone(id, src, target)
		w.write(src, 0, []byte("no longer mirrored"))
		require.Equal(t, want, w.read(target))
		w.write(target, 0, []byte("mine"))
		require.NoError(t, w.svc.DeleteVolume(context.Background(), target))
		require.NoError(t, w.svc.DeleteVolume(context.Background(), src))
		w.restart()
		require.Len(t, w.dump(), 0)
	}
}

func TestReturnToPoolDeletesTheTarget(t *testing.T) {
	w := newWorld(t)
	id, src, target := w.one(pairstate.Snapshot, "a", pairstate.Synchronized)
	require.NoError(t, w.modify(OpReturnToPool, id))
	w.isGone(id, src)
	_, err := w.svc.Volume(context.Background(), target)
	refusedWith(t, err, KindInvalid, "Volume")
}

func TestForce(t *testing.T) {
	w := newWorld(t)
	gate := w.pools[0].hold()
	defer close(gate)
	id, src, target := w.one(pairstate.Clone, "a", pairstate.Initialized)
	refusedWith(t, w.modify(OpDissolve, id), KindInUse, "Operation")
	_, err := w.svc.Modify(context.Background(), ModifyRequest{Operation: OpDissolve, ID: id, Force: true})
	require.NoError(t, err)
	w.isGone(id, src, target)
	id, src, target = w.one(pairstate.Mirror, "b", pairstate.Synchronized)
	refusedWith(t, w.modify(OpDetach, id), KindInUse, "Operation")
	_, err = w.svc.Modify(context.Background(), ModifyRequest{Operation: OpDetach, ID: id, Force: true, Wait: Wait{State: pairstate.NotApplicable}})
	require.NoError(t, err)
	w.isGone(id, src, target)
}

func TestModifyRefusals(t *testing.T) {
	s := newScene(t)
	find := func(v VolumeRef) string {
		l, err := s.svc.RelationshipsOf(context.Background(), v)
		require.NoError(t, err)
		require.Len(t, l, 1)
		return l[0].ID
	}
	snap, copying, mirrored, asleep := find(s.taken), find(s.copying), find(s.mirrored), find(s.asleep)
	for _, c := range []struct {
		name  string
		r     ModifyRequest
		kind  Kind
		param string
	}{
		{"operation 0", ModifyRequest{ID: snap}, KindInvalid, "Operation"},
		{"operation 1", ModifyRequest{Operation: 1, ID: snap}, KindInvalid, "Operation"},
		{"operation 28", ModifyRequest{Operation: 28, ID: snap}, KindInvalid, "Operation"},
		{"vendor operation", ModifyRequest{Operation: 0x8001, ID: snap}, KindNotSupported, "Operation"},
		{"fracture", ModifyRequest{Operation: OpFracture, ID: mirrored}, KindNotSupported, "Operation"},
		{"reset a mirror", ModifyRequest{Operation: OpResetReplica, ID: mirrored}, KindNotSupported, "Operation"},
		{"unknown", ModifyRequest{Operation: OpDissolve, ID: "nope"}, KindInvalid, "Synchronization"},
		{"detach a snapshot", ModifyRequest{Operation: OpDetach, ID: snap}, KindNotSupported, "Operation"},
		{"return a clone", ModifyRequest{Operation: OpReturnToPool, ID: copying}, KindNotSupported, "Operation"},
		{"return a mirror", ModifyRequest{Operation: OpReturnToPool, ID: mirrored}, KindNotSupported, "Operation"},
		{"detach a copying clone", ModifyRequest{Operation: OpDetach, ID: copying, Force: true}, KindInUse, "Operation"},
		{"activate an active one", ModifyRequest{Operation: OpActivate, ID: snap}, KindFailed, "Operation"},
		{"activate and wait for inactive", ModifyRequest{Operation: OpActivate, ID: asleep, Wait: Wait{State: pairstate.Inactive}}, KindInvalid, "WaitForCopyState"},
		{"dissolve and wait", ModifyRequest{Operation: OpDissolve, ID: snap, Wait: Wait{State: pairstate.Synchronized}}, KindInvalid, "WaitForCopyState"},
		{"pair of a group", ModifyRequest{Operation: OpDissolve, ID: s.tied.Pairs[0]}, KindInUse, "Synchronization"},
	} {
		s.refuses(c.name, c.kind, c.param, func() error {
			_, err := s.svc.Modify(context.Background(), c.r)
			return err
		})
	}
	s.expose(s.taken, 0)
	s.refuses("return what is exposed", KindInUse, "Synchronization", func() error { return s.modify(OpReturnToPool, snap) })
	s.expose(s.asleep, 1)
	s.refuses("activate what is in use", KindInUse, "Synchronization", func() error { return s.modify(OpActivate, asleep) })
	h := s.svc.claims.hold()
	require.True(t, h.share(volumeClaim(s.mirrored)))
	s.refuses("dissolve what is claimed", KindInUse, "Synchronization", func() error { return s.modify(OpDissolve, mirrored) })
	h.release()
}

func TestReturnRefusesTargetsInUse(t *testing.T) {
	w := newWorld(t)
	id, src, target := w.one(pairstate.Snapshot, "a", pairstate.Synchronized)
	second := w.list(ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{target}})
	refusedWith(t, w.modify(OpReturnToPool, id), KindInUse, "Synchronization")
	require.NoError(t, w.modify(OpReturnToPool, second.Relationships[0]))
	g, err := w.svc.CreateGroup(context.Background(), GroupSpec{Members: []VolumeRef{target}})
	require.NoError(t, err)
	refusedWith(t, w.modify(OpReturnToPool, id), KindInUse, "Synchronization")
	require.NoError(t, w.svc.DeleteGroup(context.Background(), g.ID))
	d, err := w.pools[0].Open(context.Background(), target.ID)
	require.NoError(t, err)
	refusedWith(t, w.modify(OpReturnToPool, id), KindInUse, "")
	require.Equal(t, pairstate.Synchronized, w.state(id).Copy, "it is as it was")
	require.NoError(t, d.WriteAt(context.Background(), []byte("x"), 0))
	require.Equal(t, pairstate.Skewed, w.state(id).Copy, "and still watched")
	require.NoError(t, d.Close())
	require.NoError(t, w.modify(OpReturnToPool, id))
	w.isGone(id, src)
}

func TestFailedActivateStaysInactive(t *testing.T) {
	w := newWorld(t)
	id, _, target := w.one(pairstate.Clone, "a", pairstate.Inactive)
	w.pools[0].setFault(func(op, _ string) error {
		if op == "snapshot" {
			return blockdev.Errorf(blockdev.KindNoSpace, op, "full")
		}
		return nil
	})
	refusedWith(t, w.modify(OpActivate, id), KindFailed, "")
	require.Equal(t, pairstate.Inactive, w.state(id).Copy)
	require.True(t, blockdev.Is(w.tryWrite(target, 0, []byte("x")), blockdev.KindReadOnly))
	w.pools[0].setFault(nil)
	gate := w.pools[0].hold()
	j, err := w.svc.Modify(context.Background(), ModifyRequest{Operation: OpActivate, ID: id, Wait: Wait{State: pairstate.Synchronized, For: time.Millisecond}})
	require.NoError(t, err)
	require.NotEmpty(t, j)
	close(gate)
	require.Equal(t, job.Completed, w.jobEnds(j).State)
	require.Equal(t, pairstate.Synchronized, w.state(id).Copy)
}

func TestCanceledActivateBreaksThePair(t *testing.T) {
	w := newWorld(t)
	id, src, target := w.one(pairstate.Clone, "a", pairstate.Inactive)
	w.pools[0].hold()
	j, err := w.svc.Modify(context.Background(), ModifyRequest{Operation: OpActivate, ID: id})
	require.NoError(t, err)
	require.NoError(t, w.svc.CancelJob(context.Background(), j))
	require.Equal(t, job.Terminated, w.jobEnds(j).State)
	r, err := w.svc.Relationship(context.Background(), id)
	require.NoError(t, err)
	require.Equal(t, pairstate.Broken, r.State.Copy)
	require.NotEmpty(t, r.Reason)
	require.NoError(t, w.modify(OpDissolve, id))
	w.isGone(id, src, target)
}

func TestReturnOfAGroupStopsAtAnOpenTarget(t *testing.T) {
	w := newWorld(t)
	res := w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: w.volumes("a", "b", "c")})
	d, err := w.pools[0].Open(context.Background(), res.Targets[1].ID)
	require.NoError(t, err)
	refusedWith(t, w.modify(OpReturnToPool, res.GroupRelationship), KindInUse, "")
	tie, err := w.svc.GroupRelationship(context.Background(), res.GroupRelationship)
	require.NoError(t, err)
	require.Equal(t, res.Relationships[1:], tie.Pairs)
	require.Equal(t, pairstate.Synchronized, tie.State.Copy)
	g, err := w.svc.Group(context.Background(), res.TargetGroup)
	require.NoError(t, err)
	require.Equal(t, res.Targets[1:], g.Members)
	require.NoError(t, d.Close())
	require.NoError(t, w.modify(OpReturnToPool, res.GroupRelationship))
	w.isGone(res.Relationships[2])
}

// TestFailedEndLetsTheMirrorGoOn fails each change of the store that a Dissolve
// makes after its decision; those of the mirror's log do not stop it.
func TestFailedEndLetsTheMirrorGoOn(t *testing.T) {
	failed := false
	for n := int64(1); n < 4 && !failed; n++ {
		w := newWorld(t)
		id, src, target := w.one(pairstate.Mirror, "a", pairstate.Synchronized)
		var stores atomic.Int64
		w.wire.watch(func(_ int64, what string, after bool) error {
			r, _ := w.svc.book.record(id)
			if what == "store" && !after && r.State.Progress == pairstate.Detaching && stores.Add(1) == n {
				return blockdev.Errorf(blockdev.KindIO, what, "injected")
			}
			return nil
		})
		err := w.modify(OpDissolve, id)
		w.wire.watch(nil)
		if failed = err != nil; !failed {
			continue
		}
		require.Equal(t, KindFailed, KindOf(err))
		w.reaches(pairstate.Synchronized, id)
		require.True(t, blockdev.Is(w.tryWrite(target, 0, []byte("x")), blockdev.KindReadOnly))
		w.write(src, 0, []byte("still followed"))
		require.Equal(t, w.read(src), w.read(target))
		_, err = w.svc.Modify(context.Background(), ModifyRequest{Operation: OpDissolve, ID: id, Force: true})
		require.NoError(t, err)
		w.isGone(id, src, target)
	}
	require.True(t, failed)
}

func TestViews(t *testing.T) {
	s := newScene(t)
	ctx := context.Background()
	pools, err := s.svc.Pools(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"p0", "p1"}, []string{pools[0].Name, pools[1].Name})
	vols, err := listed(ctx, s.svc.EachVolume)
	require.NoError(t, err)
	require.Equal(t, "elsewhere", vols[len(vols)-1].Name)
	all, err := s.svc.Relationships(ctx)
	require.NoError(t, err)
	of, err := s.svc.RelationshipsOf(ctx, s.busy)
	require.NoError(t, err)
	require.Equal(t, all, of, "they all have one source")
	_, err = s.svc.GroupRelationship(ctx, "nope")
	refusedWith(t, err, KindInvalid, "Synchronization")
	s.pools[1].setFault(func(op, _ string) error { return blockdev.Errorf(blockdev.KindIO, op, "injected") })
	_, err = s.svc.Pools(ctx)
	require.Equal(t, KindFailed, KindOf(err))
	_, err = listed(ctx, s.svc.EachVolume)
	require.Equal(t, KindFailed, KindOf(err))
	s.pools[1].setFault(nil)
}
