package replication

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
)

// restore calls Restore, which must succeed.
func (w *world) restore(r RestoreRequest) []string {
	w.t.Helper()
	kept, err := w.svc.Restore(context.Background(), r)
	require.NoError(w.t, err)
	require.Empty(w.t, w.svc.claims.held)
	return kept
}

// settled checks that a relationship is at rest in a copy state.
func (w *world) settled(id string, c pairstate.CopyState) {
	w.t.Helper()
	require.Equal(w.t, pairstate.State{Copy: c, Requested: pairstate.NotApplicable, Progress: pairstate.Completed}, w.state(id))
	r, _ := w.svc.book.record(id)
	require.Nil(w.t, r.Revert)
}

func TestRestoreFromASnapshot(t *testing.T) {
	w := newWorld(t)
	id, src, target := w.one(pairstate.Snapshot, "a", pairstate.Synchronized)
	other := w.list(ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{src}})
	want := w.read(src)
	before, err := w.svc.Relationship(context.Background(), id)
	require.NoError(t, err)
	for range 2 {
		w.write(src, 100, []byte("changed"))
		require.NoError(t, w.modify(OpRestore, id))
		w.settled(id, pairstate.Synchronized)
		for _, v := range []VolumeRef{src, target, other.Targets[0]} {
			require.Equal(t, want, w.read(v))
		}
	}
	after, err := w.svc.Relationship(context.Background(), id)
	require.NoError(t, err)
	require.Equal(t, before, after, "it is the point in time that it was")
	require.Len(t, w.pools[0].vols[src.ID].hooks, 0)
	w.write(target, 0, []byte("x"))
	w.settled(id, pairstate.Skewed)
	require.NoError(t, w.modify(OpReturnToPool, id))
	w.isGone(id, src)
}

func TestRestoreFromASnapshotThatWasWrittenTo(t *testing.T) {
	w := newWorld(t)
	id, src, target := w.one(pairstate.Snapshot, "a", pairstate.Synchronized)
	point := w.read(src)
	w.write(target, 50, []byte("of the snapshot"))
	w.write(src, 60, []byte("of the source"))
	want := w.read(target)
	require.NoError(t, w.modify(OpRestore, id))
	w.settled(id, pairstate.Restored)
	require.Equal(t, want, w.read(src))
	w.restart()
	w.settled(id, pairstate.Restored)
	require.NoError(t, w.modify(OpRestore, id))
	w.settled(id, pairstate.Restored)
	require.NoError(t, w.modify(OpResetReplica, id))
	w.settled(id, pairstate.Synchronized)
	require.Equal(t, point, w.read(target))
	require.Equal(t, want, w.read(src))
	w.write(target, 0, []byte("again"))
	w.settled(id, pairstate.Skewed)
}

func TestReset(t *testing.T) {
	w := newWorld(t)
	id, src, target := w.one(pairstate.Snapshot, "a", pairstate.Synchronized)
	want := w.read(src)
	w.write(src, 0, []byte("later"))
	for range 2 {
		w.write(target, 0, []byte("scribbled"))
		w.settled(id, pairstate.Skewed)
		require.NoError(t, w.modify(OpResetReplica, id))
		w.settled(id, pairstate.Synchronized)
		require.Equal(t, want, w.read(target))
		r, _ := w.svc.book.record(id)
		require.False(t, r.Written)
	}
	require.NoError(t, w.modify(OpResetReplica, id), "what nobody has written to is what it was")
	require.Equal(t, []byte("later"), w.read(src)[:5])
	w.restart()
	w.write(target, 0, []byte("scribbled"))
	w.settled(id, pairstate.Skewed)
}

