package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// manyGoroutines read and write at the same time, where more than one does.
const manyGoroutines = 8

// pattern is a way to go through a disk.
type pattern struct {
	name  string
	size  int
	write bool
}

// patterns are the reads first: what was written since lies in the top.
func patterns() []pattern {
	return []pattern{
		{"4 KiB random reads", 4096, false}, {"1 MiB sequential reads", mib, false},
		{"4 KiB random writes", 4096, true}, {"1 MiB sequential writes", mib, true},
	}
}

// rate goes through the disk for a while, in some goroutines, and gives operations a
// second of all.
func (p pattern) rate(ctx context.Context, d disk, goroutines int, took time.Duration) (float64, error) {
	var sum atomic.Int64
	end := time.Now().Add(took)
	elapsed, err := together(ctx, goroutines, func(ctx context.Context, g int) error {
		n, err := p.repeat(ctx, d, g, end)
		sum.Add(int64(n))
		return err
	})
	return float64(sum.Load()) / elapsed.Seconds(), err
}

// repeat is what one goroutine does until the end. It looks at the clock so seldom that
// the look counts for nothing. Sequential ones each begin at a place of their own.
func (p pattern) repeat(ctx context.Context, d disk, seed int, end time.Time) (n int, err error) {
	buffer, r, places := make([]byte, p.size), rand.New(rand.NewPCG(uint64(seed), 2)), d.Size()/int64(p.size)
	op, between := d.ReadAt, max(1, 32*4096/p.size)
	if p.write {
		op = d.WriteAt
	}
	for at := r.Int64N(places); n == 0 || n%between != 0 || time.Now().Before(end); n++ {
		if at = (at + 1) % places; p.size == 4096 {
			at = r.Int64N(places)
		}
		if err := op(ctx, buffer, at*int64(p.size)); err != nil {
			return n, err
		}
	}
	return n, nil
}

// layerTransfers compares a volume with the file that it is kept in, and with volumes
// that have snapshots. All is in the page cache, so only the processor counts.
func layerTransfers(ctx context.Context, l *lab) error {
	for _, parent := range []string{l.memory, l.disk} {
		err := withVolumes(ctx, parent, "layers", func(v *volumes) error { return l.transfersIn(ctx, v) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) transfersIn(ctx context.Context, v *volumes) error {
	disks, done, err := v.depths(ctx, int64(pick(l, 64, 128))*mib, 0, 1, 10, 100)
	defer done()
	if err != nil {
		return err
	}
	t := l.table(fmt.Sprintf("Volume on %s, in the page cache, beside pread and pwrite of the file that it is kept in: operations a second; %d blocks of 4 KiB were written before each snapshot", filesystem(v.dir), blocksBetween),
		"what", "goroutines", "file", "volume", "to the file", "goal", "1 snapshot, to none", "10", "100", "goal")
	for _, p := range patterns() {
		for _, goroutines := range []int{1, manyGoroutines} {
			if err := l.transferRow(ctx, t, p, goroutines, disks); err != nil {
				return err
			}
		}
	}
	return t.print()
}

// depths makes volumes with those numbers of snapshots, and gives them after the file of
// the first one. Their sums are made when it returns.
func (v *volumes) depths(ctx context.Context, size int64, depths ...int) (disks []disk, done func(), err error) {
	var opened []func() error
	done = func() {
		for _, f := range opened {
			_ = f()
		}
	}
	for i, depth := range depths {
		_, d, err := v.volume(ctx, fmt.Sprint("depth", depth), size, depth)
		if err != nil {
			return nil, done, err
		}
		opened = append(opened, d.Close)
		if i == 0 {
			f, err := v.below(size)
			if err != nil {
				return nil, done, err
			}
			opened, disks = append(opened, f.Close), append(disks, f)
		}
		disks = append(disks, d)
	}
	return disks, done, v.WaitSummed(ctx)
}

// transferRow measures one pattern on a file, a volume, and volumes with snapshots. All
// are clean when it begins; what is written was written before, above the snapshots.
func (l *lab) transferRow(ctx context.Context, t *table, p pattern, goroutines int, disks []disk) error {
	took := pick(l, 40*time.Millisecond, 100*time.Millisecond)
	var contestants []func() (float64, error)
	for _, d := range disks {
		prepare := d.Flush
		if p.write {
			prepare = func(ctx context.Context) error { return overwrite(ctx, d) }
		}
		if err := prepare(ctx); err != nil {
			return err
		}
		contestants = append(contestants, func() (float64, error) { return p.rate(ctx, d, goroutines, took) })
	}
	got, err := takeTurns(l.rounds*2, contestants...)
	if err != nil {
		return err
	}
	cells := []string{p.name, fmt.Sprint(goroutines), number(median(got[0])), number(median(got[1])), times(median(ratios(got[1], got[0])), 0.9), "0.9x"}
	for _, deep := range got[2:] {
		cells = append(cells, times(median(ratios(deep, got[1])), 0.8))
	}
	t.row(append(cells, "0.8x")...)
	return nil
}
