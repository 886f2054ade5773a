package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

// layerSizes shows what a pool costs that nobody uses, or uses little of.
func layerSizes(ctx context.Context, l *lab) error {
	err := withVolumes(ctx, l.memory, "layers", func(v *volumes) error { return memoryOfTiB(ctx, l, v) })
	if err != nil {
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

// memoryOfTiB shows the memory of volumes of a TiB that are open.
func memoryOfTiB(ctx context.Context, l *lab, v *volumes) error {
	t := l.table("Memory of an open volume of 1 TiB", "what", "MiB")
	for _, c := range []struct {
		name      string
		snapshots int
		whole     bool
	}{
		{"never written to, no snapshot", 0, false}, {"written to everywhere, no snapshot", 0, true},
		{"a snapshot, not written to since", 1, false}, {"a snapshot, written to everywhere since", 1, true},
	} {
		made, err := v.Create(ctx, pool.Spec{Name: c.name, Size: 1 << 40})
		if err != nil {
			return err
		}
		if c.snapshots > 0 {
			if err := v.snapshot(ctx, c.name, made.ID); err != nil {
				return err
			}
		}
		before := heap()
		d, err := v.Open(ctx, made.ID)
		if err != nil {
			return err
		}
		if c.whole { // zeros are in the map as data is
			if err := blockdev.Zero(ctx, d, 0, d.Size()); err != nil {
				return err
			}
			if err := d.Flush(ctx); err != nil {
				return err
			}
		}
		t.row(c.name, number(heap()-before))
		if err := d.Close(); err != nil {
			return err
		}
	}
	return t.print()
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
	t.row("opening the pool, ms", number(float64(opened.Milliseconds())), "< 2000")
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
