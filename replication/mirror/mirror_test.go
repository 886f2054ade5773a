package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/memdev"
	"twinlun/replication/bitmap"
	"twinlun/replication/store"
	"twinlun/replication/store/faultstore"
)

var errBoom = errors.New("boom")

func TestFirstCopyUnderWrites(t *testing.T) {
	r := newRig()
	fill(r.source, 1)
	fill(r.target, 2)
	r.start(t, func(c *Config) { c.CleanEvery = time.Millisecond })
	writers := r.writers(3, 6, 300)
	r.news.wait(t, "synchronized")
	writers.Wait()
	r.requireEqual(t)
	last := r.news.progress[len(r.news.progress)-1]
	require.Equal(t, last[0], last[1], "progress ends at the end")
}

// TestOverlappingWrites lets many hosts write the same few sectors.
func TestOverlappingWrites(t *testing.T) {
	r := newRig()
	r.start(t, nil)
	r.news.wait(t, "synchronized")
	done := make(chan error)
	for w := range 16 {
		go func() {
			var err error
			for i := range 200 {
				err = errors.Join(err, r.volume.write(int64(i%3)*512, bytes.Repeat([]byte{byte(w), byte(i)}, 512)))
			}
			done <- err
		}()
	}
	for range 16 {
		require.NoError(t, <-done)
	}
	r.requireEqual(t)
}

// TestCrash cuts the power at a random operation of either disk or the store,
// again and again; after each restart the target becomes the source.
func TestCrash(t *testing.T) {
	for seed := range uint64(16) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			r := newRig()
			mem := r.store
			fill(r.source, seed)
			for range 4 {
				r.lifeUntilPowerFails(t, rnd, mem)
			}
			r.power.off, r.power.left = false, -1
			r.store, r.news = mem, newNews()
			r.start(t, nil)
			r.news.wait(t, "synchronized")
			r.requireEqual(t)
		})
	}
}

// poweredStore fails with the power, before or after what it did.
type poweredStore struct {
	store.Store
	power *power
}

func (s poweredStore) Update(ctx context.Context, fn func(store.Tx) error) error {
	if !s.power.use() {
		return errPower
	}
	err := s.Store.Update(ctx, fn)
	if err == nil && !s.power.use() {
		return errPower
	}
	return err
}

func (r *rig) lifeUntilPowerFails(t *testing.T, rnd *rand.Rand, mem store.Store) {
	r.power.off, r.power.left = false, 20+rnd.IntN(400)
	r.store, r.news = poweredStore{mem, r.power}, newNews()
	c := r.config()
	c.CleanEvery = time.Millisecond
	m, err := Start(ctx, c)
	if err == nil {
		r.writers(rnd.Uint64(), 4, 200).Wait()
		r.power.mu.Lock()
		r.power.off = true
		r.power.mu.Unlock()
		m.Stop(ctx)
	}
	r.volume.set(nil)
	r.source.crash(rnd)
	r.target.crash(rnd)
}

func TestTargetFails(t *testing.T) {
	r := newRig()
	fill(r.source, 1)
	r.start(t, nil)
	r.news.wait(t, "synchronized")

	r.target.fail(errBoom)
	require.NoError(t, r.volume.write(0, []byte("the host does not notice")))
	r.news.wait(t, "synchronized", "broken: boom")
	require.True(t, r.mirror.Status().Broken)
	r.writers(5, 3, 100).Wait()
	require.NoError(t, r.volume.change(ctx, blockdev.Change{Op: blockdev.OpFlush}))
	require.ErrorContains(t, r.mirror.Reconnect(newDisk(r.power, size-512)), "target of")

	r.target.fail(nil)
	require.NoError(t, r.mirror.Reconnect(r.target))
	require.ErrorIs(t, r.mirror.Reconnect(r.target), ErrConnected)
	r.news.wait(t, "synchronized", "broken: boom", "synchronized")
	r.requireEqual(t)
}

// TestTargetFailsUnderWrites breaks and mends the target while hosts write.
func TestTargetFailsUnderWrites(t *testing.T) {
	r := newRig()
	r.start(t, func(c *Config) { c.CleanEvery = time.Millisecond })
	r.news.wait(t, "synchronized")
	words := []string{"synchronized"}
	writers := r.writers(5, 4, 2000)
	for range 5 {
		r.target.fail(errBoom)
		require.NoError(t, r.volume.write(0, []byte("x")))
		words = append(words, "broken: boom", "synchronized")
		r.news.wait(t, words[:len(words)-1]...)
		r.target.fail(nil)
		require.NoError(t, r.mirror.Reconnect(r.target))
		r.news.wait(t, words...)
	}
	writers.Wait()
	r.requireEqual(t)
}

