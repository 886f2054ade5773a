package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

// busyWriters write as fast as they can. They are few, so that what they wait for is
// not each other's turn on the processor.
const busyWriters = 2

// layerPauses shows what a snapshot does to writers that write as fast as they can.
func layerPauses(ctx context.Context, l *lab) error {
	for _, in := range []struct {
		parent string
		n      int
	}{{l.memory, pick(l, 10, 100)}, {l.disk, pick(l, 6, 20)}} {
		err := withVolumes(ctx, in.parent, "layers", func(v *volumes) error { return pausesIn(ctx, l, v, in.n) })
		if err != nil {
			return err
		}
	}
	return nil
}

// pausesIn takes n snapshots of each sort.
func pausesIn(ctx context.Context, l *lab, v *volumes, n int) error {
	some := int64(pick(l, 128, 512))
	t := l.table(fmt.Sprintf("%d snapshots each on %s, while %d goroutines write 4 KiB at random places of the volumes", n, filesystem(v.dir), busyWriters),
		"what", "Snapshot, p50 ms", "longest write meanwhile, p50 ms", "p99", "in as long before, p50", "p99", "no write answered for, p50 ms", "p99", "goal")
	for _, c := range []struct {
		name        string
		volumes     int
		size        int64
		snapshots   int
		provisioned int64
	}{
		{fmt.Sprintf("a volume of 1 TiB with data in %d MiB, no snapshot before", some), 1, some * mib, 0, 1 << 40},
		{"the same, 100 snapshots before", 1, some * mib, 100, 1 << 40},
		{"a consistent set of 32 volumes", 32, int64(pick(l, 8, 16)) * mib, 0, 1 << 30},
	} {
		var ids []pool.VolumeID
		var disks []disk
		for i := range c.volumes {
			id, d, err := v.volume(ctx, fmt.Sprint(c.name, i), c.size, c.snapshots)
			if err != nil {
				return err
			}
			defer d.Close()
			if err := v.grow(ctx, id, c.provisioned); err != nil {
				return err
			}
			ids, disks = append(ids, id), append(disks, first{d, c.size})
		}
		all, err := v.pauses(ctx, n, ids, disks)
		if err != nil {
			return err
		}
		t.pauseRow(c.name, all)
	}
	return t.print()
}

// first is the first bytes of a volume.
type first struct {
	blockdev.Device
	size int64
}

func (f first) Size() int64 { return f.size }

func (v *volumes) grow(ctx context.Context, id pool.VolumeID, size int64) error {
	_, err := v.Update(ctx, id, func(d *pool.Volume) error { d.Size = size; return nil })
	return err
}

// answered is when the writes of some time began and ended.
type answered struct {
	mu     sync.Mutex
	writes [][2]time.Time
}

func (a *answered) note(begun time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.writes = append(a.writes, [2]time.Time{begun, time.Now()})
}

func (a *answered) take() [][2]time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.writes
	a.writes = nil
	return out
}

// stall is what happened to writers in some time, in milliseconds.
type stall struct{ took, longest, silence float64 }

// stallOf looks at the writes that were under way at some moment of [from, to].
func stallOf(writes [][2]time.Time, from, to time.Time) stall {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	out, last := stall{took: ms(to.Sub(from))}, from
	slices.SortFunc(writes, func(a, b [2]time.Time) int { return a[1].Compare(b[1]) })
	for _, w := range writes {
		if w[1].Before(from) {
			continue
		}
		if w[0].Before(to) {
			out.longest = max(out.longest, ms(w[1].Sub(w[0])))
		}
		if last.Before(to) {
			out.silence = max(out.silence, ms(w[1].Sub(last)))
		}
		last = w[1]
	}
	return out
}

// pauses takes snapshots of the volumes while all are written to; for each it gives
// what was before, and what was meanwhile.
func (v *volumes) pauses(ctx context.Context, n int, ids []pool.VolumeID, disks []disk) (all [][2]stall, err error) {
	inner, stop := context.WithCancel(ctx)
	g := &errgroup.Group{}
	var a answered
	for i := range busyWriters {
		g.Go(func() error {
			r, block := rand.New(rand.NewPCG(uint64(i), 4)), make([]byte, 4096)
			for inner.Err() == nil {
				d, begun := disks[r.IntN(len(disks))], time.Now()
				if err := d.WriteAt(ctx, block, r.Int64N(d.Size()/4096)*4096); err != nil {
					return err
				}
				a.note(begun)
			}
			return nil
		})
	}
	before, took := stall{}, 100*time.Millisecond
	for i := range n {
		if before, err = a.calm(ctx, took); err != nil {
			break
		}
		from := time.Now()
		if err = v.snapshot(ctx, fmt.Sprintf("%s %d", ids[0], i), ids...); err != nil {
			break
		}
		to := time.Now()
		took = to.Sub(from)
		if err = until(ctx, time.Minute, a.pass(to)); err != nil {
			break
		}
		all = append(all, [2]stall{before, stallOf(a.take(), from, to)})
	}
	stop()
	if waited := g.Wait(); err == nil {
		err = waited
	}
	return all, err
}

// calm is what happens in a while without a snapshot.
func (a *answered) calm(ctx context.Context, d time.Duration) (stall, error) {
	from := time.Now()
	a.take()
	select {
	case <-ctx.Done():
		return stall{}, ctx.Err()
	case <-time.After(d):
	}
	to := time.Now()
	err := until(ctx, time.Minute, a.pass(to))
	return stallOf(a.take(), from, to), err
}

// pass says whether enough writes have begun after t for those before it to be over.
func (a *answered) pass(t time.Time) func() (bool, error) {
	return func() (bool, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		after := 0
		for i := len(a.writes) - 1; i >= 0 && a.writes[i][1].After(t); i-- {
			after++
		}
		return after >= 2*busyWriters, nil
	}
}

func (t *table) pauseRow(name string, all [][2]stall) {
	of := func(i int, f func(stall) float64) (p50, p99 string) {
		c := column(all, func(s [2]stall) float64 { return f(s[i]) })
		return number(quantile(c, 0.5)), number(quantile(c, 0.99))
	}
	longest := func(s stall) float64 { return s.longest }
	took, _ := of(1, func(s stall) float64 { return s.took })
	p50, p99 := of(1, longest)
	before50, before99 := of(0, longest)
	silent50, silent99 := of(1, func(s stall) float64 { return s.silence })
	t.row(name, took, p50, p99, before50, before99, silent50, silent99, "p50 < 10")
}
