package replication

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/replication/job"
	"twinlun/replication/pairstate"
)

// creations are requests for five members each, of every kind.
func creations(src, dst []VolumeRef) map[string]func(*Service) (Result, error) {
	ctx := context.Background()
	all := map[string]func(*Service) (Result, error){}
	for _, t := range []pairstate.SyncType{pairstate.Mirror, pairstate.Snapshot, pairstate.Clone} {
		all["list of "+t.String()] = func(s *Service) (Result, error) {
			return s.CreateList(ctx, ListRequest{SyncType: t, Sources: src})
		}
		all["inactive list of "+t.String()] = func(s *Service) (Result, error) {
			return s.CreateList(ctx, ListRequest{SyncType: t, Sources: src, Wait: Wait{State: pairstate.Inactive}})
		}
		all["group of "+t.String()] = func(s *Service) (Result, error) {
			return s.CreateGroupFromElements(ctx, GroupRequest{SyncType: t, Sources: src, Consistency: SequentialConsistency})
		}
		if t != pairstate.Snapshot {
			all["given "+t.String()] = func(s *Service) (Result, error) {
				return s.CreateList(ctx, ListRequest{SyncType: t, Sources: src, Targets: dst})
			}
		}
	}
	return all
}

var memberNames = []string{"a", "b", "c", "d", "e"}
var targetNames = []string{"v", "w", "x", "y", "z"}

// withoutContent drops from a dump the content of given targets: the caller has
// declared it replaceable.
func withoutContent(dump map[string]string, targets []VolumeRef) map[string]string {
	for _, v := range targets {
		delete(dump, v.Pool+"/"+string(v.ID))
	}
	return dump
}

// TestNothingRemainsOfAFailure lets every change that a creation makes to the
// store and the pool fail, one after the other, and wants everything as before.
func TestNothingRemainsOfAFailure(t *testing.T) {
	for name := range creations(nil, nil) {
		t.Run(name, func(t *testing.T) {
			for n := int64(1); ; n++ {
				if !failOnce(t, name, n, false) {
					require.Greater(t, n, int64(2), "no change was made to fail")
					return
				}
				failOnce(t, name, n, true) // done, but the answer is lost
			}
		})
	}
}

// failOnce fails the nth change of a creation, and says whether there was one.
func failOnce(t *testing.T, name string, n int64, done bool) bool {
	w := newWorld(t)
	src, dst := w.volumes(memberNames...), w.volumes(targetNames...)
	before := withoutContent(w.dump(), dst)
	start := w.wire.calls.Load()
	var failed atomic.Bool
	w.wire.watch(func(i int64, what string, after bool) error {
		if i != start+n || after != done {
			return nil
		}
		failed.Store(true)
		return blockdev.Errorf(blockdev.KindIO, what, "injected")
	})
	w.pools[0].hold() // what fails in the background is another matter
	_, err := creations(src, dst)[name](w.svc)
	if !failed.Load() || err == nil {
		return false
	}
	require.Equal(t, KindFailed, KindOf(err), "%v", err)
	w.wire.watch(nil)
	require.Equal(t, before, withoutContent(w.dump(), dst), "change %d", n)
	require.Empty(t, w.svc.claims.held)
	w.restart()
	require.Equal(t, before, withoutContent(w.dump(), dst))
	return true
}

// TestThirdOfFiveFails fails the pool's work for one member.
func TestThirdOfFiveFails(t *testing.T) {
	for _, c := range []struct {
		op   string // of the pool
		kind blockdev.Kind
		want Kind
	}{
		{"create", blockdev.KindNoSpace, KindFailed},
		{"create", blockdev.KindExists, KindInvalid},
		{"attach", blockdev.KindIO, KindFailed},
	} {
		for _, group := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %v group %v", c.op, c.kind, group), func(t *testing.T) {
				w := newWorld(t)
				src := w.volumes(memberNames...)
				before := w.dump()
				count := 0
				w.pools[0].setFault(func(op, what string) error {
					if op != c.op {
						return nil
					}
					if count++; count == 3 {
						return blockdev.Errorf(c.kind, op, "injected")
					}
					return nil
				})
				var err error
				if group {
					_, err = w.svc.CreateGroupFromElements(context.Background(), GroupRequest{SyncType: pairstate.Mirror, Sources: src})
				} else {
					_, err = w.svc.CreateList(context.Background(), ListRequest{SyncType: pairstate.Mirror, Sources: src})
				}
				require.Equal(t, c.want, KindOf(err), "%v", err)
				require.Equal(t, before, w.dump())
			})
		}
	}
}

