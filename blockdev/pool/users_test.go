package pool_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs"
)

// strictFS is a filesystem that notes every use of a file that goes on when it is closed,
// or comes afterwards: on a real one it might be a use of another file.
type strictFS struct {
	vfs.FS
	late atomic.Pointer[string] // the first
}

func (f *strictFS) Create(name string) (vfs.File, error) { return f.file(name)(f.FS.Create(name)) }

func (f *strictFS) Open(name string) (vfs.File, error) { return f.file(name)(f.FS.Open(name)) }

func (f *strictFS) file(name string) func(vfs.File, error) (vfs.File, error) {
	return func(file vfs.File, err error) (vfs.File, error) {
		if err != nil {
			return nil, err
		}
		return &strictFile{file: file, fs: f, name: name}, nil
	}
}

// strictFile counts who is in it. What is added to vfs.File has to be added here.
type strictFile struct {
	file   vfs.File
	fs     *strictFS
	name   string
	inside atomic.Int64
	closed atomic.Bool
}

func (f *strictFile) note(op string) {
	var trace [4096]byte
	what := fmt.Sprintf("%s of %s\n%s", op, f.name, trace[:runtime.Stack(trace[:], false)])
	f.fs.late.CompareAndSwap(nil, &what)
}

// use runs op. It gives others a chance before and after.
func (f *strictFile) use(name string, op func() error) error {
	f.inside.Add(1)
	defer f.inside.Add(-1)
	if f.closed.Load() {
		f.note(name + " after Close")
	}
	runtime.Gosched()
	defer runtime.Gosched()
	return op()
}

func (f *strictFile) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.use("ReadAt", func() (err error) { n, err = f.file.ReadAt(p, off); return err })
	return n, err
}

func (f *strictFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.use("WriteAt", func() (err error) { n, err = f.file.WriteAt(p, off); return err })
	return n, err
}

func (f *strictFile) WriteSync(p []byte, off int64) error {
	return f.use("WriteSync", func() error { return f.file.WriteSync(p, off) })
}

func (f *strictFile) Sync() error { return f.use("Sync", f.file.Sync) }

func (f *strictFile) Size() (n int64, err error) {
	err = f.use("Size", func() (err error) { n, err = f.file.Size(); return err })
	return n, err
}

func (f *strictFile) Truncate(size int64) error {
	return f.use("Truncate", func() error { return f.file.Truncate(size) })
}

func (f *strictFile) Punch(off, n int64) error {
	return f.use("Punch", func() error { return f.file.Punch(off, n) })
}

func (f *strictFile) NextData(off int64) (from, to int64, err error) {
	err = f.use("NextData", func() (err error) { from, to, err = f.file.NextData(off); return err })
	return from, to, err
}

func (f *strictFile) CopyFrom(src vfs.File, off, n int64) error {
	s := src.(*strictFile)
	return s.use("CopyFrom from", func() error {
		return f.use("CopyFrom", func() error { return f.file.CopyFrom(s.file, off, n) })
	})
}

func (f *strictFile) CloneFrom(src vfs.File, off, n int64) error {
	s := src.(*strictFile)
	return s.use("CloneFrom from", func() error {
		return f.use("CloneFrom", func() error { return vfs.Clone(f.file, s.file, off, n) })
	})
}

func (f *strictFile) Close() error {
	if f.closed.Swap(true) {
		f.note("a second Close")
	}
	if f.inside.Load() != 0 {
		f.note("Close during a use")
	}
	return f.file.Close()
}

const (
	owners  = 4
	ownSize = 64*blockdev.BlockSize + 3*blockdev.SectorSize
)

// owner uses a volume and its snapshots, none of whose sectors may ever hold what another
// owner wrote.
type owner struct {
	t     *testing.T
	pool  *pool.LayerPool
	r     *rand.Rand
	n     uint64
	names *atomic.Int64
}

// put writes whole sectors that say whose they are, and where.
func (o *owner) put(d blockdev.Device) error {
	off := o.r.Int64N(ownSize/blockdev.SectorSize) * blockdev.SectorSize
	p := make([]byte, min(ownSize-off, (1+o.r.Int64N(24))*blockdev.SectorSize))
	for at := 0; at < len(p); at += blockdev.SectorSize {
		binary.LittleEndian.PutUint64(p[at:], o.n)
		binary.LittleEndian.PutUint64(p[at+8:], uint64(off)+uint64(at))
	}
	switch o.r.IntN(6) {
	case 0:
		return blockdev.WriteFUA(context.Background(), d, p, off)
	case 1:
		return blockdev.Zero(context.Background(), d, off, int64(len(p)))
	}
	return d.WriteAt(context.Background(), p, off)
}

