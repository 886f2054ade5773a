package replication

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
	"twinlun/replication/store"
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

// TestCrashAnywhereInARevert kills the daemon before and after every change that a
// Restore or Reset of a group makes: all volumes have their old content or all the
// new one, and the relationships say so.
func TestCrashAnywhereInARevert(t *testing.T) {
	for name, do := range map[string]func(*Service, string) error{
		"restore": func(s *Service, id string) error {
			_, err := s.Restore(context.Background(), RestoreRequest{ID: id})
			return err
		},
		"restore and keep": func(s *Service, id string) error {
			_, err := s.Restore(context.Background(), RestoreRequest{ID: id, KeepName: "k"})
			return err
		},
		"reset": func(s *Service, id string) error {
			_, err := s.Modify(context.Background(), ModifyRequest{Operation: OpResetReplica, ID: id})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := int64(1)
			for crashInRevert(t, do, n, false) {
				crashInRevert(t, do, n, true)
				n++
			}
			require.Greater(t, n, int64(3))
		})
	}
}

func crashInRevert(t *testing.T, do func(*Service, string) error, n int64, after bool) bool {
	w := newWorld(t)
	src := w.volumes("a", "b")
	res := w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: src})
	w.write(res.Targets[0], 0, []byte("skewed"))
	for _, v := range src {
		w.write(v, 9, []byte("changed"))
	}
	before := [][]byte{w.read(src[0]), w.read(src[1])}
	died := w.dieAt(n, after)
	err := do(w.svc, res.GroupRelationship)
	reached := died.Load()
	w.crash()
	l, listErr := w.svc.Relationships(context.Background())
	require.NoError(t, listErr)
	for _, r := range l {
		w.settled(r.ID, r.State.Copy)
	}
	at := fmt.Sprintf("crash at change %d, after it %t", n, after)
	back := bytes.Equal(before[0], w.read(src[0]))
	require.Equal(t, back, bytes.Equal(before[1], w.read(src[1])), at)
	kept := len(w.pools[0].vols) - 4
	require.Equal(t, 2+kept, len(l), at)
	if back {
		require.Zero(t, kept, at)
	} else {
		require.Equal(t, w.read(res.Targets[0]), w.read(src[0]), at)
		w.settled(res.Relationships[0], pairstate.Restored)
	}
	if err == nil {
		require.True(t, !back || w.state(res.Relationships[0]).Copy == pairstate.Synchronized, at)
	}
	require.NoError(t, w.modify(OpRestore, res.GroupRelationship), at)
	require.NoError(t, w.modify(OpResetReplica, res.GroupRelationship), at)
	return reached
}

// TestStoreFailsInARestore: the daemon lives on, and the next request finds out.
func TestStoreFailsInARestore(t *testing.T) {
	for n := int64(1); n < 4; n++ {
		w := newWorld(t)
		id, src, target := w.one(pairstate.Snapshot, "a", pairstate.Synchronized)
		w.write(src, 0, []byte("changed"))
		start := w.wire.calls.Load()
		w.wire.watch(func(i int64, what string, after bool) error {
			if i >= start+n && what == "store" && !after {
				return errDead
			}
			return nil
		})
		require.Error(t, w.modify(OpRestore, id))
		w.wire.watch(nil)
		require.NoError(t, w.tryWrite(src, 100, []byte("the host goes on")))
		w.settledOrStuck(id)
		require.NoError(t, w.modify(OpRestore, id))
		w.settled(id, pairstate.Synchronized)
		require.Equal(t, w.read(target), w.read(src))
		w.isUnheld()
	}
}

// settledOrStuck checks that a stuck Restore can be told.
func (w *world) settledOrStuck(id string) {
	w.t.Helper()
	if s := w.state(id); !s.Idle() {
		require.Equal(w.t, pairstate.Restoring, s.Progress)
	}
}

func (w *world) isUnheld() {
	w.t.Helper()
	require.Empty(w.t, w.svc.claims.held)
}