func TestContinueOnErrorKeepsTheRest(t *testing.T) {
	w := newWorld(t)
	src := w.volumes("a", "b", "c")
	gone := VolumeRef{Pool: "p0", ID: "6024544c000000000000000000000000"}
	keep := Settings{ContinueOnError: true}
	res := w.list(ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{src[0], gone, src[2]}, Settings: keep})
	require.Len(t, res.Relationships, 2)
	require.Len(t, res.Failed, 1)
	refusedWith(t, res.Failed[0], KindInvalid, "SourceElements[1]")
	require.Equal(t, w.read(src[2]), w.read(res.Targets[1]))

	count := 0
	w.pools[0].setFault(func(op, _ string) error {
		if op != "snapshot" {
			return nil
		}
		if count++; count == 2 {
			return blockdev.Errorf(blockdev.KindNoSpace, op, "injected")
		}
		return nil
	})
	g := w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: src, RelationshipName: "part", Settings: keep})
	w.pools[0].setFault(nil)
	require.Len(t, g.Failed, 1)
	refusedWith(t, g.Failed[0], KindFailed, "TargetPool")
	sources, err := w.svc.Group(context.Background(), g.SourceGroup)
	require.NoError(t, err)
	require.Equal(t, []VolumeRef{src[0], src[2]}, sources.Members)
	targets, err := w.svc.Group(context.Background(), g.TargetGroup)
	require.NoError(t, err)
	require.Equal(t, g.Targets, targets.Members)
	v, err := w.svc.Volume(context.Background(), g.Targets[1])
	require.NoError(t, err)
	require.Equal(t, "part_3", v.Name)

	before := w.dump()
	_, err = w.svc.CreateList(context.Background(), ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{gone, gone}, Settings: keep})
	refusedWith(t, err, KindInvalid, "SourceElements[0]")
	require.Equal(t, before, w.dump())
}

// failHydration makes one of the hydrations that follow fail.
func failHydration(w *world, k blockdev.Kind, which int) {
	var n atomic.Int64
	w.pools[0].setFault(func(op, _ string) error {
		if op != "hydrate" {
			return nil
		}
		if n.Add(1) == int64(which) {
			return blockdev.Errorf(k, op, "injected")
		}
		return nil
	})
}

func TestNoRoomOnTheWay(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxCopies = 1 })
	src := w.volumes("a", "b", "c")
	before := w.dump()
	failHydration(w, blockdev.KindNoSpace, 2)
	_, err := w.svc.CreateGroupFromElements(context.Background(), GroupRequest{
		SyncType: pairstate.Clone, Sources: src, Wait: Wait{State: pairstate.Synchronized},
	})
	require.Equal(t, KindFailed, KindOf(err))
	require.ErrorContains(t, err, "no space")
	require.Equal(t, before, w.dump(), "not even a job")
}

func TestNoRoomUnderAJob(t *testing.T) {
	w := newWorld(t)
	src := w.volumes("a", "b")
	before := w.dump()
	hold := make(chan struct{})
	var n atomic.Int64
	w.pools[0].setFault(func(op, _ string) error {
		if op != "hydrate" {
			return nil
		}
		<-hold
		if n.Add(1) == 1 {
			return blockdev.Errorf(blockdev.KindNoSpace, op, "injected")
		}
		return nil
	})
	res := w.list(ListRequest{SyncType: pairstate.Clone, Sources: src})
	require.NotEmpty(t, res.Job)
	close(hold)
	j := w.jobEnds(res.Job)
	require.Equal(t, job.Exception, j.State)
	require.EqualValues(t, 100, j.Percent)
	require.EqualValues(t, KindFailed, j.ErrorCode)
	require.Contains(t, j.Error, "no space")
	require.NoError(t, w.svc.DeleteJob(context.Background(), res.Job))
	require.Equal(t, before, w.dump())
}

func TestFailureKeepsTargetsInUse(t *testing.T) {
	w := newWorld(t)
	hold := make(chan struct{})
	w.pools[0].setFault(func(op, _ string) error {
		if op != "hydrate" {
			return nil
		}
		<-hold
		return blockdev.Errorf(blockdev.KindIO, op, "injected")
	})
	res := w.list(ListRequest{SyncType: pairstate.Clone, Sources: w.volumes("a")})
	w.expose(res.Targets[0], 1)
	w.write(res.Targets[0], 0, []byte("work of a day"))
	close(hold)
	require.Equal(t, job.Exception, w.jobEnds(res.Job).State)
	r, err := w.svc.Relationship(context.Background(), res.Relationships[0])
	require.NoError(t, err)
	require.Equal(t, pairstate.Broken, r.State.Copy)
	require.Equal(t, "hydrate: I/O error", r.Reason)
	require.Equal(t, []byte("work of a day"), w.read(res.Targets[0])[:13])
}

