package replication

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/job"
	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// dieAt makes the daemon die before or after its nth change from now.
func (w *world) dieAt(n int64, after bool) *atomic.Bool {
	wire, died := w.wire, new(atomic.Bool)
	start := wire.calls.Load()
	wire.watch(func(i int64, _ string, isAfter bool) error {
		if wire.dead.Load() || i == start+n && isAfter == after {
			died.Store(true)
			wire.dead.Store(true)
			return errDead
		}
		return nil
	})
	return died
}

// TestCrashAnywhereInACreation kills the daemon before and after every change
// that a creation makes, and wants all of it or nothing after the restart.
func TestCrashAnywhereInACreation(t *testing.T) {
	for name := range creations(nil, nil) {
		t.Run(name, func(t *testing.T) {
			for n := int64(1); ; n++ {
				if !crashOnce(t, name, n, false) {
					return
				}
				crashOnce(t, name, n, true)
			}
		})
	}
}

func crashOnce(t *testing.T, name string, n int64, after bool) bool {
	w := newWorld(t)
	src, dst := w.volumes(memberNames...), w.volumes(targetNames...)
	before := withoutContent(w.dump(), dst)
	died := w.dieAt(n, after)
	release := w.holdCopies() // so that the changes come in one order
	_, _ = creations(src, dst)[name](w.svc)
	release()
	w.wire.dead.Store(true)
	require.NoError(t, w.svc.Close())
	reached := died.Load()
	w.crash()
	l, err := w.svc.Relationships(context.Background())
	require.NoError(t, err)
	if len(l) == 0 {
		require.Equal(t, before, withoutContent(w.dump(), dst), "crash at change %d", n)
		return reached
	}
	require.Len(t, l, len(src), "crash at change %d", n)
	if !strings.HasPrefix(name, "inactive") {
		w.isWhole(l)
	}
	return reached
}

// isWhole checks that relationships come to rest, with equal sides and no job
// left over.
func (w *world) isWhole(l []Relationship) {
	w.t.Helper()
	ctx := context.Background()
	for _, r := range l {
		w.reaches(pairstate.Synchronized, r.ID)
		require.Equal(w.t, w.read(r.Source), w.read(r.Target))
	}
	w.eventually("the end of all jobs", func() bool {
		jobs, err := listed(ctx, w.svc.EachJob)
		require.NoError(w.t, err)
		for _, j := range jobs {
			if j.State != job.Completed {
				return false
			}
		}
		return true
	})
	require.Empty(w.t, keysOf(w.dump(), bucketRequests))
}

func TestCloneGoesOnAfterACrash(t *testing.T) {
	w := newWorld(t)
	w.pools[0].hold()
	src := w.volumes("a", "b")
	res := w.group(GroupRequest{SyncType: pairstate.Clone, Sources: src})
	w.crash()
	require.Equal(t, job.Completed, w.jobEnds(res.Job).State)
	w.reaches(pairstate.Synchronized, res.Relationships...)
	require.Equal(t, w.read(src[1]), w.read(res.Targets[1]))
	w.write(res.Targets[0], 0, []byte("x"))
	require.Equal(t, pairstate.Skewed, w.state(res.Relationships[0]).Copy)
}

func TestCloneGoesOnAfterAStop(t *testing.T) {
	w := newWorld(t)
	w.pools[0].hold()
	res := w.list(ListRequest{SyncType: pairstate.Clone, Sources: w.volumes("a")})
	w.restart()
	j, err := w.svc.Job(context.Background(), res.Job)
	require.NoError(t, err)
	require.False(t, j.State.Done())
	w.pools[0].setGate(nil)
	w.restart()
	require.Equal(t, job.Completed, w.jobEnds(res.Job).State)
}

