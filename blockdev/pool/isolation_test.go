package pool_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs"
	"twinlun/blockdev/vfs/memfs"
)

// gate lets calls pass until it is armed; the one that it is armed for waits until it
// is opened, and those after it do, too.
type gate struct {
	mu    sync.Mutex
	left  int // calls that pass; < 0: all
	hit   chan struct{}
	open  chan struct{}
	armed bool
}

func newGate() *gate {
	return &gate{left: -1, hit: make(chan struct{}), open: make(chan struct{})}
}

// arm stops the calls after the next n.
func (g *gate) arm(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left, g.armed = n, true
}

// waiting says whether it is armed and has not stopped a call yet.
func (g *gate) waiting() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.armed && g.left >= 0
}

func (g *gate) pass() {
	g.mu.Lock()
	if !g.armed || g.left > 0 {
		g.left--
		g.mu.Unlock()
		return
	}
	if g.left == 0 {
		g.left--
		close(g.hit)
	}
	g.mu.Unlock()
	<-g.open
}

// slowFS is a filesystem on which the syncs of all files that there are when own is
// called, or are made until the gate stops one, go through a gate.
type slowFS struct {
	vfs.FS
	gate *gate

	mu    sync.Mutex
	files map[string]bool
}

func (f *slowFS) Create(name string) (vfs.File, error) {
	if f.gate.waiting() {
		f.mu.Lock()
		f.files[name] = true
		f.mu.Unlock()
	}
	return f.file(name)(f.FS.Create(name))
}

func (f *slowFS) Open(name string) (vfs.File, error) { return f.file(name)(f.FS.Open(name)) }

func (f *slowFS) file(name string) func(vfs.File, error) (vfs.File, error) {
	return func(file vfs.File, err error) (vfs.File, error) {
		if err != nil {
			return nil, err
		}
		return slowFile{file, f, name}, nil
	}
}

// own says that the files that there are now belong to the volume whose disk is slow.
func (f *slowFS) own(t *testing.T) {
	names, err := f.List()
	require.NoError(t, err)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range names {
		f.files[name] = true
	}
}

type slowFile struct {
	vfs.File
	fs   *slowFS
	name string
}

func (f slowFile) wait() {
	f.fs.mu.Lock()
	slow := f.fs.files[f.name]
	f.fs.mu.Unlock()
	if slow {
		f.fs.gate.pass()
	}
}

func (f slowFile) Sync() error {
	f.wait()
	return f.File.Sync()
}

func (f slowFile) WriteSync(p []byte, off int64) error {
	f.wait()
	return f.File.WriteSync(p, off)
}

// CopyFrom copies from the file below.
func (f slowFile) CopyFrom(src vfs.File, off, n int64) error {
	if s, ok := src.(slowFile); ok {
		src = s.File
	}
	return f.File.CopyFrom(src, off, n)
}

// slowWorld is a pool with a volume whose disk is slow, a snapshot of it, and others.
type slowWorld struct {
	t          *testing.T
	pool       *pool.LayerPool
	fs         *slowFS
	store      *gate
	slow, snap pool.VolumeID
	other      pool.VolumeID
	disk       blockdev.Device // of slow
	otherDisk  blockdev.Device
	also       atomic.Value // a blockdev.Device that io uses, too
}

const slowSize = 64 * blockdev.BlockSize

func newSlowWorld(t *testing.T) *slowWorld {
	w := &slowWorld{t: t, fs: &slowFS{FS: memfs.New(1), gate: newGate(), files: map[string]bool{}}, store: newGate()}
	meta := pooltest.NewMeta()
	meta.Commit = func() (bool, error) {
		w.store.pass()
		return true, nil
	}
	var err error
	w.pool, err = pool.Open(context.Background(), pool.Config{FS: w.fs, Name: "w", Meta: meta})
	require.NoError(t, err)
	w.slow = pooltest.Create(t, w.pool, "slow", slowSize).ID
	w.disk = w.openDisk(w.slow)
	pooltest.Write(t, w.disk, pooltest.Fill(1, slowSize/2), 0)
	w.snap = pooltest.Snap(t, w.pool, w.slow, "snap").ID
	pooltest.Write(t, w.disk, pooltest.Fill(2, 5000), 0)
	w.fs.own(t)
	w.other = pooltest.Create(t, w.pool, "other", slowSize).ID
	w.otherDisk = w.openDisk(w.other)
	return w
}

