package replication

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

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

// TestStoreFailsInAReset: what a host writes to the snapshot before it is known that the
// Reset has happened is noted, also where the next request is refused, or a restart
// finds out.
func TestStoreFailsInAReset(t *testing.T) {
	for n := int64(1); n < 4; n++ {
		for _, dirty := range []bool{false, true} {
			for _, next := range []func(w *world, id string, target VolumeRef){
				func(w *world, id string, target VolumeRef) {
					w.expose(target, 1)
					require.Equal(t, KindInUse, KindOf(w.modify(OpResetReplica, id)))
				},
				func(w *world, _ string, _ VolumeRef) { w.restart() },
			} {
				w := newWorld(t)
				id, src, target := w.one(pairstate.Snapshot, "a", pairstate.Synchronized)
				if dirty {
					w.write(target, 0, []byte("changed"))
				}
				start := w.wire.calls.Load()
				w.wire.watch(func(i int64, what string, after bool) error {
					if i >= start+n && what == "store" && !after {
						return errDead
					}
					return nil
				})
				require.Error(t, w.modify(OpResetReplica, id))
				w.wire.watch(nil)
				require.NoError(t, w.tryWrite(target, 100, []byte("the host goes on")))
				next(w, id, target)
				w.settled(id, pairstate.Skewed)
				w.expose(target, 0)
				require.NoError(t, w.modify(OpResetReplica, id))
				w.settled(id, pairstate.Synchronized)
				require.Equal(t, w.read(src), w.read(target))
				require.NoError(t, w.tryWrite(target, 100, []byte("the host goes on")))
				w.settled(id, pairstate.Skewed)
				w.isUnheld()
			}
		}
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