func TestRestoreFromAClone(t *testing.T) {
	w := newWorld(t)
	gate := w.pools[0].hold()
	id, src, target := w.one(pairstate.Clone, "a", pairstate.Initialized)
	want := w.read(src)
	refusedWith(t, w.modify(OpRestore, id), KindInUse, "Operation") // it is not complete
	close(gate)
	w.reaches(pairstate.Synchronized, id)
	w.write(src, 0, []byte("changed"))
	require.NoError(t, w.modify(OpRestore, id))
	w.settled(id, pairstate.Synchronized)
	require.Equal(t, want, w.read(src))
	refusedWith(t, w.modify(OpResetReplica, id), KindNotSupported, "Operation")
	require.NoError(t, w.modify(OpDetach, id))
	w.isGone(id, src, target)
}

// TestRestoreOfAClone: the source is itself a target, which has more than its point
// in time then.
func TestRestoreOfAClone(t *testing.T) {
	w := newWorld(t)
	first, _, clone := w.one(pairstate.Clone, "a", pairstate.Synchronized)
	snap := w.list(ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{clone}}).Relationships[0]
	require.NoError(t, w.modify(OpRestore, snap))
	w.settled(first, pairstate.Skewed)
	w.settled(snap, pairstate.Synchronized)
}

func TestRestoreKeepsWhatWas(t *testing.T) {
	w := newWorld(t)
	id, src, target := w.one(pairstate.Snapshot, "a", pairstate.Synchronized)
	w.write(src, 0, []byte("changed"))
	was := w.read(src)
	kept := w.restore(RestoreRequest{ID: id, KeepName: "before"})
	require.Len(t, kept, 1)
	for range 2 {
		r, err := w.svc.Relationship(context.Background(), kept[0])
		require.NoError(t, err)
		require.Equal(t, []any{"before", src, pairstate.Snapshot}, []any{r.Name, r.Source, r.Type})
		w.settled(kept[0], pairstate.Synchronized)
		require.Equal(t, was, w.read(r.Target))
		require.Equal(t, w.read(target), w.read(src))
		require.False(t, r.WhenSynchronized.IsZero())
		w.restart()
	}
	require.NoError(t, w.modify(OpRestore, kept[0]), "and back again")
	require.Equal(t, was, w.read(src))
	r, err := w.svc.Relationship(context.Background(), kept[0])
	require.NoError(t, err)
	w.write(r.Target, 0, []byte("x"))
	w.settled(kept[0], pairstate.Skewed)
	require.NoError(t, w.modify(OpReturnToPool, kept[0]))
	w.isGone(kept[0])
}

func TestRestoreOfAGroup(t *testing.T) {
	w := newWorld(t)
	src := w.volumes("a", "b", "c")
	res := w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: src, RelationshipName: "g"})
	var want, was [][]byte
	for _, v := range src {
		want = append(want, w.read(v))
		w.write(v, 10, []byte("changed"))
		was = append(was, w.read(v))
	}
	w.write(res.Targets[1], 900, []byte("skewed"))
	want[1] = w.read(res.Targets[1])
	refusedWith(t, w.modify(OpRestore, res.Relationships[0]), KindInUse, "Synchronization") // the group must be named
	kept := w.restore(RestoreRequest{ID: res.GroupRelationship, KeepName: "old"})
	require.Len(t, kept, 3)
	for i, v := range src {
		require.Equal(t, want[i], w.read(v))
		r, err := w.svc.Relationship(context.Background(), kept[i])
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("old_%d", i+1), r.Name)
		require.Empty(t, r.Group)
		require.Equal(t, was[i], w.read(r.Target))
	}
	g, err := w.svc.GroupRelationship(context.Background(), res.GroupRelationship)
	require.NoError(t, err)
	require.Equal(t, pairstate.Mixed, g.State.Copy)
	w.settled(res.Relationships[1], pairstate.Restored)
	require.NoError(t, w.modify(OpResetReplica, res.GroupRelationship))
	g, err = w.svc.GroupRelationship(context.Background(), res.GroupRelationship)
	require.NoError(t, err)
	require.Equal(t, pairstate.Synchronized, g.State.Copy)
}

