package pool_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs/memfs"
)

// world is a pool that loses power, fails and fills up, beside the model of what it
// must hold.
type world struct {
	t      testing.TB
	r      *rand.Rand
	fs     *memfs.FS
	meta   *pooltest.Meta
	pool   *pool.LayerPool
	vols   map[pool.VolumeID]*volume
	open   map[pool.VolumeID]blockdev.Device
	names  int
	stamp  uint64
	summed bool // with sums of what is frozen, which every read is compared with
	zeros  bool // with detection of zeros
	calm   bool // wait for merges after each step, so that a seed replays exactly
	trace  []string
	faulty bool // reads may fail, too
	unread bool // a start failed to read, and moved aside what it could not look at
	// unsure is what may be true instead of vols after a power cut during the
	// last step: another model of some volumes; nil is a volume that is gone.
	unsure map[pool.VolumeID]*volume
	names2 map[string]*volume // new volumes of that step, by name
	steps  int
}

const worldSize = 9<<20 + 3*sector

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{
		t: t, r: rand.New(rand.NewPCG(seed, 1)), fs: memfs.New(seed), meta: pooltest.NewMeta(),
		vols: map[pool.VolumeID]*volume{}, calm: seed%2 == 0, summed: seed%15 == 1, zeros: seed%4 > 1,
	}
	w.fs.SetCloning(seed%3 == 1)
	w.meta.Commit = func() (bool, error) { return w.fs.Step("meta") }
	w.start()
	return w
}

// seeded is a generator that several goroutines may read.
type seeded struct {
	mu  sync.Mutex
	gen *rand.ChaCha8
}

func (s *seeded) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gen.Read(p)
}

// start opens the pool on the filesystem as it is.
func (w *world) start() {
	p, err := w.tryStart()
	require.NoError(w.t, err)
	w.pool, w.open = p, map[pool.VolumeID]blockdev.Device{}
}

func (w *world) tryStart() (*pool.LayerPool, error) {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], w.r.Uint64())
	return pool.Open(context.Background(), pool.Config{
		FS: w.fs, Name: "w", Meta: w.meta, Rand: &seeded{gen: rand.NewChaCha8(seed)},
		Checksums: w.summed, VerifyReads: w.summed, SumRate: -1, DetectZeros: w.zeros,
		Reserve: []int64{-1, -1, 12 * blockdev.BlockSize}[w.r.IntN(3)],
	})
}

// dark says whether err means that the power is gone.
func (w *world) dark() bool { return w.fs.Dark() }

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

// pick is a random volume, and its handle.
func (w *world) pick() (*volume, blockdev.Device) {
	ids := slices.Sorted(maps.Keys(w.vols))
	if len(ids) == 0 {
		return nil, nil
	}
	v := w.vols[ids[w.r.IntN(len(ids))]]
	if w.open[v.id] == nil {
		d, err := w.pool.Open(context.Background(), v.id)
		if err != nil {
			w.note("open %s: %v", v.id, err)
			return nil, nil
		}
		w.open[v.id] = d
	}
	return v, w.open[v.id]
}

// step does one random thing and says what the model must know of it.
func (w *world) step() {
	w.unsure, w.names2 = map[pool.VolumeID]*volume{}, map[string]*volume{}
	switch n := w.r.IntN(100); {
	case len(w.vols) == 0 || n < 3 && len(w.vols) < 8:
		w.create()
	case n < 45:
		w.write(false)
	case n < 52:
		w.write(true)
	case n < 60:
		w.zero()
	case n < 72:
		w.flush()
	case n < 80 && len(w.vols) < 10:
		w.snapshot()
	case n < 82:
		w.into()
	case n < 83:
		w.restore()
	case n < 84:
		w.reset()
	case n < 88:
		w.hydrate()
	case n < 94:
		w.remove()
	case n < 95:
		w.grow()
	case n < 96:
		w.shrink()
	case n < 98:
		w.closeOne()
	default:
		w.verifyOne()
	}
	if w.calm {
		require.NoError(w.t, w.pool.WaitIdle(context.Background()))
		require.NoError(w.t, w.pool.WaitSummed(context.Background()))
	}
	w.recount()
}

// recount requires that the sums that the pool keeps are what they are when they are
// counted, also where it has just been measured.
func (w *world) recount() {
	if w.steps++; w.steps%16 == 0 {
		_, err := w.pool.Info(context.Background())
		w.note("info: %v", err)
	}
	if err := w.pool.Recount(); err != nil {
		w.fail(err)
	}
}

func (w *world) create() {
	w.names++
	name := fmt.Sprint("v", w.names)
	w.names2[name] = newVolume("", worldSize)
	v, err := w.pool.Create(context.Background(), pool.Spec{Name: name, Size: worldSize})
	w.note("create %s: %v", name, err)
	if err == nil {
		w.vols[v.ID] = newVolume(v.ID, v.Size)
		w.names2 = nil
	}
}

func (w *world) write(fua bool) {
	v, d := w.pick()
	if v == nil {
		return
	}
	off, n := place(w.r, v.size)
	w.stamp++
	p, val := make([]byte, n), w.stamp
	if w.r.IntN(8) == 0 {
		val = 0
	}
	stamp(p, val)
	put := d.WriteAt
	if fua {
		put = d.(blockdev.FUAWriter).WriteFUA
	}
	err := put(context.Background(), p, off)
	w.note("write %d to %s at %d+%d fua %v: %v", val, v.id, off/sector, n/sector, fua, err)
	v.write(off, n, val, err == nil)
	w.acknowledged(v, err)
	if err == nil && fua {
		v.flushed(off, n)
	}
}

