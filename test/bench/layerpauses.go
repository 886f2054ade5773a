package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

// snapshots of a pool under writers, of which there is one for a volume and two for a
// set, so that what they wait for is not each other's turn on the processor.
type snapshots struct {
	name        string
	volumes     int
	size        int64 // of the data of each
	provisioned int64
	writers     int
	before      int // snapshots that there are already, at least
}

// layerPauses shows what a snapshot does to writers that write as fast as they can.
func layerPauses(ctx context.Context, l *lab) error {
	for _, in := range []struct {
		parent string
		data   int64
		n      int
	}{{l.memory, int64(pick(l, 256, 1024)) * mib, pick(l, 20, 100)}, {l.disk, l.dataOnDisk(), pick(l, 8, 30)}} {
		err := withVolumes(ctx, in.parent, "layers", func(v *volumes) error { return l.pausesIn(ctx, v, in.data, in.n) })
		if err != nil {
			return err
		}
	}
	return nil
}

// dataOnDisk is how much a volume of 1 TiB has, if there is room for it and for what is
// written to it meanwhile.
func (l *lab) dataOnDisk() int64 {
	wanted := int64(pick(l, 1, 10)) << 30
	for ; wanted >= 128*mib && room(l.disk) < 4*wanted; wanted /= 2 {
		fmt.Fprintf(l.out, "\nskipped: a volume with %d MiB of data, for want of room in %s\n", wanted/mib, l.disk)
	}
	return wanted
}

// pausesIn takes n snapshots of each sort.
func (l *lab) pausesIn(ctx context.Context, v *volumes, data int64, n int) error {
	t := l.table("Snapshots on "+filesystem(v.dir)+", while goroutines write 4 KiB at random places of the data as fast as they can",
		"what", "writers", "taken", "Snapshot, p50 ms", "p99", "longest write meanwhile, p50 ms", "p99", "goal", "no write answered for, p50 ms", "p99", "longest write in as long before, p50 ms", "p99")
	big := snapshots{fmt.Sprintf("1 TiB with %d MiB of data", data/mib), 1, data, 1 << 40, 1, 0}
	deep := big
	deep.name, deep.before = "the same, 100 snapshots more before", 100
	if err := v.pauseRows(ctx, l, t, n, big, deep); err != nil {
		return err
	}
	set := snapshots{"a consistent set of 32 volumes", 32, int64(pick(l, 8, 16)) * mib, 1 << 30, 2, 0}
	if err := v.pauseRows(ctx, l, t, n, set); err != nil {
		return err
	}
	return t.print()
}