// TestRevertsAmongOthers restores, resets, snapshots, deletes, exposes and writes at
// the same time. In the end all is at rest and nothing is held.
func TestRevertsAmongOthers(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	src := w.volumes("a", "b")
	res := w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: src})
	single := w.list(ListRequest{SyncType: pairstate.Snapshot, Sources: src[:1]})
	var wg sync.WaitGroup
	for name, f := range map[string]func(i int){
		"group": func(int) { _ = w.modify(OpRestore, res.GroupRelationship) },
		"one": func(i int) {
			_, _ = w.svc.Restore(ctx, RestoreRequest{ID: single.Relationships[0], KeepName: fmt.Sprint("k", i)})
		},
		"reset":    func(int) { _ = w.modify(OpResetReplica, res.GroupRelationship) },
		"snapshot": func(int) { w.passing(src[0]) },
		"expose":   func(i int) { w.expose(src[1], i%2) },
		"write":    func(i int) { _ = w.tryWrite(src[i%2], int64(i), []byte("x")) },
		"scribble": func(i int) { _ = w.tryWrite(res.Targets[i%2], int64(i), []byte("x")) },
		"delete":   func(int) { _ = w.svc.DeleteVolume(ctx, src[0]) },
		"resize":   func(int) { _, _ = w.svc.ResizeVolume(ctx, src[1], volumeSize/2, true) },
	} {
		wg.Go(func() {
			for i := range 30 {
				f(i)
			}
			_ = name
		})
	}
	wg.Wait()
	w.isUnheld()
	l, err := w.svc.Relationships(ctx)
	require.NoError(t, err)
	for _, r := range l {
		require.True(t, r.State.Idle(), "%v", r)
	}
	w.expose(src[1], 0)
	require.NoError(t, w.modify(OpRestore, res.GroupRelationship))
	for i, v := range src {
		require.Equal(t, w.read(res.Targets[i]), w.read(v))
	}
}

// passing makes a snapshot and deletes it.
func (w *world) passing(src VolumeRef) {
	made, err := w.svc.CreateList(context.Background(), ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{src}})
	if err != nil {
		return
	}
	_ = w.modify(OpReturnToPool, made.Relationships[0])
}

// TestRestoreOnLayers does it with files and a database, and once more after a stop.
func TestRestoreOnLayers(t *testing.T) {
	r := newReal(t)
	ctx := context.Background()
	first, second := bytes.Repeat([]byte("first "), 2000), bytes.Repeat([]byte("second"), 3000)
	src := r.volume("v", first)
	res, err := r.svc.CreateList(ctx, ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{src}})
	require.NoError(t, err)
	require.NoError(t, r.write(src, second))
	kept, err := r.svc.Restore(ctx, RestoreRequest{ID: res.Relationships[0], KeepName: "kept"})
	require.NoError(t, err)
	r.close()
	r.open()
	for v, want := range map[VolumeRef][]byte{src: first, res.Targets[0]: first, r.targetOf(kept[0]): second} {
		require.Equal(t, want, r.head(v, len(want)))
	}
	require.NoError(t, r.write(res.Targets[0], second))
	_, err = r.svc.Modify(ctx, ModifyRequest{Operation: OpResetReplica, ID: res.Relationships[0]})
	require.NoError(t, err)
	require.Equal(t, first, r.head(res.Targets[0], len(first)))
}

func (r *real) targetOf(id string) VolumeRef {
	r.t.Helper()
	rel, err := r.svc.Relationship(context.Background(), id)
	require.NoError(r.t, err)
	return rel.Target
}

func (r *real) head(v VolumeRef, n int) []byte {
	r.t.Helper()
	d, err := r.pool.Open(context.Background(), v.ID)
	require.NoError(r.t, err)
	defer func() { require.NoError(r.t, d.Close()) }()
	p := make([]byte, n)
	require.NoError(r.t, d.ReadAt(context.Background(), p, 0))
	return p
}

