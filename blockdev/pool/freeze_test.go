package pool_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs"
	"twinlun/blockdev/vfs/memfs"
)

// tapped is a filesystem that tells of calls before they are made.
type tapped struct {
	vfs.FS
	tap func()
}

func (f tapped) Create(name string) (vfs.File, error) {
	f.tap()
	return f.file(f.FS.Create(name))
}

func (f tapped) Open(name string) (vfs.File, error) {
	return f.file(f.FS.Open(name))
}

func (f tapped) file(file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return tappedFile{file, f.tap}, nil
}

func (f tapped) SyncDir() error {
	f.tap()
	return f.FS.SyncDir()
}

type tappedFile struct {
	vfs.File
	tap func()
}

func (f tappedFile) Sync() error {
	f.tap()
	err := f.File.Sync()
	f.tap()
	return err
}

// turn is a set of volumes that are written to, in turn, at every step of a snapshot
// of all of them. Write k goes to volume k mod n after write k-1 was acknowledged, to
// a sector of its own, so that any instant shows all writes up to some k.
type turn struct {
	t     *testing.T
	fs    *memfs.FS
	meta  *pooltest.Meta
	pool  *pool.LayerPool
	ids   []pool.VolumeID
	disks []blockdev.Device

	mu      sync.Mutex
	on      bool
	taps    int
	written int            // how many writes were acknowledged
	sure    []int          // by volume: the writes below this are durable
	flushes sync.WaitGroup // that were started at a step
}

const turnSize = 64 * blockdev.BlockSize

func newTurn(t *testing.T, seed uint64, n int) *turn {
	w := &turn{t: t, fs: memfs.New(seed), meta: pooltest.NewMeta(), sure: make([]int, n)}
	w.meta.Commit = func() (bool, error) {
		w.step()
		return w.fs.Step("meta")
	}
	w.start(tapped{w.fs, w.step})
	for i := range n {
		v := pooltest.Create(t, w.pool, fmt.Sprint("v", i), turnSize)
		d, err := w.pool.Open(context.Background(), v.ID)
		require.NoError(t, err)
		w.ids, w.disks = append(w.ids, v.ID), append(w.disks, d)
	}
	for range 2*n + n/2 {
		w.write()
	}
	for i := 0; i < n; i += 3 {
		w.flush(i)
	}
	return w
}

func (w *turn) start(fs vfs.FS) {
	p, err := pool.Open(context.Background(), pool.Config{FS: fs, Name: "w", Meta: w.meta})
	require.NoError(w.t, err)
	w.pool = p
}

// place is where write k goes: sectors of one block follow each other, so that a
// block is old in one part and new in another.
func (w *turn) place(k int) (volume int, off int64) {
	return k % len(w.sure), int64(k/len(w.sure)) * sector
}

// write makes the next write; it fails only in the dark.
func (w *turn) write() {
	v, off := w.place(w.written)
	p := make([]byte, sector)
	stamp(p, uint64(w.written)+1)
	if err := w.disks[v].WriteAt(context.Background(), p, off); err == nil {
		w.written++
	} else if !w.fs.Dark() {
		w.t.Error(err)
	}
}

// flush makes a volume durable, with what was acknowledged before.
func (w *turn) flush(v int) {
	w.mu.Lock()
	before := w.written
	w.mu.Unlock()
	err := w.disks[v].Flush(context.Background())
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.sure[v] = max(w.sure[v], before)
	} else if !w.fs.Dark() {
		w.t.Error(err)
	}
}

// mostTurns is the number of steps that something happens at.
const mostTurns = 200

// step is called at every step of the snapshot.
func (w *turn) step() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.on || w.taps == mostTurns {
		return
	}
	w.taps++
	w.write()
	if v := w.taps % len(w.disks); w.taps%3 == 0 {
		w.flushes.Go(func() { w.flush(v) })
	}
}

// snapshot takes the snapshot and says whether there must be one, and what it must
// have at least and at most.
func (w *turn) snapshot() (made bool, least, most int) {
	var set []pool.Copy
	for i, id := range w.ids {
		set = append(set, pool.Copy{Source: id, Target: pool.Spec{Name: fmt.Sprint("s", i)}})
	}
	w.mu.Lock()
	w.on, w.taps, least = true, 0, w.written
	w.mu.Unlock()
	_, err := w.pool.Snapshot(context.Background(), set)
	w.mu.Lock()
	w.on, most = false, w.written
	w.mu.Unlock()
	w.flushes.Wait()
	if err != nil {
		require.True(w.t, w.fs.Dark(), "%v", err)
	}
	return err == nil, least, most
}

