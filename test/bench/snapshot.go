package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"twinlun/cim"
)

// writerDepth is how many 4 KiB writes are under way all the time.
const writerDepth = 16

// benchSnapshot does it in memory, where only our own work counts, and on disk,
// where what the writers have left to be written does too.
func benchSnapshot(ctx context.Context, l *lab) error {
	for _, parent := range []string{l.memory, l.disk} {
		if err := snapshotsIn(ctx, l, parent); err != nil {
			return err
		}
	}
	return nil
}

func snapshotsIn(ctx context.Context, l *lab, parent string) error {
	size := int64(pick(l, 256, 1024)) * mib
	return l.withServed(ctx, parent, "snapshot", size, func(s *served) error {
		pauses, err := s.snapshotsUnderLoad(ctx, l, s.unit, s.volume)
		if err != nil {
			return err
		}
		return l.showPauses(filesystem(parent), pauses)
	})
}

// pause is what one snapshot did to the writer, in milliseconds, beside what
// happened to it in a time as long just before.
type pause struct {
	duration      float64
	before, while float64 // the longest write
	rateBefore    float64 // writes a second
	rateAfter     float64
}

// snapshotsUnderLoad takes snapshots while writers write as fast as they can.
func (d *daemon) snapshotsUnderLoad(ctx context.Context, l *lab, u *unit, source *cim.Path) ([]pause, error) {
	inner, stop := context.WithCancel(ctx)
	w := &writer{unit: u}
	g, inner := errgroup.WithContext(inner)
	for i := range writerDepth {
		g.Go(func() error { return w.run(inner, uint64(i)) })
	}
	pauses, err := d.pauses(inner, pick(l, 5, 12), w, source)
	w.ended.Store(true)
	if waited := g.Wait(); err == nil {
		err = waited
	}
	stop()
	return pauses, err
}

func (d *daemon) pauses(ctx context.Context, n int, w *writer, source *cim.Path) ([]pause, error) {
	const window = 400 * time.Millisecond
	all := make([]pause, 0, n)
	for i := range n {
		calm := w.during(ctx, window)
		before := calm.rate()
		w.begin()
		begun := time.Now()
		made, err := d.replicate(ctx, syncSnapshot, source, fmt.Sprintf("snapshot%03d", i))
		if err == nil {
			err = made.wait()
		}
		if err != nil {
			return nil, err
		}
		p := pause{duration: milliseconds([]time.Duration{time.Since(begun)})[0], before: calm.longest(), rateBefore: before}
		if err := until(ctx, time.Minute, w.allAnswered()); err != nil {
			return nil, err
		}
		p.while = w.end().longest()
		p.rateAfter = w.during(ctx, window).rate()
		all = append(all, p)
	}
	return all, ctx.Err()
}

func (l *lab) showPauses(where string, all []pause) error {
	t := l.table(fmt.Sprintf("Snapshot of a volume on %s while %d writers of 4 KiB write at full speed; %d snapshots", where, writerDepth, len(all)),
		"what", "p50", "max", "goal")
	row := func(what, goal string, f func(pause) float64) {
		c := column(all, f)
		t.row(what, number(median(c)), number(slices.Max(c)), goal)
	}
	row("CreateListReplica, ms", "-", func(p pause) float64 { return p.duration })
	row("longest write meanwhile, ms", "p50 < 10", func(p pause) float64 { return p.while })
	row("longest write in the 400 ms before, ms", "-", func(p pause) float64 { return p.before })
	row("rate of writes in the 400 ms after, share of that before", "p50 > 0.9", func(p pause) float64 { return p.rateAfter / p.rateBefore })
	return t.print()
}