func (w *world) zero() {
	v, d := w.pick()
	if v == nil {
		return
	}
	off, n := place(w.r, v.size)
	err := blockdev.Zero(context.Background(), d, off, n)
	w.note("zero %s at %d+%d: %v", v.id, off/sector, n/sector, err)
	v.write(off, n, 0, err == nil)
	w.acknowledged(v, err)
}

func (w *world) flush() {
	v, d := w.pick()
	if v == nil {
		return
	}
	err := d.Flush(context.Background())
	w.note("flush %s: %v", v.id, err)
	w.acknowledged(v, err)
	if err == nil {
		v.flushed(0, v.size)
	}
	w.failed(v, err)
}

// acknowledged requires that a volume whose flush failed takes nothing any more.
func (w *world) acknowledged(v *volume, err error) {
	if v.failed {
		require.Error(w.t, err, "volume %s acknowledged after a failed flush", v.id)
		require.Equal(w.t, blockdev.KindIO, blockdev.KindOf(err))
	}
}

func (w *world) failed(v *volume, err error) {
	if err != nil && blockdev.Is(err, blockdev.KindIO) {
		v.failed = true
	}
}

func (w *world) snapshot() {
	a, _ := w.pick()
	b, _ := w.pick()
	if a == nil || b == nil {
		return
	}
	var set []pool.Copy
	for _, v := range []*volume{a, b}[:1+w.r.IntN(2)] {
		w.names++
		name := fmt.Sprint("v", w.names)
		set = append(set, pool.Copy{Source: v.id, Target: pool.Spec{Name: name}})
		w.names2[name] = v.snapshotOf("", v.size)
	}
	out, err := w.pool.Snapshot(context.Background(), set)
	w.note("snapshot %v: %v", set, err)
	if err != nil {
		return
	}
	w.names2 = nil
	for i, c := range set {
		src := w.vols[c.Source]
		require.False(w.t, src.failed, "snapshot of a failed volume")
		src.flushed(0, src.size)
		w.vols[out[i].ID] = src.snapshotOf(out[i].ID, out[i].Size)
	}
}

func (w *world) into() {
	src, _ := w.pick()
	dst, _ := w.pick()
	if src == nil || dst == nil || src == dst || dst.size < src.size {
		return
	}
	w.unsure[dst.id] = src.snapshotOf(dst.id, dst.size)
	_, err := w.pool.Snapshot(context.Background(), []pool.Copy{{Source: src.id, Into: dst.id}})
	w.note("snapshot %s into %s: %v", src.id, dst.id, err)
	if err == nil {
		src.flushed(0, src.size)
		w.vols[dst.id] = src.snapshotOf(dst.id, dst.size)
		w.unsure = nil
	} else if !w.dark() && !dst.failed {
		dst.failed = w.stopped(dst) // the store may have it both ways
	}
}

func (w *world) hydrate() {
	v, _ := w.pick()
	if v == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := int64(w.r.IntN(worldSize * 2))
	err := w.pool.Hydrate(ctx, v.id, 0, func(done, _ int64) {
		if done > stop {
			cancel()
		}
	})
	w.note("hydrate %s until %d: %v", v.id, stop, err)
	v.hydrated = true
	if err == nil {
		v.base = nil
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		v.failed = v.failed || w.stopped(v)
	}
}

// stopped finds out whether a copy that failed took the volume with it.
func (w *world) stopped(v *volume) bool {
	d := w.open[v.id]
	return blockdev.Is(d.Flush(context.Background()), blockdev.KindIO)
}

func (w *world) remove() {
	v, _ := w.pick()
	if v == nil || len(w.vols) < 3 {
		return
	}
	w.open[v.id].Close()
	delete(w.open, v.id)
	w.unsure[v.id] = nil
	err := w.pool.Delete(context.Background(), v.id)
	w.note("delete %s: %v", v.id, err)
	if err == nil {
		delete(w.vols, v.id)
		w.unsure = nil
	}
}

func (w *world) grow() {
	v, _ := w.pick()
	if v == nil || v.size > worldSize {
		return
	}
	larger := v.copyOf(v.id, v.size+int64(1+w.r.IntN(30))*sector)
	larger.base, larger.hydrated = v.base, v.hydrated
	for s, c := range v.cells {
		larger.cells[s].maybe = slices.Clone(c.maybe)
	}
	w.unsure[v.id] = larger
	_, err := w.pool.Update(context.Background(), v.id, func(x *pool.Volume) error { x.Size = larger.size; return nil })
	w.note("grow %s to %d: %v", v.id, larger.size, err)
	if err == nil {
		larger.failed = v.failed
		w.vols[v.id] = larger
		w.unsure = nil
	}
}

func (w *world) closeOne() {
	v, d := w.pick()
	if v == nil {
		return
	}
	w.note("close %s", v.id)
	require.NoError(w.t, d.Close())
	delete(w.open, v.id)
}

func (w *world) verifyOne() {
	v, d := w.pick()
	if v == nil {
		return
	}
	err := v.check(d, false)
	if w.faulty && blockdev.Is(err, blockdev.KindIO) {
		return // it was the read that failed
	}
	if err != nil && !w.dark() {
		w.fail(err)
	}
}

func (w *world) fail(err error) {
	for _, line := range w.trace {
		w.t.Log(line)
	}
	require.NoError(w.t, err)
}
