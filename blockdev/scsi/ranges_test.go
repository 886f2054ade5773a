package scsi

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/faultdev"
)

func TestRangeLock(t *testing.T) {
	type want struct {
		off, n    int64
		exclusive bool
	}
	for name, c := range map[string]struct {
		first, second want
		waits         bool
	}{
		"two shared":             {want{0, 10, false}, want{0, 10, false}, false},
		"exclusive after shared": {want{0, 10, false}, want{9, 1, true}, true},
		"shared after exclusive": {want{5, 10, true}, want{0, 6, false}, true},
		"two exclusive":          {want{5, 10, true}, want{7, 1, true}, true},
		"neighbours":             {want{0, 10, true}, want{10, 10, true}, false},
		"neighbour before":       {want{10, 10, true}, want{0, 10, false}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l rangeLock
				first, err := l.acquire(t.Context(), c.first.off, c.first.n, c.first.exclusive)
				require.NoError(t, err)
				var got atomic.Bool
				go func() {
					slot, err := l.acquire(context.Background(), c.second.off, c.second.n, c.second.exclusive)
					require.NoError(t, err)
					got.Store(true)
					l.release(slot)
				}()
				synctest.Wait()
				require.Equal(t, !c.waits, got.Load())
				l.release(first)
				synctest.Wait()
				require.True(t, got.Load())
				require.Zero(t, l.exclusives)
				require.Len(t, l.free, len(l.slots))
			})
		})
	}
}

// TestRangeLockIsFair has an exclusive claim wait behind a shared one: shared
// claims that come later wait for it.
func TestRangeLockIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l rangeLock
		ctx := context.Background()
		held, err := l.acquire(ctx, 0, 10, false)
		require.NoError(t, err)
		var order []string
		var wg sync.WaitGroup
		wait := func(name string, exclusive bool) {
			wg.Go(func() {
				slot, err := l.acquire(ctx, 0, 10, exclusive)
				require.NoError(t, err)
				order = append(order, name)
				l.release(slot)
			})
			synctest.Wait()
		}
		wait("exclusive", true)
		wait("shared", false)
		require.Empty(t, order)
		l.release(held)
		wg.Wait()
		require.Equal(t, []string{"exclusive", "shared"}, order)
	})
}

func TestRangeLockGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l rangeLock
		held, err := l.acquire(context.Background(), 0, 10, true)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 2)
		go func() {
			_, err := l.acquire(ctx, 0, 10, true)
			done <- err
		}()
		synctest.Wait()
		var behind atomic.Bool
		go func() { // waits for both
			slot, err := l.acquire(context.Background(), 5, 1, false)
			require.NoError(t, err)
			behind.Store(true)
			l.release(slot)
		}()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		synctest.Wait()
		require.False(t, behind.Load())
		l.release(held)
		synctest.Wait()
		require.True(t, behind.Load())
	})
}

