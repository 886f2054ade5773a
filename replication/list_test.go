package replication

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/job"
	"twinlun/replication/pairstate"
)

func TestSnapshotsAreDoneAtOnce(t *testing.T) {
	w := newWorld(t)
	src := w.volumes("a", "b")
	before := [][]byte{w.read(src[0]), w.read(src[1])}
	res := w.list(ListRequest{SyncType: pairstate.Snapshot, Sources: src, Names: []string{"snap of a"}, Labels: map[string]string{"goal": "x"}})
	require.Empty(t, res.Job)
	require.Len(t, res.Relationships, 2)
	w.write(src[0], 0, []byte("later"))
	for i, target := range res.Targets {
		require.Equal(t, before[i], w.read(target))
		r, err := w.svc.Relationship(context.Background(), res.Relationships[i])
		require.NoError(t, err)
		require.Equal(t, src[i], r.Source)
		require.Equal(t, target, r.Target)
		require.Equal(t, pairstate.State{Copy: pairstate.Synchronized, Requested: pairstate.NotApplicable, Progress: pairstate.Completed}, r.State)
		require.EqualValues(t, 100, r.Percent)
		require.Equal(t, pairstate.Synchronous, r.Mode)
		require.False(t, r.WhenActivated.IsZero() || r.WhenSynchronized.IsZero() || r.WhenEstablished.IsZero())
	}
	v, err := w.svc.Volume(context.Background(), res.Targets[0])
	require.NoError(t, err)
	require.Equal(t, "snap of a", v.Name)
	require.Equal(t, map[string]string{"goal": "x"}, v.Labels)
	v, err = w.svc.Volume(context.Background(), res.Targets[1])
	require.NoError(t, err)
	require.Equal(t, "b-snapshot-1", v.Name)
	jobs, err := listed(context.Background(), w.svc.EachJob)
	require.NoError(t, err)
	require.Empty(t, jobs)
}

func TestCloneRunsUnderAJob(t *testing.T) {
	w := newWorld(t)
	src := w.volumes("a", "b")
	gate := w.pools[0].hold()
	res, err := w.svc.CreateList(WithOwner(context.Background(), "anna"), ListRequest{SyncType: pairstate.Clone, Sources: src})
	require.NoError(t, err)
	require.NotEmpty(t, res.Job)
	j, err := w.svc.Job(context.Background(), res.Job)
	require.NoError(t, err)
	require.Equal(t, "anna", j.Owner)
	require.Equal(t, []job.Element{
		{Kind: job.Volume, Pool: "p0", ID: string(res.Targets[0].ID)}, {Kind: job.Volume, Pool: "p0", ID: string(res.Targets[1].ID)},
	}, j.Affected)
	require.Equal(t, pairstate.Unsynchronized, w.state(res.Relationships[0]).Copy)
	require.Equal(t, w.read(src[0]), w.read(res.Targets[0]), "readable from the first moment")
	gate <- struct{}{}
	gate <- struct{}{}
	gate <- struct{}{}
	w.eventually("percent moves", func() bool {
		j, err := w.svc.Job(context.Background(), res.Job)
		require.NoError(t, err)
		return j.Percent > 0 && j.Percent < 100
	})
	close(gate)
	done := w.jobEnds(res.Job)
	require.Equal(t, job.Completed, done.State)
	require.EqualValues(t, 100, done.Percent)
	require.Zero(t, done.ErrorCode)
	w.reaches(pairstate.Synchronized, res.Relationships...)
	require.NotContains(t, keysOf(w.dump(), bucketRequests), bucketRequests)
}

// keysOf lists the buckets among the keys of a dump that have the prefix.
func keysOf(dump map[string]string, prefix string) []string {
	var l []string
	for k := range dump {
		if len(k) > len(prefix) && k[:len(prefix)] == prefix {
			l = append(l, prefix)
		}
	}
	return l
}