func TestMirrorIsInPlaceAfterACrash(t *testing.T) {
	w := newWorld(t)
	id, src, target := w.one(pairstate.Mirror, "a", pairstate.Synchronized)
	w.write(src, 100, []byte("before"))
	w.crash()
	require.True(t, blockdev.Is(w.tryWrite(target, 0, []byte("x")), blockdev.KindReadOnly))
	w.write(src, 5000, []byte("after"))
	w.reaches(pairstate.Synchronized, id)
	require.Equal(t, w.read(src), w.read(target))
}

// TestMirrorThatLostWritesIsMendedAfterACrash has the target forget a write of
// the last moment, as an unflushed one may be.
func TestMirrorThatLostWritesIsMendedAfterACrash(t *testing.T) {
	w := newWorld(t)
	id, src, target := w.one(pairstate.Mirror, "a", pairstate.Synchronized)
	w.write(src, 100, []byte("unflushed"))
	w.wire.dead.Store(true)
	clear(w.pools[0].vols[target.ID].data[100:109])
	w.crash()
	w.reaches(pairstate.Synchronized, id)
	require.Equal(t, w.read(src), w.read(target))
}

// TestCrashAnywhereInAnUndo kills the daemon at every change of a cancellation.
func TestCrashAnywhereInAnUndo(t *testing.T) {
	for n := int64(2); n < 12; n++ {
		for _, after := range []bool{false, true} {
			w := newWorld(t)
			src := w.volumes("a", "b")
			before := w.dump()
			release := w.holdCopies()
			res := w.group(GroupRequest{SyncType: pairstate.Clone, Sources: src})
			w.jobRuns(res.Job)
			w.dieAt(n, after)
			require.NoError(t, w.svc.CancelJob(context.Background(), res.Job))
			w.eventually("the end, or death", func() bool {
				j, err := w.svc.Job(context.Background(), res.Job)
				return w.wire.dead.Load() || err == nil && j.State.Done()
			})
			release()
			w.crash()
			require.Equal(t, job.Terminated, w.jobEnds(res.Job).State, "change %d", n)
			require.NoError(t, w.svc.DeleteJob(context.Background(), res.Job))
			require.Equal(t, before, w.dump(), "change %d", n)
		}
	}
}

// jobRuns waits until a job is Running.
func (w *world) jobRuns(id string) {
	w.t.Helper()
	w.eventually("job "+id+" runs", func() bool {
		j, err := w.svc.Job(context.Background(), id)
		require.NoError(w.t, err)
		return j.State == job.Running
	})
}

func TestCrashAnywhereInAnEnd(t *testing.T) {
	for _, c := range []struct {
		typ pairstate.SyncType
		op  Operation
	}{{pairstate.Snapshot, OpReturnToPool}, {pairstate.Snapshot, OpDissolve}, {pairstate.Clone, OpDetach}, {pairstate.Mirror, OpDissolve}} {
		t.Run(fmt.Sprintf("%v %d", c.typ, c.op), func(t *testing.T) {
			for n := int64(1); n < 8; n++ {
				for _, after := range []bool{false, true} {
					w := newWorld(t)
					src := w.volumes("a", "b")
					volumes := len(w.dump())
					res := w.group(GroupRequest{SyncType: c.typ, Sources: src, Wait: Wait{State: pairstate.Synchronized}})
					w.dieAt(n, after)
					_ = w.modify(c.op, res.GroupRelationship)
					w.crash()
					l, err := w.svc.Relationships(context.Background())
					require.NoError(t, err)
					if len(l) > 0 {
						require.Len(t, l, len(src), "all of it or nothing")
						w.reaches(pairstate.Synchronized, res.Relationships...)
						require.NoError(t, w.modify(c.op, res.GroupRelationship))
					}
					if c.op != OpReturnToPool {
						volumes = 4
					}
					require.Len(t, w.dump(), volumes, "crash at change %d: %v", n, maps.Keys(w.dump()))
				}
			}
		})
	}
}