// pauseRows adds a row for each sort, all on the same volumes.
func (v *volumes) pauseRows(ctx context.Context, l *lab, t *table, n int, sorts ...snapshots) error {
	var ids []pool.VolumeID
	var disks []disk
	for i := range sorts[0].volumes {
		id, d, err := v.volume(ctx, fmt.Sprint(sorts[0].name, i), sorts[0].size, 0)
		if err != nil {
			return err
		}
		defer d.Close()
		if err := v.grow(ctx, id, sorts[0].provisioned); err != nil {
			return err
		}
		ids, disks = append(ids, id), append(disks, first{d, sorts[0].size})
	}
	for _, s := range sorts {
		if err := v.deepen(ctx, ids[0], disks[0], s.before); err != nil {
			return err
		}
		p := pauses{volumes: v, ids: ids, disks: disks, writers: s.writers, budget: pick(l, 6*time.Second, 20*time.Second)}
		all, err := p.take(ctx, n, s.name)
		if err != nil {
			return err
		}
		t.pauseRow(s, all)
	}
	return nil
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

// pauses takes snapshots of volumes while all are written to.
type pauses struct {
	*volumes
	ids     []pool.VolumeID
	disks   []disk
	writers int
	budget  time.Duration // no snapshot is begun when that has passed
	answered
}

// leastRoom is what a snapshot must leave free, in bytes: all that is written after it
// takes room.
const leastRoom = 1 << 30

// take gives, for each of n snapshots, what was before, and what was meanwhile.
func (p *pauses) take(ctx context.Context, n int, name string) (all [][2]stall, err error) {
	inner, stop := context.WithCancel(ctx)
	g, inner := errgroup.WithContext(inner)
	for i := range p.writers {
		g.Go(func() error { return p.write(inner, uint64(i)) })
	}
	took := 100 * time.Millisecond
	for begun := time.Now(); err == nil && len(all) < n && time.Since(begun) < p.budget && room(p.dir) > leastRoom; {
		var one [2]stall
		if one, err = p.one(inner, took, fmt.Sprint(name, len(all))); err == nil {
			all = append(all, one)
			took = time.Duration(one[1].took * float64(time.Millisecond))
		}
	}
	stop()
	if waited := g.Wait(); waited != nil {
		err = waited
	}
	return all, errors.Join(err, ctx.Err())
}

// write is one writer.
func (p *pauses) write(ctx context.Context, seed uint64) error {
	r, block := rand.New(rand.NewPCG(seed, 4)), make([]byte, 4096)
	for ctx.Err() == nil {
		d, begun := p.disks[r.IntN(len(p.disks))], time.Now()
		// A write that has begun ends, so that it is the snapshot that it waits for.
		if err := d.WriteAt(context.WithoutCancel(ctx), block, r.Int64N(d.Size()/4096)*4096); err != nil {
			return err
		}
		p.note(begun)
	}
	return nil
}

// longCalm bounds how long writers are watched without a snapshot.
const longCalm = 2 * time.Second

// one looks at the writers for as long as the last snapshot took, and takes one.
func (p *pauses) one(ctx context.Context, took time.Duration, name string) (out [2]stall, err error) {
	if out[0], err = p.calm(ctx, min(took, longCalm)); err != nil {
		return out, err
	}
	from := time.Now()
	if err := p.snapshot(ctx, name, p.ids...); err != nil {
		return out, err
	}
	to := time.Now()
	err = until(ctx, time.Minute, p.pass(to, p.writers))
	out[1] = stallOf(p.answered.take(), from, to)
	return out, err
}

// calm is what happens in a while without a snapshot.
func (p *pauses) calm(ctx context.Context, d time.Duration) (stall, error) {
	from := time.Now()
	p.answered.take()
	select {
	case <-ctx.Done():
		return stall{}, ctx.Err()
	case <-time.After(d):
	}
	to := time.Now()
	err := until(ctx, time.Minute, p.pass(to, p.writers))
	return stallOf(p.answered.take(), from, to), err
}

// pass says whether enough writes have ended after t for those before it to be over.
func (a *answered) pass(t time.Time, writers int) func() (bool, error) {
	return func() (bool, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		after := 0
		for i := len(a.writes) - 1; i >= 0 && a.writes[i][1].After(t); i-- {
			after++
		}
		return after >= 2*writers, nil
	}
}

func (t *table) pauseRow(s snapshots, all [][2]stall) {
	of := func(i int, f func(stall) float64) (p50, p99 float64) {
		c := column(all, func(s [2]stall) float64 { return f(s[i]) })
		return quantile(c, 0.5), quantile(c, 0.99)
	}
	cells := []string{s.name, fmt.Sprint(s.writers), fmt.Sprint(len(all))}
	add := func(i int, f func(stall) float64) {
		p50, p99 := of(i, f)
		cells = append(cells, number(p50), number(p99))
	}
	longest := func(s stall) float64 { return s.longest }
	silence := func(s stall) float64 { return s.silence }
	add(1, func(s stall) float64 { return s.took })
	p50, p99 := of(1, longest)
	cells = append(cells, under(p50, 10), number(p99), "p50 < 10")
	add(1, silence)
	add(0, longest)
	t.row(cells...)
}