func TestMirrorFollowsItsSource(t *testing.T) {
	w := newWorld(t)
	src := w.volume("p0", "a")
	res := w.list(ListRequest{SyncType: pairstate.Mirror, Sources: []VolumeRef{src}, TargetPool: "p1"})
	require.Equal(t, "p1", res.Targets[0].Pool)
	w.reaches(pairstate.Synchronized, res.Relationships[0])
	if res.Job != "" {
		require.Equal(t, job.Completed, w.jobEnds(res.Job).State)
	}
	require.Equal(t, w.read(src), w.read(res.Targets[0]))
	w.write(src, 4096, []byte("both have it"))
	require.Equal(t, w.read(src), w.read(res.Targets[0]))
	err := w.tryWrite(res.Targets[0], 0, []byte("x"))
	require.True(t, blockdev.Is(err, blockdev.KindReadOnly), "%v", err)
}

func TestCloneAndMirrorIntoGivenTargets(t *testing.T) {
	for _, typ := range []pairstate.SyncType{pairstate.Clone, pairstate.Mirror} {
		t.Run(typ.String(), func(t *testing.T) {
			w := newWorld(t)
			src := w.volumes("a", "b")
			big := w.volumeOf("p0", "big", 2*volumeSize)
			targets := []VolumeRef{big, w.volume("p0", "t")}
			w.expose(targets[0], 0) // exposed, but nobody is there
			res := w.list(ListRequest{SyncType: typ, Sources: src, Targets: targets, Mode: pairstate.Synchronous})
			require.Equal(t, targets, res.Targets)
			w.reaches(pairstate.Synchronized, res.Relationships...)
			require.Equal(t, w.read(src[0]), w.read(big)[:volumeSize])
			require.Equal(t, w.read(src[1]), w.read(targets[1]))
			r, err := w.svc.Relationship(context.Background(), res.Relationships[0])
			require.NoError(t, err)
			require.Equal(t, "big", r.Name)
		})
	}
}

func TestOneSourceTwiceInAList(t *testing.T) {
	w := newWorld(t)
	a := w.volume("p0", "a")
	res := w.list(ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{a, a}})
	require.NotEqual(t, res.Targets[0], res.Targets[1])
	require.Equal(t, w.read(res.Targets[0]), w.read(res.Targets[1]))
}

func TestMadeUpNamesAvoidTakenOnes(t *testing.T) {
	w := newWorld(t)
	a := w.volume("p0", "a")
	w.volume("p0", "A-Snapshot-1")
	res := w.list(ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{a, a, a}, Names: []string{"", "a-snapshot-2"}})
	var got []string
	for _, target := range res.Targets {
		v, err := w.svc.Volume(context.Background(), target)
		require.NoError(t, err)
		got = append(got, v.Name)
	}
	require.Equal(t, []string{"a-snapshot-3", "a-snapshot-2", "a-snapshot-4"}, got)
}

func TestHostWriteMakesTargetSkewed(t *testing.T) {
	for _, typ := range []pairstate.SyncType{pairstate.Snapshot, pairstate.Clone} {
		t.Run(typ.String(), func(t *testing.T) {
			w := newWorld(t)
			a := w.volume("p0", "a")
			res := w.list(ListRequest{SyncType: typ, Sources: []VolumeRef{a}, Wait: Wait{State: pairstate.Synchronized}})
			require.Empty(t, res.Job)
			w.write(res.Targets[0], 0, []byte("mine"))
			require.Equal(t, pairstate.Skewed, w.state(res.Relationships[0]).Copy)
			require.Equal(t, []byte("mine"), w.read(res.Targets[0])[:4])
			w.restart()
			require.Equal(t, pairstate.Skewed, w.state(res.Relationships[0]).Copy)
		})
	}
}

func TestCloneWrittenWhileItIsCopied(t *testing.T) {
	w := newWorld(t)
	a := w.volume("p0", "a")
	gate := w.pools[0].hold()
	res := w.list(ListRequest{SyncType: pairstate.Clone, Sources: []VolumeRef{a}})
	w.write(res.Targets[0], 0, []byte("mine"))
	require.Equal(t, pairstate.Skewed, w.state(res.Relationships[0]).Copy)
	close(gate)
	require.Equal(t, job.Completed, w.jobEnds(res.Job).State)
	w.eventually("at rest", func() bool { return w.state(res.Relationships[0]).Idle() })
	require.Equal(t, pairstate.Skewed, w.state(res.Relationships[0]).Copy)
}

