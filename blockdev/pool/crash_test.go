package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs/memfs"
)

// TestPowerCut cuts the power at a random call of a random workload, three times in
// a row, and compares what is found with what may be there.
func TestPowerCut(t *testing.T) {
	eachSeed(t, 250, func(t *testing.T, seed uint64) {
		w := newWorld(t, seed)
		for range 3 {
			w.fs.CutAfter(w.r.IntN(500))
			for !w.dark() {
				w.step()
			}
			w.reboot()
		}
		w.finish()
	})
}

// reboot starts again after a power cut and checks everything.
func (w *world) reboot() {
	_ = w.pool.Close() // only ends its goroutines: nothing reaches the disk
	w.fs = w.fs.Crash()
	for w.r.IntN(3) == 0 {
		w.badStart()
	}
	w.note("reboot")
	w.start()
	w.settle()
	w.nothingLost()
	list, err := w.pool.List(context.Background())
	require.NoError(w.t, err)
	require.Len(w.t, list, len(w.vols))
	for _, v := range w.vols {
		d, err := w.pool.Open(context.Background(), v.id)
		require.NoError(w.t, err)
		other := w.unsure[v.id]
		if other != nil {
			v.know(other)
			other.know(v)
		}
		if err = v.check(d, true); err != nil && other != nil {
			err = other.check(d, true)
			w.vols[v.id] = other
		}
		if err != nil {
			w.fail(err)
		}
		w.vols[v.id].failed = false
		require.NoError(w.t, d.Close())
	}
}

// badStart begins to start, and loses power again, or has a call fail.
func (w *world) badStart() {
	cut := w.r.IntN(2) == 0
	if n := w.r.IntN(40); cut {
		w.fs.CutAfter(n)
	} else {
		w.fs.SetFault(func(memfs.Op, string) error {
			if n--; n == 0 {
				w.unread = true
				return syscall.EIO
			}
			return nil
		})
	}
	p, err := w.tryStart()
	w.note("bad start, cut %v: %v", cut, err)
	if err == nil {
		_ = p.WaitIdle(context.Background())
		_ = p.Close()
	}
	w.fs.SetFault(nil)
	w.fs = w.fs.Crash()
}

// settle finds out which of the volumes that the last step was about are there.
func (w *world) settle() {
	list, err := w.pool.List(context.Background())
	require.NoError(w.t, err)
	there, made := map[pool.VolumeID]bool{}, 0
	for _, v := range list {
		there[v.ID] = true
		if m := w.names2[v.Name]; m != nil && w.vols[v.ID] == nil {
			m.id = v.ID
			w.vols[v.ID] = m
			made++
		}
	}
	if made != 0 && made != len(w.names2) {
		w.fail(fmt.Errorf("%d of %d volumes of one snapshot are there", made, len(w.names2)))
	}
	for id, other := range w.unsure {
		if other == nil && !there[id] {
			delete(w.vols, id)
		}
	}
}

// finish waits for the merges, checks everything, deletes everything and requires
// that nothing is left.
func (w *world) finish() {
	ctx := context.Background()
	w.fs.SetFault(nil)
	w.fs.SetCapacity(0)
	if err := w.pool.WaitIdle(ctx); err != nil {
		w.fail(err)
	}
	w.scrub()
	for _, v := range w.vols {
		d := w.open[v.id]
		if d == nil {
			var err error
			d, err = w.pool.Open(ctx, v.id)
			require.NoError(w.t, err)
		}
		if err := v.check(d, false); err != nil {
			w.fail(err)
		}
		require.NoError(w.t, d.Close())
	}
	for id := range w.vols {
		require.NoError(w.t, w.pool.Delete(ctx, id))
	}
	_ = w.pool.Close() // a volume that failed says so
	if w.faulty {
		w.start() // removes the files that could not be removed
		require.NoError(w.t, w.pool.Close())
	}
	names, err := w.fs.List()
	require.NoError(w.t, err)
	require.Empty(w.t, names)
	w.nothingLost()
	require.Equal(w.t, 1, w.meta.Len(), "the record of the pool itself stays")
}

// TestPowerCutEverywhere cuts the power at every call of a workload: each seed at
// another one, and after calls of them in the next workload.
func TestPowerCutEverywhere(t *testing.T) {
	const calls = 512 // more than a workload has
	eachSeed(t, 120, func(t *testing.T, seed uint64) {
		w := newWorld(t, 2*(1+seed/calls)) // calm: each run makes the same calls
		w.fs.CutAfter(int(seed * 197 % calls))
		for i := 0; i < 40 && !w.dark(); i++ {
			w.step()
		}
		if w.dark() {
			w.reboot()
			w.finish()
		}
		_ = w.pool.Close() // the power may go only now
	})
}