func (w *slowWorld) openDisk(id pool.VolumeID) blockdev.Device {
	d, err := w.pool.Open(context.Background(), id)
	require.NoError(w.t, err)
	return d
}

// slowWork is what is done to the volume whose disk is slow.
var slowWork = map[string]func(ctx context.Context, w *slowWorld) error{
	"flush": func(ctx context.Context, w *slowWorld) error { return w.disk.Flush(ctx) },
	"fua and snapshot": func(ctx context.Context, w *slowWorld) error {
		ended := make(chan error)
		go func() { ended <- blockdev.WriteFUA(ctx, w.disk, pooltest.Fill(3, 4096), 0) }()
		_, err := w.pool.Snapshot(ctx, []pool.Copy{{Source: w.slow, Target: pool.Spec{Name: "more"}}})
		if e := <-ended; err == nil {
			err = e
		}
		return err
	},
	"last close": func(ctx context.Context, w *slowWorld) error { return w.disk.Close() },
	"open and close": func(ctx context.Context, w *slowWorld) error {
		d, err := w.pool.Open(ctx, w.snap)
		if err == nil {
			err = d.WriteAt(ctx, pooltest.Fill(3, 4096), 0)
		}
		if err == nil {
			err = d.Close()
		}
		return err
	},
	"snapshot": func(ctx context.Context, w *slowWorld) error {
		_, err := w.pool.Snapshot(ctx, []pool.Copy{{Source: w.slow, Target: pool.Spec{Name: "more"}}})
		return err
	},
	"restore": func(ctx context.Context, w *slowWorld) error {
		_, err := w.pool.Restore(ctx, w.slow, w.snap, pool.Spec{Name: "kept"})
		return err
	},
	"reset": func(ctx context.Context, w *slowWorld) error {
		d, err := w.pool.Open(ctx, w.snap)
		if err == nil {
			err = d.WriteAt(ctx, pooltest.Fill(3, 4096), 0)
		}
		if err == nil {
			w.also.Store(d)
			_, err = w.pool.Reset(ctx, w.snap)
		}
		return err
	},
	"hydrate": func(ctx context.Context, w *slowWorld) error { return w.pool.Hydrate(ctx, w.snap, 0, nil) },
	"merge": func(ctx context.Context, w *slowWorld) error {
		if err := w.pool.Delete(ctx, w.snap); err != nil {
			return err
		}
		return w.pool.WaitIdle(ctx)
	},
	"grow": func(ctx context.Context, w *slowWorld) error {
		_, err := w.pool.Resize(ctx, w.slow, 2*slowSize, false)
		return err
	},
	"shrink": func(ctx context.Context, w *slowWorld) error {
		if err := w.disk.Close(); err != nil {
			return err
		}
		_, err := w.pool.Resize(ctx, w.slow, slowSize/4, true)
		return err
	},
	"delete": func(ctx context.Context, w *slowWorld) error {
		if err := w.disk.Close(); err != nil {
			return err
		}
		return w.pool.Delete(ctx, w.slow)
	},
}

// TestSlowDisk stops each sync of a volume's files for each thing that can be done to
// it, and meanwhile does everything to other volumes.
func TestSlowDisk(t *testing.T) {
	stops := 0
	for name, work := range slowWork {
		t.Run(name, func(t *testing.T) {
			for n := 0; ; n++ {
				w := newSlowWorld(t)
				if !w.stuck(w.fs.gate, n, work, w.others) {
					stops += n
					return
				}
			}
		})
	}
	require.Greater(t, stops, 20)
}