// TestRevertRefusals: what is refused has changed nothing.
func TestRevertRefusals(t *testing.T) {
	s := newScene(t)
	ctx := context.Background()
	make1 := func(r ListRequest, src VolumeRef) (string, VolumeRef) {
		r.Sources = []VolumeRef{src}
		res := s.list(r)
		return res.Relationships[0], res.Targets[0]
	}
	snap := ListRequest{SyncType: pairstate.Snapshot}
	of := func(v VolumeRef) string { r, _ := s.svc.book.recordTo(v); return r.ID }
	restore := func(id, keep string) func() error {
		return func() error {
			_, err := s.svc.Restore(ctx, RestoreRequest{ID: id, KeepName: keep})
			return err
		}
	}
	reset := func(id string) func() error { return func() error { return s.modify(OpResetReplica, id) } }
	ofOnline, onlineSnap := make1(snap, s.online)
	ofT3, t3Snap := make1(snap, s.t3)
	ofSnap, snapOfSnap := make1(snap, t3Snap)
	grown, _ := make1(snap, s.t2)
	_, err := s.svc.ResizeVolume(ctx, s.t2, 2*volumeSize, false)
	require.NoError(t, err)
	group := s.world.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{s.c, s.elsewhere}, Consistency: NoConsistency})
	s.expose(t3Snap, 1)

	s.refuses("source of a mirror", KindInUse, "Synchronization", restore(of(s.taken), ""))
	s.refuses("inactive", KindFailed, "Operation", restore(func() string {
		id, _ := make1(ListRequest{SyncType: pairstate.Snapshot, Wait: Wait{State: pairstate.Inactive}}, s.c)
		return id
	}(), ""))
	s.refuses("mirror", KindNotSupported, "Operation", restore(of(s.mirrored), ""))
	s.refuses("sessions", KindInUse, "Synchronization", restore(ofOnline, "k"))
	s.refuses("snapshot of a snapshot", KindInUse, "Synchronization", restore(ofSnap, ""))
	s.refuses("grown since", KindInvalid, "Synchronization", restore(grown, ""))
	s.refuses("two pools", KindNotSupported, "Synchronization", restore(group.GroupRelationship, ""))
	s.refuses("name taken", KindInvalid, "KeepName", restore(ofT3, "T3"))
	s.refuses("bad name", KindInvalid, "KeepName", restore(ofT3, "a\n"))
	s.refuses("nothing", KindInvalid, "Synchronization", restore("none", ""))
	s.refuses("reset what has sessions", KindInUse, "Synchronization", reset(ofT3))
	s.refuses("reset a mirror", KindNotSupported, "Operation", reset(of(s.mirrored)))
	s.refuses("wait for what never comes", KindInvalid, "WaitForCopyState", func() error {
		_, err := s.svc.Modify(ctx, ModifyRequest{Operation: OpRestore, ID: ofT3, Wait: Wait{State: pairstate.Inactive}})
		return err
	})
	s.pools[0].setFault(func(op, _ string) error {
		if op == "restore" || op == "reset" {
			return blockdev.Errorf(blockdev.KindNoSpace, op, "injected")
		}
		return nil
	})
	s.refuses("full", KindFailed, "Synchronization", restore(ofT3, "k"))
	s.refuses("full, reset", KindFailed, "Synchronization", reset(ofSnap))
	s.pools[0].setFault(func(op, _ string) error {
		if op == "restore" {
			return blockdev.Wrap(blockdev.KindNoSpace, op, &pool.LimitError{Pool: "p0", Limit: 100, Provisioned: 90, More: 20})
		}
		return nil
	})
	s.refuses("beyond the limit", KindFailed, "KeepName", restore(ofT3, "k"))
	s.pools[0].setFault(nil)

	s.restoreForced(ofOnline, s.online, onlineSnap)
	_, err = s.svc.Modify(ctx, ModifyRequest{Operation: OpResetReplica, ID: ofT3, Force: true})
	require.NoError(t, err)
	require.Equal(t, s.read(s.t3), s.read(snapOfSnap))
}

func (s *scene) restoreForced(id string, src, target VolumeRef) {
	s.t.Helper()
	s.write(src, 0, []byte("changed"))
	_, err := s.svc.Restore(context.Background(), RestoreRequest{ID: id, Force: true})
	require.NoError(s.t, err)
	require.Equal(s.t, s.read(target), s.read(src))
}

