package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"twinlun/blockdev/pool"
	"twinlun/blockdev/vfs"
)

// layerSizes shows what a pool costs that nobody uses, and how much it keeps in memory
// about what is in it.
func layerSizes(ctx context.Context, l *lab) error {
	if err := memoryOfTiB(ctx, l); err != nil {
		return err
	}
	return startOfPool(ctx, l)
}

// heap is the memory in use, in MiB.
func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what a finalizer held
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / mib
}

// withForgetful runs f on an empty pool whose volumes keep nothing of what is written.
func withForgetful(ctx context.Context, parent string, f func(v *volumes) error) error {
	dir := filepath.Join(parent, "forgetful")
	defer os.RemoveAll(dir)
	folder, err := vfs.OpenDir(filepath.Join(dir, folder))
	if err != nil {
		return err
	}
	defer folder.Close()
	v, err := openPool(ctx, dir, pool.Config{FS: forgetful{folder}})
	if err != nil {
		return err
	}
	return errors.Join(f(v), v.close())
}

// tib is a TiB.
const tib = 1 << 40

// memoryOfTiB shows the memory of volumes of a TiB that are open.
func memoryOfTiB(ctx context.Context, l *lab) error {
	return withForgetful(ctx, l.memory, func(v *volumes) error {
		t := l.table("Memory for each TiB provisioned, of an open volume; what is written is forgotten by the filesystem, not by the layers", "what", "MiB")
		for _, c := range []struct {
			name      string
			snapshots int
			written   bool // everywhere, before the snapshots and after each
		}{
			{"untouched", 0, false}, {"written everywhere", 0, true},
			{"untouched, and a snapshot", 1, false}, {"written everywhere, and again after a snapshot", 1, true},
			{"the same, 4 snapshots", 4, true},
		} {
			used, err := v.memory(ctx, c.name, tib, c.snapshots, c.written)
			if err != nil {
				return err
			}
			t.row(c.name, number(used))
		}
		return t.print()
	})
}

// memory is how much an open volume takes, in MiB, when all of it was read.
func (v *volumes) memory(ctx context.Context, name string, size int64, snapshots int, written bool) (float64, error) {
	made, err := v.Create(ctx, pool.Spec{Name: name, Size: size})
	if err != nil {
		return 0, err
	}
	before := heap()
	d, err := v.Open(ctx, made.ID)
	if err != nil {
		return 0, err
	}
	for i := 0; err == nil && i <= snapshots; i++ {
		if i > 0 {
			err = v.snapshot(ctx, fmt.Sprint(name, i), made.ID)
		}
		if err == nil && written {
			err = through(ctx, d.WriteAt, size, 16*mib, 16*mib)
		}
	}
	if err == nil {
		err = errors.Join(through(ctx, d.ReadAt, size, 4096, mib), d.Flush(ctx))
	}
	used := heap() - before
	return used, errors.Join(err, d.Close())
}

// through does op on n bytes at every step of a disk.
func through(ctx context.Context, op func(context.Context, []byte, int64) error, size, n, step int64) error {
	buffer := make([]byte, n)
	for off := int64(0); off < size; off += step {
		if err := op(ctx, buffer, off); err != nil {
			return err
		}
	}
	return nil
}

// startOfPool opens a pool of many volumes, each with a snapshot.
func startOfPool(ctx context.Context, l *lab) error {
	n, dir := pick(l, 1000, 10000), filepath.Join(l.memory, "layers")
	defer os.RemoveAll(dir)
	v, err := openVolumes(ctx, dir)
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := v.many(ctx, n); err != nil {
		return err
	}
	made := time.Since(begun)
	if err := v.close(); err != nil {
		return err
	}
	before := heap()
	begun = time.Now()
	if v, err = openVolumes(ctx, dir); err != nil {
		return err
	}
	opened := time.Since(begun)
	t := l.table(fmt.Sprintf("Pool of %d volumes and as many snapshots", n), "what", "figure", "goal")
	t.row("making one, ms", number(float64(made.Milliseconds())/float64(2*n)), "-")
	t.row("opening the pool, ms", under(milliseconds([]time.Duration{opened})[0], 2000), "< 2000")
	t.row("memory when it is open, MiB", number(heap()-before), "-")
	if err := t.print(); err != nil {
		return err
	}
	return v.close()
}

// many makes n volumes and snapshots of all of them.
func (v *volumes) many(ctx context.Context, n int) error {
	const together = 100
	var ids []pool.VolumeID
	for i := range n {
		made, err := v.Create(ctx, pool.Spec{Name: fmt.Sprint("volume", i), Size: mib})
		if err != nil {
			return err
		}
		if ids = append(ids, made.ID); len(ids) == together || i == n-1 {
			if err := v.snapshot(ctx, fmt.Sprint("snapshot", i), ids...); err != nil {
				return err
			}
			ids = nil
		}
	}
	return nil
}