// get reads everything, and says what is not the owner's.
func (o *owner) get(d blockdev.Device) error {
	p := make([]byte, ownSize)
	if err := d.ReadAt(context.Background(), p, 0); err != nil {
		return err
	}
	for at := 0; at < len(p); at += blockdev.SectorSize {
		n, off := binary.LittleEndian.Uint64(p[at:]), binary.LittleEndian.Uint64(p[at+8:])
		if n != 0 && (n != o.n || off != uint64(at)) {
			return fmt.Errorf("owner %d finds at %d what %d wrote at %d", o.n, at, n, off)
		}
	}
	return nil
}

// visit opens a volume, has several use it at once, and closes it.
func (o *owner) visit(id pool.VolumeID) error {
	d, err := o.pool.Open(context.Background(), id)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs[1:] {
		one := *o
		one.r = rand.New(rand.NewPCG(o.r.Uint64(), 0))
		wg.Go(func() {
			for range 3 {
				errs[i] = errors.Join(errs[i], one.put(d), one.get(d))
			}
		})
	}
	if o.r.IntN(3) == 0 {
		errs[3] = d.Flush(context.Background())
	}
	wg.Wait()
	return errors.Join(errors.Join(errs...), d.Close())
}

// live is what the owner does with the volume.
func (o *owner) live(rounds int) error {
	ctx := context.Background()
	v, err := o.pool.Create(ctx, pool.Spec{Name: o.name(), Size: ownSize})
	if err != nil {
		return err
	}
	ids := []pool.VolumeID{v.ID}
	for range rounds {
		id := ids[o.r.IntN(len(ids))]
		err := o.visit(id)
		switch k := o.r.IntN(len(ids)); o.r.IntN(8) {
		case 0, 1, 2:
			out, e := o.pool.Snapshot(ctx, []pool.Copy{{Source: id, Target: pool.Spec{Name: o.name()}}})
			if err = errors.Join(err, e); e == nil {
				ids = append(ids, out[0].ID)
			}
		case 3, 4:
			if k > 0 {
				err = errors.Join(err, o.pool.Delete(ctx, ids[k]))
				ids = append(ids[:k], ids[k+1:]...)
			}
		case 5:
			err = errors.Join(err, o.pool.Hydrate(ctx, ids[k], 0, nil))
		case 6:
			if ids[k] != id {
				_, e := o.pool.Restore(ctx, ids[k], id, pool.Spec{})
				err = errors.Join(err, e)
			}
		case 7:
			_, e := o.pool.Scrub(ctx, pool.ScrubOptions{})
			err = errors.Join(err, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *owner) name() string { return fmt.Sprint("v", o.names.Add(1)) }

// TestNobodyIsInAClosedFile: whatever is done with volumes, at once, and also while the
// pool is closed under them, no file is used that is closed, or closed while it is used,
// and nobody finds what belongs to another.
func TestNobodyIsInAClosedFile(t *testing.T) {
	for _, abrupt := range []bool{false, true} {
		dir, err := vfs.OpenDir(t.TempDir())
		require.NoError(t, err)
		fs := &strictFS{FS: dir}
		p, err := pool.Open(t.Context(), pool.Config{
			FS: fs, Name: "main", Meta: pooltest.NewMeta(), Checksums: true, VerifyReads: true, SumRate: -1, MergeRate: -1, Reserve: -1,
			Damaged: func(d pool.Damage) { t.Errorf("%+v", d) },
		})
		require.NoError(t, err)
		var names atomic.Int64
		var done atomic.Int64
		var wg sync.WaitGroup
		for n := range owners {
			o := &owner{t: t, pool: p, r: rand.New(rand.NewPCG(uint64(n), 17)), n: uint64(n + 1), names: &names}
			wg.Go(func() {
				err := o.live(max(6, 14/slowness))
				if done.Add(1); err != nil && !(abrupt && blockdev.Is(err, blockdev.KindClosed)) {
					t.Error(err)
				}
			})
		}
		if abrupt {
			require.Eventually(t, func() bool { return names.Load() > 2*owners || done.Load() == owners }, 1e11, 1e5)
		} else {
			wg.Wait()
		}
		require.NoError(t, p.Close())
		wg.Wait()
		require.NoError(t, dir.Close())
		if what := fs.late.Load(); what != nil {
			t.Fatal(*what)
		}
	}
}