// TestFaults makes random calls of a random workload fail with EIO. Then it goes on
// without faults, or the power goes: what was acknowledged is there, also where a
// volume failed.
func TestFaults(t *testing.T) {
	eachSeed(t, 80, func(t *testing.T, seed uint64) {
		w := newWorld(t, seed)
		for range 30 {
			w.step()
		}
		w.faulty = true
		faults := rand.New(rand.NewPCG(seed, 2))
		w.fs.SetFault(func(op memfs.Op, name string) error {
			if faults.IntN(40) == 0 && (op != memfs.OpSyncDir || faults.IntN(10) == 0) { // that ends much
				return syscall.EIO
			}
			return nil
		})
		stored := rand.New(rand.NewPCG(seed, 3)) // of its own: the filesystem's faults come at the same time
		w.meta.SetCommit(func() (bool, error) {
			made, err := w.fs.Step("meta")
			return made || stored.IntN(2) == 0, err // one that failed may be stored all the same
		})
		for range 100 {
			w.step()
		}
		w.fs.SetFault(nil)
		w.meta.SetCommit(func() (bool, error) { return w.fs.Step("meta") })
		if w.dropFailed(); seed%3 == 0 {
			w.unsure, w.names2 = map[pool.VolumeID]*volume{}, map[string]*volume{}
			w.create() // a transaction that is made settles what the store is in doubt about
			w.fs.CutAfter(w.r.IntN(200))
			for !w.dark() {
				w.step()
			}
			w.reboot()
		}
		w.finish()
	})
}

// TestNoSpaceAnywhere has calls that need space find none, the store's too. No volume
// fails for it, and when there is space again, everything goes on.
func TestNoSpaceAnywhere(t *testing.T) {
	needs := []memfs.Op{memfs.OpCreate, memfs.OpWrite, memfs.OpTruncate, memfs.OpPunch, memfs.OpOther}
	eachSeed(t, 40, func(t *testing.T, seed uint64) {
		w := newWorld(t, seed)
		faults := rand.New(rand.NewPCG(seed, 3))
		for range 3 {
			w.fs.SetFault(func(op memfs.Op, _ string) error {
				if slices.Contains(needs, op) && faults.IntN(12) == 0 {
					return syscall.ENOSPC
				}
				return nil
			})
			for range 40 {
				w.step()
			}
			w.fs.SetFault(nil)
			for id, v := range w.vols {
				require.False(t, v.failed, "volume %s failed for want of space", id)
			}
			w.fs.CutAfter(w.r.IntN(100))
			for !w.dark() {
				w.step()
			}
			w.reboot()
		}
		w.finish()
	})
}

// dropFailed forgets the handles, so that finish opens them anew.
func (w *world) dropFailed() {
	for id, d := range w.open {
		require.NoError(w.t, d.Close())
		delete(w.open, id)
	}
}

// TestNoSpace lets the filesystem be full now and then.
func TestNoSpace(t *testing.T) {
	eachSeed(t, 80, func(t *testing.T, seed uint64) {
		w := newWorld(t, seed)
		for round := range 6 {
			for range 30 {
				w.step()
			}
			total, free, err := w.fs.Space()
			require.NoError(t, err)
			if w.fs.SetCapacity(0); round%2 == 0 {
				w.fs.SetCapacity(total - free + int64(w.r.IntN(20))*blockdev.BlockSize)
			}
		}
		for id, v := range w.vols {
			require.False(t, v.failed, "volume %s failed for want of space", id)
		}
		w.finish()
	})
}

// failOneCall lets the n-th call of a snapshot of two volumes fail; false says that
// it has fewer.
func failOneCall(t *testing.T, n int) bool {
	t.Helper()
	ctx, m, meta := context.Background(), memfs.New(1), pooltest.NewMeta()
	meta.Commit = func() (bool, error) { return m.Step("meta") }
	p, err := pool.Open(ctx, pool.Config{FS: m, Name: "w", Meta: meta})
	require.NoError(t, err)
	defer p.Close()
	a, b := pooltest.Create(t, p, "a", 1<<20), pooltest.Create(t, p, "b", 1<<20)
	d, e := pooltest.Open(t, p, a.ID), pooltest.Open(t, p, b.ID)
	pooltest.Write(t, d, pooltest.Fill(1, 9000), 0)
	calls, failed := 0, false
	m.SetFault(func(op memfs.Op, _ string) error {
		if calls++; calls == n+1 {
			failed = true
			return syscall.EIO
		}
		return nil
	})
	_, err = p.Snapshot(ctx, []pool.Copy{
		{Source: a.ID, Target: pool.Spec{Name: "c"}}, {Source: b.ID, Target: pool.Spec{Name: "d"}},
	})
	m.SetFault(nil)
	pooltest.Holds(t, d, pooltest.Fill(1, 9000), 0)
	list, listErr := p.List(ctx)
	require.NoError(t, listErr)
	if err == nil {
		require.Len(t, list, 4)
		return failed
	}
	require.Len(t, list, 2)
	if errors.Join(d.Flush(ctx), e.Flush(ctx)) != nil { // the call was a sync, which is final until a restart
		require.True(t, blockdev.Is(err, blockdev.KindIO))
		require.Error(t, p.Close())
		p, err = pool.Open(ctx, pool.Config{FS: m, Name: "w", Meta: meta})
		require.NoError(t, err)
		defer p.Close()
		pooltest.Holds(t, pooltest.Open(t, p, a.ID), pooltest.Fill(1, 9000), 0)
	}
	require.NoError(t, p.WaitIdle(ctx))
	names, listErr := m.List()
	require.NoError(t, listErr)
	require.Len(t, names, 2, "call %d: %v", n, err)
	return true
}