// TestSlowStore stops each transaction of the store: all volumes can be read, written
// and flushed meanwhile, also the one that it is about.
func TestSlowStore(t *testing.T) {
	stops := 0
	for name, work := range slowWork {
		t.Run(name, func(t *testing.T) {
			for n := 0; ; n++ {
				w := newSlowWorld(t)
				if !w.stuck(w.store, n, work, w.io) {
					stops += n
					return
				}
			}
		})
	}
	require.Greater(t, stops, 10)
}

// stuck does work, and others while the call of work that comes after n more is
// stopped at a gate; false says that there is none.
func (w *slowWorld) stuck(g *gate, n int, work func(context.Context, *slowWorld) error, others func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // only so that a failure ends
	defer cancel()
	g.arm(n)
	ended := make(chan error, 1)
	go func() { ended <- work(ctx, w) }()
	select {
	case err := <-ended:
		require.NoError(w.t, err)
		close(g.open)
		require.NoError(w.t, w.pool.Close())
		return false
	case <-g.hit:
	}
	done := make(chan error, 1)
	go func() { done <- others(ctx) }()
	select {
	case err := <-done:
		require.NoError(w.t, err)
	case <-ctx.Done():
		panic(fmt.Sprintf("%s: others wait for call %d of a volume that is stuck", w.t.Name(), n)) // tells where
	}
	close(g.open)
	require.NoError(w.t, <-ended)
	require.NoError(w.t, w.pool.Close())
	return true
}

// io reads, writes and flushes.
func (w *slowWorld) io(ctx context.Context) error {
	p := make([]byte, 5000)
	disks := []blockdev.Device{w.disk, w.otherDisk}
	if d, ok := w.also.Load().(blockdev.Device); ok {
		disks = append(disks, d)
	}
	for _, d := range disks {
		if err := d.ReadAt(ctx, p, 3000); blockdev.Is(err, blockdev.KindClosed) {
			continue // it is about to be deleted
		}
		for _, err := range []error{d.WriteAt(ctx, p, 3000), blockdev.WriteFUA(ctx, d, p[:512], 512), d.Flush(ctx)} {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// others does everything to volumes that have nothing to do with the slow one.
func (w *slowWorld) others(ctx context.Context) error {
	p := w.pool
	v, err := p.Create(ctx, pool.Spec{Name: "new", Size: slowSize})
	if err != nil {
		return err
	}
	d, err := p.Open(ctx, v.ID)
	if err != nil {
		return err
	}
	var set []pool.VolumeID
	steps := []func() error{
		func() error { return d.WriteAt(ctx, pooltest.Fill(7, 9000), 100) },
		func() error { return w.otherDisk.WriteAt(ctx, pooltest.Fill(8, 9000), 100) },
		func() error { return d.Flush(ctx) },
		func() error {
			out, err := p.Snapshot(ctx, []pool.Copy{
				{Source: v.ID, Target: pool.Spec{Name: "c1"}}, {Source: w.other, Target: pool.Spec{Name: "c2"}},
			})
			for _, c := range out {
				set = append(set, c.ID)
			}
			return err
		},
		func() error { return d.WriteAt(ctx, pooltest.Fill(9, 5000), 0) },
		func() error { return blockdev.WriteFUA(ctx, d, pooltest.Fill(9, 4096), 4096) },
		func() error { _, err := p.List(ctx); return err },
		func() error { _, err := p.Info(ctx); return err },
		func() error { _, err := p.Get(ctx, w.slow); return err },
		func() error { _, err := p.Resize(ctx, v.ID, 2*slowSize, false); return err },
		func() error { _, err := p.Reset(ctx, set[0]); return err },
		func() error { return p.Hydrate(ctx, set[0], 0, nil) },
		func() error { _, err := p.Restore(ctx, v.ID, set[1], pool.Spec{}); return err },
		func() error { return d.Close() },
		func() error { _, err := p.Resize(ctx, v.ID, slowSize, true); return err },
		func() error { return p.Delete(ctx, v.ID) },
		func() error { return p.Delete(ctx, set[0]) },
		func() error { return p.Delete(ctx, set[1]) },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}
