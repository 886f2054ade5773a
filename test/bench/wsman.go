package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"twinlun/cim"
)

// question is an operation that is measured beside the peers' figures.
type question struct {
	name string
	op   operation
	// omi is what OMI 1.9.1 did in a second on two cores that it shared with the load
	// generator, measured 2026-11, by number of connections; openwsman what openwsman
	// 2.8.1 did with 16. Nothing is there where neither was measured. They are not
	// in Debian and are not run here.
	omi       map[int]float64
	openwsman float64
	// instances says that the rates are of instances, not of operations.
	instances bool
}

func questions(v *cim.Path) []question {
	return []question{
		{name: "Identify", op: identifyOnce, omi: map[int]float64{1: 2513, 16: 2517}, openwsman: 5500},
		{name: "Get CIM_StorageVolume", op: getOnce(v), omi: map[int]float64{1: 1588, 16: 1890}, openwsman: 3300},
		{name: "Invoke GetSupportedFeatures", op: invokeOnce, omi: map[int]float64{1: 1647, 16: 2065}},
		{name: "what is associated with a volume", op: associatedOnce(v)},
	}
}

// enumerations are questions about so many volumes. OMI's rates for 10,000 are taken
// to be those for 1,000.
func enumerations(n int) question {
	omi := map[int]map[int]float64{100: {1: 13800, 16: 17400}}[n]
	if omi == nil {
		omi = map[int]float64{1: 15700, 16: 17700}
	}
	return question{name: fmt.Sprintf("Enumerate + Pull, %d instances", n), op: enumerateOnce(n), instances: true, omi: omi}
}

func benchWSMan(ctx context.Context, l *lab) error {
	return l.withDaemon(ctx, l.memory, "wsman", func(d *daemon, _ string) error {
		t := l.table("WS-Man, keep-alive, Basic on every request, all on the same processors; beside OMI 1.9.1 and openwsman 2.8.1 measured 2026-11",
			"operation", "connections", "per second", "OMI", "ratio", "goal", "openwsman", "p50 ms", "p99 ms", "server CPU us", "RSS MiB", "peak")
		made := 0
		for _, n := range []int{100, 1000, 10000} {
			if err := d.createMany(ctx, made, n); err != nil {
				return err
			}
			made = n
			all := []question{enumerations(n)}
			if n == 100 {
				v, err := d.named(ctx, "volume00000")
				if err != nil {
					return err
				}
				all = append(questions(v), all...)
			}
			if err := l.ask(ctx, t, d, all); err != nil {
				return err
			}
		}
		if err := t.print(); err != nil {
			return err
		}
		return l.walkAway(ctx, d, made)
	})
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
	ratio, goal, openwsman := "-", "-", "-"
	omi, known := q.omi[connections]
	if known {
		ratio, goal = times(median(column(results, rate))/omi, 5), "5.00x"
	}
	if q.openwsman > 0 && connections == 16 {
		openwsman = number(q.openwsman)
	}
	t.row(q.name, fmt.Sprint(connections), mid(rate)+unit, dash(omi), ratio, goal, openwsman,
		mid(func(m measured) float64 { return m.p50 }), mid(func(m measured) float64 { return m.p99 }),
		mid(func(m measured) float64 { return m.cpu }), mid(func(m measured) float64 { return m.rss }),
		mid(func(m measured) float64 { return m.peak }))
}

// dash writes a number, or a dash for none.
func dash(v float64) string {
	if v == 0 {
		return "-"
	}
	return number(v)
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