// TestCompareAndWriteIsALock lets initiators count in a block with COMPARE AND
// WRITE only: no increment may be lost.
func TestCompareAndWriteIsALock(t *testing.T) {
	const workers, increments = 4, 60
	r := newRig(t)
	cdb := []byte("\x89\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00")
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for done := 0; done < increments; {
				old := r.Execute(context.Background(), &Command{CDB: []byte(rw(0x28, 0, 0, 2)), Expected: 1024}).DataIn
				next := bytes.Clone(old)
				be.PutUint32(next, be.Uint32(old)+1)
				copy(next[512:], next[:4])
				res := r.Execute(context.Background(), &Command{CDB: cdb, DataOut: append(bytes.Clone(old), next...)})
				if res.Status == StatusGood {
					done++
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, workers*increments, be.Uint32(r.medium(0, 4)))
	require.EqualValues(t, workers*increments, be.Uint32(r.medium(512, 4)))
}

// TestCompareAndWriteExcludesWriters holds COMPARE AND WRITE between its read and
// its write: writers of its blocks, of every kind, wait, others do not.
func TestCompareAndWriteExcludesWriters(t *testing.T) {
	list := unmapList(lbaRange{lba: 1, n: 1})
	for name, w := range map[string]struct {
		cdb string
		out []byte
	}{
		"WRITE":             {rw(0x2A, 0, 1, 4), sectors('x', 4)},
		"WRITE AND VERIFY":  {rw(0x2E, 2, 0, 4), sectors('x', 4)},
		"WRITE SAME":        {rw(0x41, 0, 0, 9), sectors('x', 1)},
		"WRITE SAME zeros":  {rw(0x41, 0, 0, 9), sectors(0, 1)},
		"UNMAP":             {unmapCDB(len(list)), list},
		"COMPARE AND WRITE": {"\x89\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00", append(sectors('b', 1), sectors('x', 1)...)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.put(0, sectors('a', 2))
				open := make(chan struct{})
				r.plan.Inject(faultdev.Fault{Ops: []faultdev.Op{faultdev.OpWrite}, Times: 1, Gate: func(context.Context) error {
					<-open
					return nil
				}})
				var caw, other Result
				var wg sync.WaitGroup
				wg.Go(func() {
					caw = r.Execute(context.Background(), &Command{
						CDB:     []byte("\x89\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00"),
						DataOut: append(sectors('a', 2), sectors('b', 2)...),
					})
				})
				synctest.Wait()
				var done atomic.Bool
				wg.Go(func() {
					other = r.Execute(context.Background(), &Command{CDB: []byte(w.cdb), DataOut: w.out})
					done.Store(true)
				})
				synctest.Wait()
				require.False(t, done.Load(), "an overlapping writer waits")
				r.good(rw(0x2A, 0, 100, 1), sectors('y', 1)...)
				require.Equal(t, sectors('a', 1), r.good(rw(0x28, 0, 1, 1)), "readers do not wait")
				close(open)
				wg.Wait()
				require.Equal(t, StatusGood, caw.Status)
				require.Equal(t, StatusGood, other.Status)
			})
		})
	}
}

// TestVerifiedWriteIsNotDisturbed holds WRITE AND VERIFY before it reads back:
// what it would then find must be its own.
func TestVerifiedWriteIsNotDisturbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		open := make(chan struct{})
		r.plan.Inject(faultdev.Fault{Ops: []faultdev.Op{faultdev.OpRead}, Times: 1, Gate: func(context.Context) error {
			<-open
			return nil
		}})
		var verified, other Result
		var wg sync.WaitGroup
		wg.Go(func() {
			verified = r.Execute(context.Background(), &Command{CDB: []byte(rw(0x2E, 2, 0, 4)), DataOut: sectors('a', 4)})
		})
		synctest.Wait()
		wg.Go(func() {
			other = r.Execute(context.Background(), &Command{CDB: []byte(rw(0x2A, 0, 2, 4)), DataOut: sectors('b', 4)})
		})
		synctest.Wait()
		close(open)
		wg.Wait()
		require.Equal(t, StatusGood, verified.Status)
		require.Equal(t, StatusGood, other.Status)
		require.Equal(t, append(sectors('a', 2), sectors('b', 4)...), r.medium(0, 6*512))
	})
}

func TestCompareAndWriteGivesUpItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		slot, err := r.ranges.acquire(context.Background(), 0, 512, false)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan Result)
		go func() {
			a := attempts()["COMPARE AND WRITE"]
			done <- r.Execute(ctx, &Command{CDB: []byte(a.cdb), DataOut: a.out})
		}()
		synctest.Wait()
		cancel()
		require.Equal(t, StatusTaskAborted, (<-done).Status)
		r.ranges.release(slot)
		require.Zero(t, r.ranges.exclusives)
	})
}

// TestParallelCommands mixes all sorts of commands; the race detector watches.
func TestParallelCommands(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	for seed := range uint64(6) {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 0))
			for range 150 {
				for _, a := range attempts() {
					if rng.IntN(2) == 0 {
						res := r.Execute(context.Background(), &Command{CDB: []byte(a.cdb), DataOut: a.out, Expected: 4096})
						if res.Status != StatusGood && (res.Sense == nil || res.Sense[2] != 0x0E) {
							t.Errorf("% X: status %#x sense % X", a.cdb, res.Status, res.Sense)
						}
					}
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, r.ranges.exclusives)
	require.Len(t, r.ranges.free, len(r.ranges.slots))
}
