package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
	"twinlun/blockdev/pool"
	"twinlun/replication/store"
)

// volumes is a pool of its own, without a daemon: what the layers themselves cost.
type volumes struct {
	*pool.LayerPool
	dir   string
	store store.Store
}

// openVolumes opens the pool in dir, or makes it, as the daemon does: with sums of frozen
// layers.
func openVolumes(ctx context.Context, dir string) (*volumes, error) {
	return openPool(ctx, dir, pool.Config{Dir: filepath.Join(dir, folder), Checksums: true})
}

// openPool opens a pool that has its records in a store in dir.
func openPool(ctx context.Context, dir string, cfg pool.Config) (*volumes, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s, err := store.Open(filepath.Join(dir, "store.db"), store.Options{})
	if err != nil {
		return nil, err
	}
	cfg.Name, cfg.Meta = "bench", manyMeta{s}
	p, err := pool.Open(ctx, cfg)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &volumes{p, dir, s}, nil
}

// folder is where a pool of volumes has its files, below its dir.
const folder = "pool"

func (v *volumes) close() error { return errors.Join(v.Close(), v.store.Close()) }

// withVolumes runs f on an empty pool that is removed afterwards.
func withVolumes(ctx context.Context, parent, name string, f func(v *volumes) error) error {
	dir := filepath.Join(parent, name)
	defer os.RemoveAll(dir)
	v, err := openVolumes(ctx, dir)
	if err != nil {
		return err
	}
	return errors.Join(f(v), v.close())
}

// disk is what is read and written, from the first byte to the last.
type disk interface {
	ReadAt(ctx context.Context, p []byte, off int64) error
	WriteAt(ctx context.Context, p []byte, off int64) error
	Flush(ctx context.Context) error
	Size() int64
}

// plain is a file, with nothing between it and pread(2), pwrite(2) and fdatasync(2).
type plain struct {
	*os.File
	fd   int
	size int64
}

func newPlain(f *os.File, size int64) plain { return plain{f, int(f.Fd()), size} }

func (f plain) ReadAt(_ context.Context, p []byte, off int64) error {
	n, err := unix.Pread(f.fd, p, off)
	return whole(n, len(p), err)
}

func (f plain) WriteAt(_ context.Context, p []byte, off int64) error {
	n, err := unix.Pwrite(f.fd, p, off)
	return whole(n, len(p), err)
}

// whole makes an error of a transfer that ended early.
func whole(n, wanted int, err error) error {
	if err == nil && n < wanted {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (f plain) Flush(context.Context) error { return unix.Fdatasync(f.fd) }
func (f plain) Size() int64                 { return f.size }

// plainFile makes a file that is full of data.
func plainFile(ctx context.Context, dir string, size int64) (plain, error) {
	f, err := os.CreateTemp(dir, "plain")
	if err != nil {
		return plain{}, err
	}
	p := newPlain(f, size)
	return p, overwrite(ctx, p)
}

// below is the one file that has the content of the only volume of a pool.
func (v *volumes) below(size int64) (plain, error) {
	names, err := filepath.Glob(filepath.Join(v.dir, folder, layer.DataFile("*")))
	if err == nil && len(names) != 1 {
		err = fmt.Errorf("the pool has %d files of data", len(names))
	}
	if err != nil {
		return plain{}, err
	}
	f, err := os.OpenFile(names[0], os.O_RDWR, 0)
	if err != nil {
		return plain{}, err
	}
	return newPlain(f, size), nil
}

// overwrite fills a disk from the first byte to the last.
func overwrite(ctx context.Context, d disk) error {
	buffer := make([]byte, mib)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(buffer)
	for off := int64(0); off < d.Size(); off += mib {
		if err := d.WriteAt(ctx, buffer, off); err != nil {
			return err
		}
	}
	return d.Flush(ctx)
}

// volume makes one that is full of data, and has snapshots between which a few blocks
// were written.
func (v *volumes) volume(ctx context.Context, name string, size int64, snapshots int) (pool.VolumeID, blockdev.Device, error) {
	made, err := v.Create(ctx, pool.Spec{Name: name, Size: size})
	if err != nil {
		return "", nil, err
	}
	d, err := v.Open(ctx, made.ID)
	if err != nil {
		return "", nil, err
	}
	if err := overwrite(ctx, d); err != nil {
		return "", nil, err
	}
	return made.ID, d, v.deepen(ctx, made.ID, first{d, size}, snapshots)
}

// deepen takes snapshots of a volume, and writes a few blocks before each.
func (v *volumes) deepen(ctx context.Context, id pool.VolumeID, d disk, snapshots int) error {
	r, block := rand.New(rand.NewPCG(1, 1)), make([]byte, 4096)
	for i := range snapshots {
		for range blocksBetween {
			if err := d.WriteAt(ctx, block, r.Int64N(d.Size()/4096)*4096); err != nil {
				return err
			}
		}
		if err := v.snapshot(ctx, fmt.Sprintf("%s at %d", id, i), id); err != nil {
			return err
		}
	}
	return nil
}

// blocksBetween is how many random blocks of 4 KiB are written between two snapshots.
const blocksBetween = 16

// snapshot takes one of a set of volumes at one instant.
func (v *volumes) snapshot(ctx context.Context, name string, ids ...pool.VolumeID) error {
	var set []pool.Copy
	for i, id := range ids {
		set = append(set, pool.Copy{Source: id, Target: pool.Spec{Name: fmt.Sprintf("%s of %d", name, i)}})
	}
	_, err := v.Snapshot(ctx, set)
	return err
}

func benchLayers(ctx context.Context, l *lab) error {
	for _, part := range []func(context.Context, *lab) error{
		layerTransfers, layerFlushes, layerFirstWrites,
	} {
		if err := part(ctx, l); err != nil {
			return err
		}
	}
	return nil
}