func TestResizeVolume(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	v := w.volume("p0", "v")
	_, err := w.svc.ResizeVolume(ctx, v, volumeSize/2, false)
	refusedWith(t, err, KindInvalid, "Size")
	require.Contains(t, err.Error(), fmt.Sprint("data at ", volumeSize/2))
	_, err = w.svc.UpdateVolume(ctx, v, func(v *pool.Volume) error { v.Size, v.Name = volumeSize/2, "w"; return nil })
	refusedWith(t, err, KindInvalid, "Size")
	got, err := w.svc.ResizeVolume(ctx, v, volumeSize/2, true)
	require.NoError(t, err)
	require.Equal(t, []any{int64(volumeSize / 2), "v"}, []any{got.Size, got.Name})
	got, err = w.svc.ResizeVolume(ctx, v, volumeSize, false)
	require.NoError(t, err)
	require.Equal(t, int64(volumeSize), got.Size)
	got, err = w.svc.UpdateVolume(ctx, v, func(v *pool.Volume) error { v.Size = volumeSize / 2; return nil })
	require.NoError(t, err, "there is nothing in it")
	require.Equal(t, int64(volumeSize/2), got.Size)

	w.expose(v, 0)
	_, err = w.svc.ResizeVolume(ctx, v, 4096, true)
	refusedWith(t, err, KindInUse, "Size")
	_, err = w.svc.ResizeVolume(ctx, v, volumeSize, false)
	require.NoError(t, err, "it can grow while it is in use")
	id, _, target := w.one(pairstate.Snapshot, "a", pairstate.Synchronized)
	r, err := w.svc.Relationship(ctx, id)
	require.NoError(t, err)
	for _, v := range []VolumeRef{r.Source, target} {
		_, err = w.svc.ResizeVolume(ctx, v, 4096, true)
		refusedWith(t, err, KindInUse, "Size")
	}
	_, err = w.svc.ResizeVolume(ctx, target, 2*volumeSize, false)
	refusedWith(t, err, KindInUse, "Size")
	_, err = w.svc.ResizeVolume(ctx, r.Source, 2*volumeSize, false)
	require.NoError(t, err, "a point in time that was taken does not need it")
	open := w.volume("p0", "open")
	d, err := w.pools[0].Open(ctx, open.ID)
	require.NoError(t, err)
	_, err = w.svc.ResizeVolume(ctx, open, 4096, true)
	refusedWith(t, err, KindInUse, "Size")
	require.NoError(t, d.Close())
	_, err = w.svc.ResizeVolume(ctx, VolumeRef{Pool: "p0", ID: "none"}, 4096, true)
	refusedWith(t, err, KindInvalid, "TheElement")
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

// mortal is a Service with a pool of layer files on one store, which dies at one of
// the transactions of either.
type mortal struct {
	*real
	kept store.Store // outlives it
	wire *wire
}

func (m *mortal) open() {
	m.t.Helper()
	m.wire = &wire{}
	m.store = wiredStore{m.kept, m.wire}
	var err error
	m.pool, err = pool.Open(context.Background(), pool.Config{Dir: m.dir, Name: "main", Meta: poolMeta{m.store}})
	require.NoError(m.t, err)
	m.svc, err = New(Config{Store: m.store, Pools: []pool.Pool{m.pool}})
	require.NoError(m.t, err)
	require.NoError(m.t, m.svc.Start(context.Background()))
}

// die ends it without a word and starts it again.
func (m *mortal) die() {
	m.t.Helper()
	m.wire.dead.Store(true)
	require.NoError(m.t, m.svc.Close())
	_ = m.pool.Close()
	m.open()
}

// TestCrashAtEachTransactionOfARestore: those of the pool and those of the Service.
func TestCrashAtEachTransactionOfARestore(t *testing.T) {
	seen := map[bool]bool{}
	for n := int64(1); ; n++ {
		reached := false
		for _, after := range []bool{false, true} {
			m := &mortal{real: &real{t: t, dir: t.TempDir()}, kept: store.NewMem()}
			m.open()
			died := m.restoreDyingAt(n, after, seen)
			reached = reached || died
			require.NoError(t, m.svc.Close())
			require.NoError(t, m.pool.Close())
		}
		if !reached {
			require.Greater(t, n, int64(4), "both have transactions")
			require.Len(t, seen, 2, "some were restored and some were not")
			return
		}
	}
}

func (m *mortal) restoreDyingAt(n int64, after bool, seen map[bool]bool) bool {
	t, ctx := m.t, context.Background()
	first, second := bytes.Repeat([]byte("first "), 2000), bytes.Repeat([]byte("second"), 2000)
	src := m.volume("v", first)
	res, err := m.svc.CreateList(ctx, ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{src}})
	require.NoError(t, err)
	require.NoError(t, m.write(src, second))
	require.NoError(t, m.pool.WaitIdle(ctx))
	var died atomic.Bool
	start := m.wire.calls.Load()
	m.wire.watch(func(i int64, _ string, isAfter bool) error {
		if m.wire.dead.Load() || i == start+n && isAfter == after {
			died.Store(true)
			m.wire.dead.Store(true)
			return errDead
		}
		return nil
	})
	kept, err := m.svc.Restore(ctx, RestoreRequest{ID: res.Relationships[0], KeepName: "kept"})
	reached := died.Load()
	require.Equal(t, err == nil, len(kept) == 1)
	m.die()
	at := fmt.Sprintf("at transaction %d, after it %t", n, after)
	restored := bytes.Equal(first, m.head(src, len(first)))
	seen[restored] = true
	l, listErr := m.svc.Relationships(ctx)
	require.NoError(t, listErr)
	for _, r := range l {
		require.Equal(t, "Synchronized/Completed", r.State.String(), at)
	}
	vols, listErr := m.pool.List(ctx)
	require.NoError(t, listErr)
	require.True(t, err != nil || restored, at)
	if !restored {
		require.Equal(t, second, m.head(src, len(second)), at)
		require.Len(t, l, 1, at)
		require.Len(t, vols, 2, at)
		return reached
	}
	require.Len(t, l, 2, at)
	require.Len(t, vols, 3, at)
	for _, r := range l {
		want := first
		if r.Name == "kept" {
			want = second
		}
		require.Equal(t, want, m.head(r.Target, len(want)), at)
	}
	return reached
}
