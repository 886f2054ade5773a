package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/store"
)

// volumes is a pool of its own, without a daemon: what the layers themselves cost.
type volumes struct {
	*pool.LayerPool
	dir   string
	store store.Store
}

// openVolumes opens the pool in dir, or makes it.
func openVolumes(ctx context.Context, dir string) (*volumes, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s, err := store.Open(filepath.Join(dir, "store.db"), store.Options{})
	if err != nil {
		return nil, err
	}
	p, err := pool.Open(ctx, pool.Config{Dir: filepath.Join(dir, "pool"), Name: "bench", Meta: manyMeta{s}})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &volumes{p, dir, s}, nil
}

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

// plain is a file, with pread and pwrite.
type plain struct {
	*os.File
	size int64
}

func (f plain) ReadAt(_ context.Context, p []byte, off int64) error {
	_, err := f.File.ReadAt(p, off)
	return err
}

func (f plain) WriteAt(_ context.Context, p []byte, off int64) error {
	_, err := f.File.WriteAt(p, off)
	return err
}

func (f plain) Flush(context.Context) error { return f.Sync() }
func (f plain) Size() int64                 { return f.size }

// plainFile makes a file that is full of data.
func plainFile(ctx context.Context, dir string, size int64) (plain, error) {
	f, err := os.CreateTemp(dir, "plain")
	if err != nil {
		return plain{}, err
	}
	p := plain{f, size}
	return p, overwrite(ctx, p)
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
	r, block := rand.New(rand.NewPCG(1, 1)), make([]byte, 4096)
	for i := range snapshots {
		for range blocksBetween {
			if err := d.WriteAt(ctx, block, r.Int64N(size/4096)*4096); err != nil {
				return "", nil, err
			}
		}
		if err := v.snapshot(ctx, fmt.Sprintf("%s at %d", name, i), made.ID); err != nil {
			return "", nil, err
		}
	}
	return made.ID, d, nil
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
		layerTransfers, layerFlushes, layerFirstWrites, layerPauses, layerSizes,
	} {
		if err := part(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// pattern is a way to go through a disk.
type pattern struct {
	name  string
	size  int
	write bool
}

func patterns() []pattern {
	return []pattern{
		{"4 KiB random reads", 4096, false}, {"4 KiB random writes", 4096, true},
		{"1 MiB sequential reads", mib, false}, {"1 MiB sequential writes", mib, true},
	}
}

// rate goes through the disk for a while and gives operations a second.
func (p pattern) rate(ctx context.Context, d disk, took time.Duration) (float64, error) {
	buffer, r, at := make([]byte, p.size), rand.New(rand.NewPCG(1, 2)), int64(0)
	op, places := d.ReadAt, d.Size()/int64(p.size)
	if p.write {
		op = d.WriteAt
	}
	begun, n := time.Now(), 0
	for ; time.Since(begun) < took; n++ {
		if at++; p.size == 4096 {
			at = r.Int64N(places)
		}
		if err := op(ctx, buffer, at%places*int64(p.size)); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(begun).Seconds(), nil
}

// layerTransfers compares a file with a volume, and that with volumes that have
// snapshots. All is in the page cache, so only the processor counts.
func layerTransfers(ctx context.Context, l *lab) error {
	for _, parent := range []string{l.memory, l.disk} {
		if err := l.transfersIn(ctx, parent); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) transfersIn(ctx context.Context, parent string) error {
	return withVolumes(ctx, parent, "layers", func(v *volumes) error {
		size := int64(pick(l, 64, 128)) * mib
		f, err := plainFile(ctx, v.dir, size)
		if err != nil {
			return err
		}
		defer f.Close()
		disks := []disk{f}
		for _, depth := range []int{0, 1, 10, 100} {
			_, d, err := v.volume(ctx, fmt.Sprint("depth", depth), size, depth)
			if err != nil {
				return err
			}
			defer d.Close()
			disks = append(disks, d)
		}
		t := l.table(fmt.Sprintf("Volume on %s, in the page cache, one goroutine: operations a second; %d blocks of 4 KiB were written between two snapshots", filesystem(v.dir), blocksBetween),
			"what", "file", "volume", "to the file", "goal", "1 snapshot, to none", "10", "100", "goal")
		for _, p := range patterns() {
			if err := l.transferRow(ctx, t, p, disks); err != nil {
				return err
			}
		}
		return t.print()
	})
}

func (l *lab) transferRow(ctx context.Context, t *table, p pattern, disks []disk) error {
	took := pick(l, 60*time.Millisecond, 200*time.Millisecond)
	var contestants []func() (float64, error)
	for _, d := range disks {
		if p.write { // also the first write to a block
			if err := overwrite(ctx, d); err != nil {
				return err
			}
		}
		contestants = append(contestants, func() (float64, error) { return p.rate(ctx, d, took) })
	}
	got, err := takeTurns(l.rounds*2, contestants...)
	if err != nil {
		return err
	}
	cells := []string{p.name, number(median(got[0])), number(median(got[1])), times(median(ratios(got[1], got[0])), 0.9), "0.9x"}
	for _, deep := range got[2:] {
		cells = append(cells, times(median(ratios(deep, got[1])), 0.8))
	}
	t.row(append(cells, "0.8x")...)
	return nil
}