// TestWritesWaitForARevert: what a host writes while its volume is taken back comes
// after it, and is noted.
func TestWritesWaitForARevert(t *testing.T) {
	for _, op := range []Operation{OpRestore, OpResetReplica} {
		w := newWorld(t)
		id, src, target := w.one(pairstate.Snapshot, "a", pairstate.Synchronized)
		want := w.read(src)
		w.write(src, 0, []byte("changed"))
		v := src
		if op == OpResetReplica {
			v = target
			w.write(target, 0, []byte("changed"))
		}
		inside, leave := make(chan struct{}), make(chan struct{})
		w.pools[0].setFault(func(o, _ string) error {
			if o == "restore" || o == "reset" {
				close(inside)
				<-leave
			}
			return nil
		})
		var wg sync.WaitGroup
		var failed, wrote error
		var done atomic.Bool
		wg.Go(func() { failed = w.modify(op, id) })
		<-inside
		wg.Go(func() { wrote = w.tryWrite(v, 8, []byte("during")); done.Store(true) })
		_, err := w.svc.CreateList(context.Background(), ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{v}})
		require.Equal(t, KindInUse, KindOf(err))
		require.Equal(t, KindInUse, KindOf(w.svc.DeleteVolume(context.Background(), v)))
		require.False(t, done.Load())
		close(leave)
		wg.Wait()
		require.NoError(t, failed)
		require.NoError(t, wrote)
		copy(want[8:], "during")
		require.Equal(t, want, w.read(v))
		if op == OpResetReplica {
			w.settled(id, pairstate.Skewed)
		}
		require.LessOrEqual(t, len(w.pools[0].vols[v.ID].hooks), 1)
	}
}

func TestEventsOfAWayBack(t *testing.T) {
	l := newLedger()
	w := newWorld(t, listening(l))
	id, _, target := w.one(pairstate.Snapshot, "a", pairstate.Synchronized)
	w.write(target, 0, []byte("x"))
	w.agrees(l)
	l.about()
	w.restore(RestoreRequest{ID: id, KeepName: "kept"})
	w.agrees(l)
	require.Equal(t, []string{"relationship modified Skewed", "volume created", "relationship modified Restored", "relationship created Synchronized"}, l.about())
	require.NoError(t, w.modify(OpResetReplica, id))
	w.agrees(l)
	require.Equal(t, []string{"relationship modified Restored", "relationship modified Synchronized"}, l.about())
	v := w.volume("p0", "v")
	_, err := w.svc.ResizeVolume(context.Background(), v, 4096, true)
	require.NoError(t, err)
	w.agrees(l)
	require.Equal(t, []string{"volume created", "volume modified"}, l.about())
}

// passed is a hook that tells of changes on their way.
type passed chan struct{}

func (p passed) Apply(_ context.Context, _ blockdev.Change, next func() error) error {
	p <- struct{}{}
	return next()
}

// TestRefusedWriteIsNone: what a host tries to write to a read-only snapshot while that
// is reset is refused, and not noted.
func TestRefusedWriteIsNone(t *testing.T) {
	w := newWorld(t)
	res := w.list(ListRequest{
		SyncType: pairstate.Snapshot, Sources: []VolumeRef{w.volume("p0", "a")}, Settings: Settings{TargetReadOnly: true},
	})
	p, target, wrote := make(passed), res.Targets[0], make(chan error)
	w.pools[0].setFault(func(op, _ string) error {
		if op == "reset" {
			_, err := w.pools[0].Attach(context.Background(), target.ID, p)
			require.NoError(t, err)
			go func() { wrote <- w.tryWrite(target, 0, []byte("during")) }()
			<-p
		}
		return nil
	})
	require.NoError(t, w.modify(OpResetReplica, res.Relationships[0]))
	require.True(t, blockdev.Is(<-wrote, blockdev.KindReadOnly))
	w.settled(res.Relationships[0], pairstate.Synchronized)
}