func TestReadOnlyTarget(t *testing.T) {
	w := newWorld(t)
	a := w.volume("p0", "a")
	res := w.list(ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{a}, Settings: Settings{TargetReadOnly: true}})
	require.True(t, blockdev.Is(w.tryWrite(res.Targets[0], 0, []byte("x")), blockdev.KindReadOnly))
	w.restart()
	require.True(t, blockdev.Is(w.tryWrite(res.Targets[0], 0, []byte("x")), blockdev.KindReadOnly))
	require.Equal(t, pairstate.Synchronized, w.state(res.Relationships[0]).Copy)
}

func TestWaitForCopyState(t *testing.T) {
	soon := 20 * time.Millisecond
	for _, c := range []struct {
		name    string
		typ     pairstate.SyncType
		wait    Wait
		held    bool
		job     bool
		reached pairstate.CopyState // on return; 0: any
	}{
		{"clone initialized", pairstate.Clone, Wait{State: pairstate.Initialized}, true, false, 0},
		{"clone unsynchronized", pairstate.Clone, Wait{State: pairstate.Unsynchronized}, true, false, pairstate.Unsynchronized},
		{"clone synchronized", pairstate.Clone, Wait{State: pairstate.Synchronized}, false, false, pairstate.Synchronized},
		{"clone too slow", pairstate.Clone, Wait{State: pairstate.Synchronized, For: soon}, true, true, pairstate.Unsynchronized},
		{"clone inactive", pairstate.Clone, Wait{State: pairstate.Inactive}, true, false, pairstate.Inactive},
		{"clone without", pairstate.Clone, Wait{}, true, true, pairstate.Unsynchronized},
		{"mirror initialized", pairstate.Mirror, Wait{State: pairstate.Initialized}, false, false, 0},
		{"mirror unsynchronized", pairstate.Mirror, Wait{State: pairstate.Unsynchronized}, false, false, 0},
		{"mirror synchronized", pairstate.Mirror, Wait{State: pairstate.Synchronized}, false, false, pairstate.Synchronized},
		{"mirror inactive", pairstate.Mirror, Wait{State: pairstate.Inactive}, false, false, pairstate.Inactive},
		{"snapshot synchronized", pairstate.Snapshot, Wait{State: pairstate.Synchronized}, true, false, pairstate.Synchronized},
		{"snapshot inactive", pairstate.Snapshot, Wait{State: pairstate.Inactive}, true, false, pairstate.Inactive},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.volume("p0", "a")
			if c.held {
				w.pools[0].hold()
			}
			res := w.list(ListRequest{SyncType: c.typ, Sources: []VolumeRef{a}, Wait: c.wait})
			require.Equal(t, c.job, res.Job != "")
			if c.reached != 0 {
				require.Equal(t, c.reached, w.state(res.Relationships[0]).Copy)
			}
			jobs, err := listed(context.Background(), w.svc.EachJob)
			require.NoError(t, err)
			require.Equal(t, c.job, len(jobs) == 1)
		})
	}
}

func TestWaitEndsWithTheCaller(t *testing.T) {
	w := newWorld(t)
	a := w.volume("p0", "a")
	w.pools[0].hold()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	res, err := w.svc.CreateList(ctx, ListRequest{SyncType: pairstate.Clone, Sources: []VolumeRef{a}, Wait: Wait{State: pairstate.Synchronized}})
	require.NoError(t, err)
	require.NotEmpty(t, res.Job)
}

