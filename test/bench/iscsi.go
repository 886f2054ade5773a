package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"twinlun/blockdev/iscsi/initiator"
)

const mib = 1 << 20

// strideBlocks is how far the requests of qemu-img bench are apart, which has no
// random offsets: a prime number of 4 KiB blocks, about 31 MiB, so that all
// blocks are met once before any is met again, never a neighbour next.
const strideBlocks = 7919

// unit is one served file: Twinlun's or the peer's.
type unit struct {
	portal, target string
	lun            int
	cpu            func() time.Duration
	disk           *initiator.Disk // a session of the bench's own, for the goroutine client
}

// load is what a unit is put under.
type load struct {
	name  string
	least float64 // of Twinlun's rate, in times of the peer's; 0: no goal
	count int     // requests in one round
	depth int
	size  int
	step  int // bytes from one request to the next
	write bool
	flush bool // every write is followed by a flush
	viaGo bool // by Twinlun's own initiator at random offsets, not by qemu-img
}

// outcome is what one round of a load gave.
type outcome struct {
	rate float64       // requests a second
	cpu  time.Duration // of the server, for one request
}

// cpuLoads are run on tmpfs: the disk does not matter.
func cpuLoads(l *lab) []load {
	n := func(full int) int { return pick(l, full/4, full) }
	stride := strideBlocks * 4096
	return []load{
		{name: "4 KiB read, depth 1", count: n(8000), depth: 1, size: 4096, step: stride},
		{name: "4 KiB write, depth 1", count: n(8000), depth: 1, size: 4096, step: stride, write: true},
		{name: "4 KiB read, depth 32", least: 2, count: n(40000), depth: 32, size: 4096, step: stride},
		{name: "4 KiB write, depth 32", least: 2, count: n(40000), depth: 32, size: 4096, step: stride, write: true},
		{name: "4 KiB random read, depth 32, goroutines", least: 2, count: n(40000), depth: 32, size: 4096, viaGo: true},
		{name: "4 KiB random write, depth 32, goroutines", least: 2, count: n(40000), depth: 32, size: 4096, write: true, viaGo: true},
		{name: "1 MiB sequential read, depth 16", least: 1, count: n(1200), depth: 16, size: mib, step: mib},
		{name: "1 MiB sequential write, depth 16", least: 3, count: n(1200), depth: 16, size: mib, step: mib, write: true},
	}
}

// diskLoads are run on disk: every write is followed by a flush.
func diskLoads(l *lab) []load {
	n := func(full int) int { return pick(l, full/4, full) }
	return []load{
		{name: "4 KiB write + flush each, depth 1", least: 1, count: n(1200), depth: 1, size: 4096, write: true, flush: true, viaGo: true},
		{name: "4 KiB write + flush each, depth 16", least: 1, count: n(4000), depth: 16, size: 4096, write: true, flush: true, viaGo: true},
	}
}

func benchISCSI(ctx context.Context, l *lab) error {
	size := int64(pick(l, 256, 1024)) * mib
	for _, place := range []struct {
		name, dir string
		loads     []load
	}{
		{"file in memory (tmpfs)", l.memory, cpuLoads(l)},
		{"file on disk (" + filesystem(l.disk) + ")", l.disk, diskLoads(l)},
	} {
		t := l.table("iSCSI, "+place.name+fmt.Sprintf(", %d MiB; client qemu-img bench (libiscsi), or goroutines: Twinlun's initiator; against tgtd", size/mib),
			"workload", "twinlun /s", "tgtd /s", "ratio", "goal", "server CPU us: twinlun", "tgtd")
		err := withUnits(ctx, l, place.dir, size, func(ours, peer *unit) error { return compare(ctx, l, t, ours, peer, place.loads) })
		if err != nil {
			return err
		}
		if err := t.print(); err != nil {
			return err
		}
	}
	return nil
}

// withUnits serves two files with the same content, which the same client wrote through
// either server. How a file was written decides in what pieces the page cache keeps it, and
// with pieces of 2 MiB a write of 4 KiB and its sync cost the kernel up to three
// times as much.
func withUnits(ctx context.Context, l *lab, parent string, size int64, f func(ours, peer *unit) error) error {
	return l.withServed(ctx, parent, "iscsi", size, func(s *served) error {
		file := filepath.Join(s.dir, "peer")
		if err := sparse(file, size); err != nil {
			return err
		}
		p, err := startTgtd(ctx, s.dir, file)
		if err != nil {
			return err
		}
		defer p.stop(ctx)
		peer := &unit{portal: p.portal, target: peerTarget, lun: 1, cpu: p.cpu}
		if err := peer.prepare(ctx, s.image); err != nil {
			return err
		}
		defer peer.disk.Close()
		return f(s.unit, peer)
	})
}

// serve makes a volume with the content of a file and exposes it.
func (d *daemon) serve(ctx context.Context, name, image string, size int64) (*unit, error) {
	v, err := d.createVolume(ctx, name, size)
	if err != nil {
		return nil, err
	}
	target, err := d.expose(ctx, v)
	if err != nil {
		return nil, err
	}
	u := &unit{portal: d.iscsi, target: target, cpu: d.cpu}
	return u, u.prepare(ctx, image)
}

// prepare writes the content of a file through the server and logs in.
func (u *unit) prepare(ctx context.Context, image string) error {
	if _, err := tool(ctx, "qemu-img", "convert", "-n", "-W", "-f", "raw", "-O", "raw", image, u.url()); err != nil {
		return err
	}
	return u.login(ctx)
}

func (u *unit) url() string { return url(u.portal, u.target, u.lun) }

func (u *unit) login(ctx context.Context) (err error) {
	u.disk, err = initiator.Dial(ctx, u.portal, u.target, initiator.Options{LUN: uint64(u.lun)})
	return err
}

// compare adds a row for each load.
func compare(ctx context.Context, l *lab, t *table, ours, peer *unit, loads []load) error {
	for _, ld := range loads {
		results, err := takeTurns(l.rounds,
			func() (outcome, error) { return ours.under(ctx, ld) },
			func() (outcome, error) { return peer.under(ctx, ld) })
		if err != nil {
			return fmt.Errorf("%s: %w", ld.name, err)
		}
		rate := func(o outcome) float64 { return o.rate }
		cpu := func(o outcome) float64 { return float64(o.cpu) / float64(time.Microsecond) }
		a, b := column(results[0], rate), column(results[1], rate)
		goal := "-"
		if ld.least > 0 {
			goal = number(ld.least) + "x"
		}
		t.row(ld.name, number(median(a)), number(median(b)), times(median(ratios(a, b)), ld.least), goal,
			number(median(column(results[0], cpu))), number(median(column(results[1], cpu))))
	}
	return nil
}

// under runs one round.
func (u *unit) under(ctx context.Context, ld load) (outcome, error) {
	before := u.cpu()
	client := u.qemu
	if ld.viaGo {
		client = u.goroutines
	}
	took, err := client(ctx, ld)
	if err != nil {
		return outcome{}, err
	}
	n := float64(ld.count)
	return outcome{n / took.Seconds(), time.Duration(float64(u.cpu()-before) / n)}, nil
}