func TestActivateGoesOnAfterACrash(t *testing.T) {
	for _, typ := range []pairstate.SyncType{pairstate.Mirror, pairstate.Snapshot, pairstate.Clone} {
		for n := int64(1); n < 7; n++ {
			for _, after := range []bool{false, true} {
				w := newWorld(t)
				res := w.group(GroupRequest{SyncType: typ, Sources: w.volumes("a", "b"), Wait: Wait{State: pairstate.Inactive}})
				w.dieAt(n, after)
				_ = w.modify(OpActivate, res.GroupRelationship)
				w.crash()
				if w.state(res.Relationships[0]).Copy == pairstate.Inactive {
					require.NoError(t, w.modify(OpActivate, res.GroupRelationship))
				}
				l, err := w.svc.Relationships(context.Background())
				require.NoError(t, err)
				w.isWhole(l)
			}
		}
	}
}

func TestRelationshipWithoutVolumesEndsAtStart(t *testing.T) {
	w := newWorld(t)
	res := w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: w.volumes("a", "b")})
	require.NoError(t, w.svc.Close())
	for _, p := range w.pools {
		p.reboot()
	}
	require.NoError(t, w.pools[0].Delete(context.Background(), res.Targets[0].ID))
	w.start()
	w.isGone(res.Relationships[0])
	tie, err := w.svc.GroupRelationship(context.Background(), res.GroupRelationship)
	require.NoError(t, err)
	require.Equal(t, res.Relationships[1:], tie.Pairs)
	g, err := w.svc.Group(context.Background(), res.TargetGroup)
	require.NoError(t, err)
	require.Equal(t, res.Targets[1:], g.Members)
}

func TestStartWithoutTheMirrorsTargetPool(t *testing.T) {
	w := newWorld(t)
	src := w.volume("p0", "a")
	res := w.list(ListRequest{SyncType: pairstate.Mirror, Sources: []VolumeRef{src}, TargetPool: "p1", Wait: Wait{State: pairstate.Synchronized}})
	require.NoError(t, w.svc.Close())
	w.config = func(c *Config) { c.Pools = c.Pools[:1] }
	w.start()
	w.reaches(pairstate.Broken, res.Relationships[0])
	w.write(src, 0, []byte("meanwhile"))
	w.config = func(*Config) {}
	w.restart()
	w.reaches(pairstate.Synchronized, res.Relationships[0])
	require.Equal(t, w.read(src), w.read(res.Targets[0]))
	require.True(t, blockdev.Is(w.tryWrite(res.Targets[0], 0, []byte("x")), blockdev.KindReadOnly))
}

func TestStartWithoutTheMirrorsSourcePool(t *testing.T) {
	w := newWorld(t)
	src := w.volume("p1", "a")
	res := w.list(ListRequest{SyncType: pairstate.Mirror, Sources: []VolumeRef{src}, TargetPool: "p0", Wait: Wait{State: pairstate.Synchronized}})
	require.NoError(t, w.svc.Close())
	w.config = func(c *Config) { c.Pools = c.Pools[:1] }
	w.start()
	require.Equal(t, pairstate.Synchronized, w.state(res.Relationships[0]).Copy)
	require.True(t, blockdev.Is(w.tryWrite(res.Targets[0], 0, []byte("x")), blockdev.KindReadOnly))
	w.config = func(*Config) {}
	w.restart()
	w.reaches(pairstate.Synchronized, res.Relationships[0])
	w.write(src, 0, []byte("followed"))
	require.Equal(t, w.read(src), w.read(res.Targets[0]))
}

func TestStartFailsOnWhatItCannotRead(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.store.Update(context.Background(), func(tx store.Tx) error {
		return tx.Put(bucketPairs, "x", []byte("{"))
	}))
	require.NoError(t, w.svc.Close())
	require.ErrorContains(t, w.boot(), "relationships x")
	require.NoError(t, w.svc.Close())
	require.NoError(t, w.svc.Close(), "twice")
}