func TestInactiveTakesItsPointAtActivate(t *testing.T) {
	for _, typ := range []pairstate.SyncType{pairstate.Snapshot, pairstate.Clone, pairstate.Mirror} {
		t.Run(typ.String(), func(t *testing.T) {
			w := newWorld(t)
			a := w.volume("p0", "a")
			res := w.list(ListRequest{SyncType: typ, Sources: []VolumeRef{a}, Wait: Wait{State: pairstate.Inactive}})
			id, target := res.Relationships[0], res.Targets[0]
			require.Equal(t, make([]byte, volumeSize), w.read(target))
			require.True(t, blockdev.Is(w.tryWrite(target, 0, []byte("x")), blockdev.KindReadOnly), "what a host wrote would be lost")
			w.write(a, 0, []byte("at activate"))
			want := w.read(a)
			w.restart()
			require.Equal(t, pairstate.Inactive, w.state(id).Copy)
			j, err := w.svc.Modify(context.Background(), ModifyRequest{Operation: OpActivate, ID: id, Wait: Wait{State: pairstate.Synchronized}})
			require.NoError(t, err)
			require.Empty(t, j)
			require.Equal(t, pairstate.Synchronized, w.state(id).Copy)
			require.Equal(t, want, w.read(target))
			if typ == pairstate.Mirror {
				return
			}
			w.write(a, 0, []byte("after it    "))
			require.Equal(t, want, w.read(target))
			w.write(target, 0, []byte("x"))
			require.Equal(t, pairstate.Skewed, w.state(id).Copy)
		})
	}
}

func TestCopyPrioritySetsTheRate(t *testing.T) {
	c := Config{CopyRate: 100}
	require.EqualValues(t, []int64{0, 50, 100, 200, 0}, []int64{c.rate(0), c.rate(1), c.rate(2), c.rate(3), c.rate(4)})
}

func TestBackgroundCopiesTakeTurns(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxCopies = 2 })
	running := make(chan pool.VolumeID, 100)
	release := make(chan struct{})
	w.pools[0].setGate(func(ctx context.Context, id pool.VolumeID) error {
		running <- id
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	res := w.list(ListRequest{SyncType: pairstate.Clone, Sources: w.volumes("a", "b", "c", "d")})
	first, second := <-running, <-running
	require.NotEqual(t, first, second)
	require.Empty(t, running, "a third copy runs")
	close(release)
	require.Equal(t, job.Completed, w.jobEnds(res.Job).State)
}

func TestBytesBeyondTheSourceReadAsZeros(t *testing.T) {
	w := newWorld(t)
	a := w.volume("p0", "a")
	big := w.volumeOf("p0", "big", 2*volumeSize)
	w.list(ListRequest{SyncType: pairstate.Clone, Sources: []VolumeRef{a}, Targets: []VolumeRef{big}, Wait: Wait{State: pairstate.Synchronized}})
	require.True(t, bytes.Equal(w.read(big)[volumeSize:], make([]byte, volumeSize)))
}

func TestHowLongAMethodWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		src := w.volumes("a")
		w.pools[0].hold()
		for _, c := range []struct{ ask, want time.Duration }{{0, MaxWait}, {3 * time.Second, 3 * time.Second}, {time.Hour, MaxWait}} {
			start := time.Now()
			res := w.list(ListRequest{SyncType: pairstate.Clone, Sources: src, Wait: Wait{State: pairstate.Synchronized, For: c.ask}})
			require.NotEmpty(t, res.Job)
			require.Equal(t, c.want, time.Since(start))
		}
		start := time.Now()
		w.list(ListRequest{SyncType: pairstate.Clone, Sources: src, Wait: Wait{State: pairstate.Unsynchronized}})
		w.list(ListRequest{SyncType: pairstate.Clone, Sources: src})
		require.Zero(t, time.Since(start))
	})
}

func TestLostTargetIsLookedForLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id, src, target := w.one(pairstate.Mirror, "a", pairstate.Synchronized)
		var tries []time.Duration
		start := time.Now()
		w.pools[0].setFault(func(op, what string) error {
			if what != string(target.ID) || op != "write" && op != "openraw" {
				return nil
			}
			if op == "openraw" {
				tries = append(tries, time.Since(start))
			}
			return blockdev.Errorf(blockdev.KindIO, op, "injected")
		})
		w.write(src, 0, []byte("x"))
		time.Sleep(4 * time.Minute) // of the bubble's clock
		w.pools[0].setFault(nil)
		synctest.Wait()
		require.Equal(t, []time.Duration{30 * time.Second, 90 * time.Second, 210 * time.Second}, tries)
		time.Sleep(4 * time.Minute)
		w.reaches(pairstate.Synchronized, id)
		require.Equal(t, w.read(src), w.read(target))
	})
}