// TestUnflushedIsNotTrusted: what the target took but could not flush is copied
// again, although nobody wrote it since.
func TestUnflushedIsNotTrusted(t *testing.T) {
	r := newRig()
	r.start(t, nil)
	r.news.wait(t, "synchronized")
	require.NoError(t, r.volume.write(5*region, []byte("lost")))
	r.target.fail(errBoom)
	require.NoError(t, r.volume.change(ctx, blockdev.Change{Op: blockdev.OpFlush}))
	r.news.wait(t, "synchronized", "broken: boom")
	r.target.mu.Lock()
	for b := range r.target.volatile {
		r.target.settle(b, false)
	}
	r.target.failing = nil
	r.target.mu.Unlock()
	require.NoError(t, r.mirror.Reconnect(r.target))
	r.news.wait(t, "synchronized", "broken: boom", "synchronized")
	r.requireEqual(t)
}

func TestSourceFails(t *testing.T) {
	r := newRig()
	r.start(t, nil)
	r.news.wait(t, "synchronized")
	r.source.fail(errBoom)
	require.ErrorIs(t, r.volume.write(region, []byte("only the target has this")), errBoom)
	require.ErrorIs(t, r.volume.change(ctx, blockdev.Change{Op: blockdev.OpFlush}), errBoom)
	r.source.fail(nil)
	r.news.wait(t, "synchronized", "diverged: boom", "synchronized")
	deadline := time.Now().Add(30 * time.Second)
	for !r.mirror.Status().Synchronized && time.Now().Before(deadline) {
		<-r.news.came
	}
	r.requireEqual(t)
}

func TestSourceCannotBeRead(t *testing.T) {
	r := newRig()
	r.source.failRead = errBoom
	r.start(t, func(c *Config) { c.Parallel = 1 })
	r.news.wait(t, fmt.Sprintf("broken: source: read at 0+%d: boom", region))
}

// TestCleanersFlushIsNotLost: when the cleaner hears that the source cannot flush,
// a host must hear it too.
func TestCleanersFlushIsNotLost(t *testing.T) {
	r := newRig()
	r.start(t, nil)
	r.news.wait(t, "synchronized")
	require.NoError(t, r.volume.write(0, []byte("x")))
	r.mirror.clean(ctx, false)
	r.source.fail(errBoom)
	r.mirror.clean(ctx, false)
	r.source.fail(nil)
	require.NotZero(t, r.mirror.log.Count(), "not cleared")
	require.ErrorIs(t, r.volume.change(ctx, blockdev.Change{Op: blockdev.OpFlush}), errBoom)
	require.NoError(t, r.volume.change(ctx, blockdev.Change{Op: blockdev.OpFlush}))
}

func TestCleaning(t *testing.T) {
	r := newRig()
	r.start(t, nil)
	r.news.wait(t, "synchronized")
	r.mirror.clean(ctx, false) // what the first copy left
	require.Zero(t, r.stored(t))

	require.NoError(t, r.volume.write(3*region-1, []byte("two regions")))
	require.EqualValues(t, 2, r.stored(t))
	r.mirror.clean(ctx, false)
	require.EqualValues(t, 2, r.stored(t), "written since the last cleaning")
	require.NoError(t, r.volume.write(3*region, []byte("again")))
	r.mirror.clean(ctx, false)
	require.EqualValues(t, 1, r.stored(t))
	r.mirror.Stop(ctx)
	r.mirror.Stop(ctx)
	require.Zero(t, r.stored(t), "a stop in order leaves nothing to compare")
	require.NoError(t, r.volume.write(0, []byte("x")), "the hook is out")
	require.Zero(t, r.stored(t))
}

// stored is how many regions the store knows as dirty.
func (r *rig) stored(t *testing.T) int64 {
	l, err := bitmap.Open(ctx, bitmap.Config{Store: r.store, ID: "m", Size: size})
	require.NoError(t, err)
	return l.Count()
}

// TestResync copies the dirty regions and no others.
func TestResync(t *testing.T) {
	r := newRig()
	r.start(t, nil)
	r.news.wait(t, "synchronized")
	r.mirror.Stop(ctx)
	l, err := bitmap.Open(ctx, bitmap.Config{Store: r.store, ID: "m", Size: size})
	require.NoError(t, err)
	require.NoError(t, l.Set(ctx, 4*region, 2*region))
	fill(r.source, 1)
	r.news = newNews()
	r.start(t, nil)
	r.news.wait(t, "synchronized")
	s, d := r.source.content(), r.target.content()
	require.Equal(t, s[4*region:6*region], d[4*region:6*region])
	require.NotEqual(t, s[3*region:4*region], d[3*region:4*region])
	require.NotEqual(t, s[6*region:7*region], d[6*region:7*region])
	require.NoError(t, r.store.Update(ctx, func(tx store.Tx) error { return Forget(tx, "m") }))
}

