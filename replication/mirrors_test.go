package replication

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/replication/job"
	"twinlun/replication/pairstate"
)

// failWrites lets writes to some volumes fail.
func (p *fakePool) failWrites(k blockdev.Kind, which ...VolumeRef) {
	p.setFault(func(op, what string) error {
		for _, v := range which {
			if op == "write" && what == string(v.ID) {
				return blockdev.Errorf(k, op, "injected")
			}
		}
		return nil
	})
}

func TestMirrorBreaksAndComesBack(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Reconnect = time.Millisecond })
	id, src, target := w.one(pairstate.Mirror, "a", pairstate.Synchronized)
	w.pools[0].failWrites(blockdev.KindIO, target)
	w.write(src, 0, []byte("the source goes on"))
	w.eventually("it breaks", func() bool {
		r, err := w.svc.Relationship(context.Background(), id)
		require.NoError(t, err)
		return r.State.Copy == pairstate.Broken && r.Reason == "write: I/O error"
	})
	w.write(src, 8192, []byte("changes are kept track of"))
	w.pools[0].setFault(nil)
	w.reaches(pairstate.Synchronized, id)
	require.Equal(t, w.read(src), w.read(target))
	r, err := w.svc.Relationship(context.Background(), id)
	require.NoError(t, err)
	require.Empty(t, r.Reason)
	w.write(src, 100, []byte("followed again"))
	require.Equal(t, w.read(src), w.read(target))
}

func TestBrokenMirrorComesBackWithARestart(t *testing.T) {
	w := newWorld(t)
	id, src, target := w.one(pairstate.Mirror, "a", pairstate.Synchronized)
	w.pools[0].failWrites(blockdev.KindIO, target)
	w.write(src, 0, []byte("the source goes on"))
	w.reaches(pairstate.Broken, id)
	w.pools[0].setFault(nil)
	w.restart()
	w.reaches(pairstate.Synchronized, id)
	require.Equal(t, w.read(src), w.read(target))
}

func TestBrokenMirrorCanBeDetached(t *testing.T) {
	w := newWorld(t)
	id, src, target := w.one(pairstate.Mirror, "a", pairstate.Synchronized)
	w.pools[0].failWrites(blockdev.KindIO, target)
	w.write(src, 0, []byte("x"))
	w.reaches(pairstate.Broken, id)
	require.NoError(t, w.modify(OpDetach, id))
	w.isGone(id, src, target)
}

func TestFailedFirstCopyIsUndone(t *testing.T) {
	w := newWorld(t)
	src := w.volumes("a", "b")
	before := w.dump()
	release := w.holdCopies()
	res := w.group(GroupRequest{SyncType: pairstate.Mirror, Sources: src})
	w.pools[0].failWrites(blockdev.KindNoSpace, res.Targets[1])
	release()
	j := w.jobEnds(res.Job)
	require.Equal(t, job.Exception, j.State)
	require.EqualValues(t, KindFailed, j.ErrorCode)
	require.EqualValues(t, 100, j.Percent)
	w.pools[0].setFault(nil)
	require.NoError(t, w.svc.DeleteJob(context.Background(), res.Job))
	require.Equal(t, before, w.dump())
}

func TestFailedFirstCopyWithoutAJobIsBroken(t *testing.T) {
	w := newWorld(t)
	release := w.holdCopies()
	res := w.list(ListRequest{SyncType: pairstate.Mirror, Sources: w.volumes("a"), Wait: Wait{State: pairstate.Initialized}})
	w.pools[0].failWrites(blockdev.KindIO, res.Targets[0])
	release()
	w.reaches(pairstate.Broken, res.Relationships[0])
}

func TestMirrorThatCannotStart(t *testing.T) {
	w := newWorld(t)
	release := w.holdCopies()
	src := w.volume("p0", "a")
	res := w.list(ListRequest{SyncType: pairstate.Mirror, Sources: []VolumeRef{src}, Wait: Wait{State: pairstate.Initialized}})
	w.pools[0].setFault(func(op, what string) error {
		if op == "openraw" && what == string(src.ID) {
			return blockdev.Errorf(blockdev.KindIO, op, "injected")
		}
		return nil
	})
	release()
	w.reaches(pairstate.Broken, res.Relationships[0])
	w.write(src, 0, []byte("nobody looks"))
	w.restart()
	require.Equal(t, pairstate.Broken, w.state(res.Relationships[0]).Copy)
	w.pools[0].setFault(nil)
	w.restart()
	w.reaches(pairstate.Synchronized, res.Relationships[0])
	require.Equal(t, w.read(src), w.read(res.Targets[0]))
}

func TestFailedSourceWriteOfAMirror(t *testing.T) {
	w := newWorld(t)
	id, src, target := w.one(pairstate.Mirror, "a", pairstate.Synchronized)
	w.pools[0].failWrites(blockdev.KindIO, src)
	require.Error(t, w.tryWrite(src, 0, []byte("half-way")))
	w.pools[0].setFault(nil)
	w.write(src, 4096, []byte("whole"))
	w.eventually("both sides are equal", func() bool {
		return w.state(id).Copy == pairstate.Synchronized && string(w.read(src)) == string(w.read(target))
	})
}

func TestTwoMirrorsOfOneSource(t *testing.T) {
	w := newWorld(t)
	a := w.volume("p0", "a")
	res := w.list(ListRequest{SyncType: pairstate.Mirror, Sources: []VolumeRef{a, a}, Wait: Wait{State: pairstate.Synchronized}})
	w.write(a, 77, []byte("three copies"))
	require.Equal(t, w.read(a), w.read(res.Targets[0]))
	require.Equal(t, w.read(a), w.read(res.Targets[1]))
	require.NoError(t, func() error {
		_, err := w.svc.Modify(context.Background(), ModifyRequest{Operation: OpDetach, ID: res.Relationships[0], Force: true})
		return err
	}())
	w.write(a, 77, []byte("two copies.."))
	require.Equal(t, w.read(a), w.read(res.Targets[1]))
	require.NotEqual(t, w.read(a), w.read(res.Targets[0]))
}

func TestSnapshotOfAMirrorsTarget(t *testing.T) {
	w := newWorld(t)
	_, src, target := w.one(pairstate.Mirror, "a", pairstate.Synchronized)
	want := w.read(src)
	res := w.list(ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{target}})
	w.write(src, 0, []byte("later"))
	require.Equal(t, want, w.read(res.Targets[0]))
	require.Equal(t, w.read(src), w.read(target))
}
