package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"twinlun/cim"
)

// question is an operation that is measured beside the peer's published figure.
type question struct {
	name string
	op   operation
	// peer is what OMI 1.9.1 did in a second on two cores that it shared with the
	// load generator, measured 2026-11, by number of connections. Its own figures
	// are not published; it is not measured in this run.
	peer map[int]float64
	// instances says that the rates are of instances, not of operations.
	instances bool
}

func questions(v *cim.Path) []question {
	return []question{
		{name: "Identify", op: identifyOnce, peer: map[int]float64{1: 2513, 16: 2517}},
		{name: "Get CIM_StorageVolume", op: getOnce(v), peer: map[int]float64{1: 1588, 16: 1890}},
		{name: "Invoke GetSupportedFeatures", op: invokeOnce, peer: map[int]float64{1: 1647, 16: 2065}},
	}
}

func enumerations(n int, one, sixteen float64) []question {
	return []question{{
		name: fmt.Sprintf("Enumerate + Pull, %d instances", n), op: enumerateOnce(n), instances: true,
		peer: map[int]float64{1: one * float64(n), 16: sixteen * float64(n)},
	}}
}

func benchWSMan(ctx context.Context, l *lab) error {
	dir, err := inDir(l.memory, "wsman")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d, err := startDaemon(ctx, l, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	defer d.stop()
	t := l.table("WS-Man, keep-alive, Basic on every request, all on the same processors; beside OMI 1.9.1 measured 2026-11",
		"operation", "connections", "per second", "OMI", "ratio", "goal", "p50 ms", "p99 ms", "server CPU us", "RSS MiB")
	if err := d.createMany(ctx, 0, 100); err != nil {
		return err
	}
	v, err := d.named(ctx, "volume00000")
	if err != nil {
		return err
	}
	if err := l.ask(ctx, t, d, append(questions(v), enumerations(100, 138, 174)...)); err != nil {
		return err
	}
	if err := d.createMany(ctx, 100, 1000); err != nil {
		return err
	}
	if err := l.ask(ctx, t, d, enumerations(1000, 15.7, 17.7)); err != nil {
		return err
	}
	return t.print()
}

// ask adds a row for each question and number of connections.
func (l *lab) ask(ctx context.Context, t *table, d *daemon, all []question) error {
	took := time.Duration(pick(l, 800, 2000)) * time.Millisecond
	for _, q := range all {
		for _, connections := range []int{1, 16} {
			results, err := takeTurns(l.rounds, func() (measured, error) { return closedLoop(ctx, d, connections, took, q.op) })
			if err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			t.answer(q, connections, results[0])
		}
	}
	return nil
}

func (t *table) answer(q question, connections int, results []measured) {
	mid := func(f func(measured) float64) string { return number(median(column(results, f))) }
	rate := func(m measured) float64 { return m.ops }
	unit := ""
	if q.instances {
		rate, unit = func(m measured) float64 { return m.instances }, " instances"
	}
	peer := q.peer[connections]
	t.row(q.name, fmt.Sprint(connections), mid(rate)+unit, number(peer), times(median(column(results, rate))/peer, 5), "5.00x",
		mid(func(m measured) float64 { return m.p50 }), mid(func(m measured) float64 { return m.p99 }),
		mid(func(m measured) float64 { return m.cpu }), mid(func(m measured) float64 { return m.rss }))
}

// createMany makes the volumes numbered from first up to last, not included.
func (d *daemon) createMany(ctx context.Context, first, last int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i := first; i < last; i++ {
		g.Go(func() error {
			_, err := d.createVolume(ctx, fmt.Sprintf("volume%05d", i), mib)
			return err
		})
	}
	return g.Wait()
}