// reopen starts the pool again on what a power cut left.
func (w *turn) reopen() {
	_ = w.pool.Close()
	w.fs = w.fs.Crash()
	w.start(w.fs)
	w.t.Cleanup(func() { require.NoError(w.t, w.pool.Close()) })
}

// has says which of the writes the volumes with a prefix to their names show, and how
// many such volumes there are.
func (w *turn) has(prefix string) (shown map[int]bool, volumes int) {
	shown = map[int]bool{}
	p := make([]byte, sector)
	want := make([]byte, sector)
	list, err := w.pool.List(context.Background())
	require.NoError(w.t, err)
	for _, v := range list {
		i := 0
		if _, err := fmt.Sscanf(v.Name, prefix+"%d", &i); err != nil {
			continue
		}
		volumes++
		d := pooltest.Open(w.t, w.pool, v.ID)
		for k := i; k < w.written+len(w.sure); k += len(w.sure) {
			_, off := w.place(k)
			require.NoError(w.t, d.ReadAt(context.Background(), p, off))
			val := binary.LittleEndian.Uint64(p)
			stamp(want, val)
			require.Equal(w.t, want, p, "a torn sector")
			require.Contains(w.t, []uint64{0, uint64(k) + 1}, val)
			shown[k] = val != 0
		}
	}
	return shown, volumes
}

// instant requires that the snapshot shows all writes up to one and none after it,
// and that its sources have them, too.
func (w *turn) instant(least, most int, sources map[int]bool) {
	shown, volumes := w.has("s")
	require.Equal(w.t, len(w.ids), volumes)
	end := 0
	for shown[end] {
		require.True(w.t, sources[end], "the source has lost write %d, which its snapshot has", end)
		end++
	}
	for k, is := range shown {
		require.False(w.t, is && k >= end, "write %d is there, write %d is not", k, end)
	}
	require.GreaterOrEqual(w.t, end, least)
	require.LessOrEqual(w.t, end, most)
}

// cutAfter cuts the power after n calls of a snapshot of volumes many volumes and
// checks what is found; false says that it has fewer calls.
func cutAfter(t *testing.T, seed uint64, volumes, n int) bool {
	w := newTurn(t, seed, volumes)
	w.fs.CutAfter(n)
	made, least, most := w.snapshot()
	inTime := w.fs.Dark()
	w.reopen()
	sources, count := w.has("v")
	require.Equal(t, volumes, count)
	for k := range w.written {
		if v, _ := w.place(k); k < w.sure[v] {
			require.True(t, sources[k], "write %d to volume %d was made durable and is lost", k, v)
		}
	}
	_, copies := w.has("s")
	require.Contains(t, []int{0, volumes}, copies, "a part of the set")
	require.False(t, made && copies == 0, "the snapshot was answered and is lost")
	if copies > 0 {
		w.instant(least, most, sources)
	}
	return inTime
}

// TestPowerCutInSnapshot cuts the power at every call of a snapshot, with a write, and
// now and then a flush, at every step of it.
func TestPowerCutInSnapshot(t *testing.T) {
	for n := 0; ; n++ {
		more := false
		ok := t.Run(fmt.Sprint("call", n), func(t *testing.T) { more = cutAfter(t, uint64(n), 2, n) })
		if !ok || !more {
			require.True(t, !ok || n > 60, "only %d calls", n)
			return
		}
	}
}

// TestPowerCutInSet does so with a consistent set of 32 volumes, at random calls.
func TestPowerCutInSet(t *testing.T) {
	const volumes, calls = 32, 900
	eachSeed(t, 60, func(t *testing.T, seed uint64) {
		cutAfter(t, seed, volumes, int(seed*0x9e3779b97f4a7c15>>33%calls))
	})
}

// TestSnapshotIsOneInstant does so without a cut: the writes of all steps are in the
// volumes, and one instant in the snapshot.
func TestSnapshotIsOneInstant(t *testing.T) {
	w := newTurn(t, 1, 32)
	defer func() { require.NoError(t, w.pool.Close()) }()
	made, least, most := w.snapshot()
	require.True(t, made)
	require.Greater(t, most, least+50, "writes go on during the snapshot")
	sources, _ := w.has("v")
	for k := range w.written {
		require.True(t, sources[k], "write %d", k)
	}
	w.instant(least, most, sources)
}

// TestNoPauseForDisk: between the beginning of a snapshot and its end the writers wait
// for nothing that touches a disk or the store: a write at any such call is answered
// before the call is made.
func TestNoPauseForDisk(t *testing.T) {
	w := newTurn(t, 1, 3)
	defer func() { require.NoError(t, w.pool.Close()) }()
	before := w.written
	made, _, _ := w.snapshot()
	require.True(t, made)
	require.Equal(t, before+w.taps, w.written, "a write at each step")
}