func TestLostJobIsEnded(t *testing.T) {
	w := newWorld(t)
	var id string
	require.NoError(t, w.store.Update(context.Background(), func(tx store.Tx) error {
		j, err := w.svc.jobs.Create(tx, job.Spec{Name: "nobody's"})
		id = j.ID
		return err
	}))
	w.restart()
	j := w.jobEnds(id)
	require.Equal(t, job.Exception, j.State)
	require.EqualValues(t, 100, j.Percent)
}

func TestNewRefusesBadConfigs(t *testing.T) {
	for _, c := range []Config{
		{}, {Store: store.NewMem()}, {Store: store.NewMem(), Pools: []pool.Pool{newFakePool("p"), newFakePool("p")}},
	} {
		_, err := New(c)
		require.Error(t, err)
	}
}

func TestWriteToABrokenCloneIsRemembered(t *testing.T) {
	w := newWorld(t)
	failHydration(w, blockdev.KindIO, 1)
	res := w.list(ListRequest{SyncType: pairstate.Clone, Sources: w.volumes("a"), Wait: Wait{State: pairstate.Initialized}})
	w.reaches(pairstate.Broken, res.Relationships[0])
	w.write(res.Targets[0], 0, []byte("mine"))
	require.Equal(t, pairstate.Broken, w.state(res.Relationships[0]).Copy)
	w.crash()
	w.reaches(pairstate.Skewed, res.Relationships[0])
}

// TestStartWithTargetsThatCannotBeGuarded breaks the mirror, whose target could be
// written unseen: it is copied anew when it can be guarded.
func TestStartWithTargetsThatCannotBeGuarded(t *testing.T) {
	w := newWorld(t)
	id, src, target := w.one(pairstate.Mirror, "a", pairstate.Synchronized)
	snap, _, _ := w.one(pairstate.Snapshot, "b", pairstate.Synchronized)
	require.NoError(t, w.svc.Close())
	w.pools[0].setFault(func(op, what string) error {
		if op == "attach" && what != string(src.ID) {
			return blockdev.Errorf(blockdev.KindIO, op, "injected")
		}
		return nil
	})
	w.start()
	require.Equal(t, pairstate.Broken, w.state(id).Copy)
	require.Equal(t, pairstate.Synchronized, w.state(snap).Copy)
	w.write(target, 8192, []byte("unseen"))
	w.pools[0].setFault(nil)
	w.restart()
	w.reaches(pairstate.Synchronized, id)
	require.Equal(t, w.read(src), w.read(target))
}

func TestStartFailsIfAMirrorCanNeitherRunNorBreak(t *testing.T) {
	w := newWorld(t)
	w.one(pairstate.Mirror, "a", pairstate.Synchronized)
	require.NoError(t, w.svc.Close())
	w.pools[0].setFault(func(op, _ string) error {
		if op != "openraw" {
			return nil
		}
		w.wire.dead.Store(true)
		return blockdev.Errorf(blockdev.KindIO, op, "injected")
	})
	require.Error(t, w.boot())
}

func TestCancelWaitsForOthers(t *testing.T) {
	w := newWorld(t)
	src := w.volumes("a")
	before := w.dump()
	release := w.holdCopies()
	defer release()
	res := w.list(ListRequest{SyncType: pairstate.Clone, Sources: src})
	h := w.svc.claims.hold()
	require.True(t, h.share(volumeClaim(res.Targets[0])))
	require.NoError(t, w.svc.CancelJob(context.Background(), res.Job))
	w.restartHeld(h)
	require.Equal(t, job.Terminated, w.jobEnds(res.Job).State)
	require.NoError(t, w.svc.DeleteJob(context.Background(), res.Job))
	require.Equal(t, before, w.dump())
}

// restartHeld stops the Service while a request waits for a claim: it must not
// hang, and the request must go on afterwards.
func (w *world) restartHeld(h *hold) {
	w.t.Helper()
	require.NoError(w.t, w.svc.Close())
	h.release()
	w.start()
}