// TestFailureKeepsWrittenTargets: that nobody can reach a target now does not
// mean that nobody has worked with it.
func TestFailureKeepsWrittenTargets(t *testing.T) {
	w := newWorld(t)
	a := w.volume("p0", "a")
	w.pools[0].hold()
	res := w.list(ListRequest{SyncType: pairstate.Clone, Sources: []VolumeRef{a}})
	w.write(res.Targets[0], 0, []byte("work of a day"))
	require.NoError(t, w.svc.Close())
	failHydration(w, blockdev.KindIO, 1)
	w.start()
	require.Equal(t, job.Exception, w.jobEnds(res.Job).State)
	require.Equal(t, pairstate.Broken, w.state(res.Relationships[0]).Copy)
	require.Equal(t, []byte("work of a day"), w.read(res.Targets[0])[:13])
	w.pools[0].setGate(nil)
	w.restart()
	w.reaches(pairstate.Skewed, res.Relationships[0])
}

func TestContinueOnErrorInTheBackground(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxCopies = 1 })
	failHydration(w, blockdev.KindIO, 1)
	res, err := w.svc.CreateList(context.Background(), ListRequest{
		SyncType: pairstate.Clone, Sources: w.volumes("a", "b"), Settings: Settings{ContinueOnError: true},
	})
	if err == nil {
		require.Equal(t, job.Exception, w.jobEnds(res.Job).State)
	}
	count := map[pairstate.CopyState]int{}
	l, err := w.svc.Relationships(context.Background())
	require.NoError(t, err)
	for _, r := range l {
		count[r.State.Copy]++
	}
	require.Equal(t, map[pairstate.CopyState]int{pairstate.Broken: 1, pairstate.Synchronized: 1}, count)
}

func TestCancelUndoes(t *testing.T) {
	for _, typ := range []pairstate.SyncType{pairstate.Clone, pairstate.Mirror} {
		t.Run(typ.String(), func(t *testing.T) {
			w := newWorld(t)
			src, dst := w.volumes("a", "b"), w.volumes("x", "y")
			before := w.dump()
			block := w.holdCopies()
			res := w.group(GroupRequest{SyncType: typ, Sources: src})
			require.NoError(t, w.svc.CancelJob(context.Background(), res.Job))
			block()
			j := w.jobEnds(res.Job)
			require.Equal(t, job.Terminated, j.State)
			require.EqualValues(t, 100, j.Percent)
			require.ErrorIs(t, w.svc.CancelJob(context.Background(), res.Job), job.ErrDone)
			require.NoError(t, w.svc.DeleteJob(context.Background(), res.Job))
			require.Equal(t, before, w.dump())

			block = w.holdCopies()
			res = w.list(ListRequest{SyncType: typ, Sources: src, Targets: dst})
			require.NoError(t, w.svc.CancelJob(context.Background(), res.Job))
			block()
			require.Equal(t, job.Terminated, w.jobEnds(res.Job).State)
			require.NoError(t, w.svc.DeleteJob(context.Background(), res.Job))
			require.Equal(t, withoutContent(before, dst), withoutContent(w.dump(), dst), "given targets stay")
			w.write(dst[0], 0, []byte("free again"))
		})
	}
}

// holdCopies lets neither hydrations nor the first copies of mirrors get
// anywhere until the returned function is called.
func (w *world) holdCopies() func() {
	slots := w.svc.slots
	for range cap(slots) {
		slots <- struct{}{}
	}
	return func() {
		for range cap(slots) {
			<-slots
		}
	}
}

func TestCancelKeepsTargetsInUse(t *testing.T) {
	w := newWorld(t)
	release := w.holdCopies()
	defer release()
	res := w.list(ListRequest{SyncType: pairstate.Clone, Sources: w.volumes("a", "b")})
	w.expose(res.Targets[0], 0)
	require.NoError(t, w.svc.CancelJob(context.Background(), res.Job))
	require.Equal(t, job.Terminated, w.jobEnds(res.Job).State)
	_, err := w.svc.Volume(context.Background(), res.Targets[0])
	require.NoError(t, err)
	_, err = w.svc.Volume(context.Background(), res.Targets[1])
	refusedWith(t, err, KindInvalid, "Volume")
	w.isGone(res.Relationships[0])
}

func TestUnknownJobs(t *testing.T) {
	w := newWorld(t)
	require.True(t, errors.Is(w.svc.CancelJob(context.Background(), "nope"), job.ErrNotFound))
	_, err := w.svc.Job(context.Background(), "nope")
	require.ErrorIs(t, err, job.ErrNotFound)
}