func TestWithoutTarget(t *testing.T) {
	r := newRig()
	fill(r.source, 1)
	r.start(t, func(c *Config) { c.Target = nil })
	require.NoError(t, r.volume.write(0, []byte("x")))
	require.Equal(t, Status{Broken: true, Stale: size, Dirty: size}, r.mirror.Status())
	require.NoError(t, r.mirror.Reconnect(r.target))
	r.news.wait(t, "synchronized")
	r.requireEqual(t)
}

// TestFreshTarget copies only what the source holds.
func TestFreshTarget(t *testing.T) {
	r := newRig()
	source := memdev.New(size)
	require.NoError(t, source.WriteAt(ctx, []byte("data"), 3*region))
	r.volume.dev = source
	r.start(t, func(c *Config) { c.Source, c.Fresh = source, true })
	r.news.wait(t, "synchronized")
	require.Equal(t, [2]int64{region, region}, r.news.progress[len(r.news.progress)-1])
	require.Equal(t, "data", string(r.target.content()[3*region:][:4]))
}

func TestSourceGrows(t *testing.T) {
	r := newRig()
	source := memdev.New(region)
	r.volume.dev = source
	r.start(t, func(c *Config) { c.Source = source })
	r.news.wait(t, "synchronized")
	require.True(t, blockdev.Is(r.volume.write(4*region, []byte("x")), blockdev.KindOutOfRange))
	source.Grow(size)
	require.NoError(t, r.volume.write(4*region, []byte("new")))
	require.Equal(t, "new", string(r.target.content()[4*region:][:3]))
}

// TestLogFails: a change that cannot be logged does not happen on either side.
func TestLogFails(t *testing.T) {
	r := newRig()
	faulty := faultstore.New(r.store)
	r.store = faulty
	r.start(t, nil)
	r.news.wait(t, "synchronized")
	r.mirror.clean(ctx, false)
	faulty.Plan(faultstore.Fault{Update: 1})
	err := r.volume.write(0, []byte("x"))
	require.ErrorIs(t, err, faultstore.ErrFault)
	require.True(t, blockdev.Is(err, blockdev.KindIO))
	require.Equal(t, make([]byte, 512), r.source.content()[:512])
	r.requireEqual(t)
	require.NoError(t, r.volume.write(0, []byte("x")))
	r.requireEqual(t)
}

func TestStartFails(t *testing.T) {
	r := newRig()
	_, err := Start(ctx, Config{})
	require.ErrorIs(t, err, errConfig)
	c := r.config()
	c.Target = newDisk(r.power, size-512)
	_, err = Start(ctx, c)
	require.True(t, blockdev.Is(err, blockdev.KindInvalid))
	c = r.config()
	c.Attach = func(blockdev.Hook) (func(), error) { return nil, errBoom }
	_, err = Start(ctx, c)
	require.ErrorIs(t, err, errBoom)
	faulty := faultstore.New(r.store)
	faulty.Plan(faultstore.Fault{Update: 1})
	c = r.config()
	c.Store = faulty
	_, err = Start(ctx, c)
	require.ErrorIs(t, err, faultstore.ErrFault)
	require.Nil(t, r.volume.hook, "the hook is out again")
}

func TestGivenUpWhileWaiting(t *testing.T) {
	r := newRig()
	r.start(t, nil)
	r.news.wait(t, "synchronized")
	unlock, err := r.mirror.locks.lock(ctx, 0, region)
	require.NoError(t, err)
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	err = r.volume.change(canceled, blockdev.Change{Op: blockdev.OpWrite, Data: []byte("x")})
	require.ErrorIs(t, err, context.Canceled)
	unlock()
	require.NoError(t, r.volume.write(0, []byte("y")))
	r.requireEqual(t)
}

func BenchmarkWrite(b *testing.B) {
	for _, mirrored := range []bool{false, true} {
		b.Run(fmt.Sprintf("mirrored=%v", mirrored), func(b *testing.B) {
			source, target := memdev.New(size), memdev.New(size)
			v := &volume{dev: source}
			n := newNews()
			if mirrored {
				m, err := Start(ctx, Config{ID: "m", Store: store.NewMem(), Source: source, Target: target, Attach: v.attach, Events: n})
				require.NoError(b, err)
				defer m.Stop(ctx)
				n.wait(b, "synchronized")
			}
			p := make([]byte, 4096)
			b.SetBytes(4096)
			b.RunParallel(func(pb *testing.PB) {
				off := int64(0)
				for pb.Next() {
					off = (off + 4096*7) % size
					_ = v.write(off, p)
				}
			})
		})
	}
}
