package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"twinlun/cim"
)

// Values of CIM_ReplicationService (DSP1055).
const (
	syncSnapshot      = uint64(7)
	syncClone         = uint64(8)
	stateSynchronized = uint64(4)
)

// cloneTimes are the seconds that one clone took.
type cloneTimes struct{ usable, whole float64 }

func benchClone(ctx context.Context, l *lab) error {
	size := int64(pick(l, 512, 4096)) * mib
	return l.withServed(ctx, l.disk, "clone", size, func(s *served) error { return compareClones(ctx, l, s, size) })
}

func compareClones(ctx context.Context, l *lab, s *served, size int64) error {
	shell := func(script string) func() (cloneTimes, error) {
		return func() (cloneTimes, error) { return timeCopy(ctx, s.dir, script, s.image) }
	}
	results, err := takeTurns(min(l.rounds, 3),
		func() (cloneTimes, error) { return s.timeClone(ctx, s.volume) },
		shell(`cp --sparse=always "$1" "$2" && sync "$2"`),
		shell(`cp --reflink=auto "$1" "$2" && sync "$2"`),
		shell(`qemu-img convert -W -m 16 -f raw -O raw "$1" "$2" && sync "$2"`))
	if err != nil {
		return err
	}
	whole := func(c cloneTimes) float64 { return c.whole }
	ours := column(results[0], whole)
	t := l.table(fmt.Sprintf("Clone of %d MiB of allocated data on %s, until it is durable", size/mib, filesystem(s.dir)), "what", "seconds", "twinlun is faster by", "goal")
	t.row("twinlun CreateListReplica, WaitForCopyState 4, to the end of the job", number(median(ours)), "", "")
	t.row("twinlun, until the clone can be used", number(median(column(results[0], func(c cloneTimes) float64 { return c.usable }))), "", "")
	for i, name := range []string{"cp --sparse=always, sync", "cp --reflink=auto, sync", "qemu-img convert -W -m 16, sync"} {
		peer := column(results[i+1], whole)
		t.row(name, number(median(peer)), times(median(ratios(peer, ours)), 1), "1.00x")
	}
	return t.print()
}

// timeCopy runs a script that copies a file.
func timeCopy(ctx context.Context, dir, script, image string) (cloneTimes, error) {
	target := filepath.Join(dir, "copy")
	defer os.Remove(target)
	begun := time.Now()
	_, err := tool(ctx, "/bin/sh", "-c", script, "sh", image, target)
	s := time.Since(begun).Seconds()
	return cloneTimes{s, s}, err
}

// timeClone clones twice: once without waiting, to see when the clone is there,
// and once until the job has ended.
func (d *daemon) timeClone(ctx context.Context, source *cim.Path) (t cloneTimes, err error) {
	begun := time.Now()
	usable, err := d.replicate(ctx, syncClone, source, "copy")
	if err != nil {
		return t, err
	}
	t.usable = time.Since(begun).Seconds()
	if err := errors.Join(usable.wait(), d.drop(ctx, usable.target)); err != nil {
		return t, err
	}
	begun = time.Now()
	whole, err := d.replicate(ctx, syncClone, source, "copy", arg("WaitForCopyState", stateSynchronized))
	if err != nil {
		return t, err
	}
	err = whole.wait()
	t.whole = time.Since(begun).Seconds()
	return t, errors.Join(err, d.drop(ctx, whole.target))
}

// replica is what a call of CreateListReplica gave.
type replica struct {
	target *cim.Path
	wait   func() error // for the end of the job, if one was started
}

// replicate makes one replica with CreateListReplica.
func (d *daemon) replicate(ctx context.Context, syncType uint64, source *cim.Path, name string, more ...cim.Arg) (replica, error) {
	in := append([]cim.Arg{arg("SyncType", syncType), arg("SourceElements", []cim.Value{source}), arg("ElementNames", []cim.Value{name})}, more...)
	r, err := d.invoke(ctx, "CIM_ReplicationService", "CreateListReplica", in...)
	if err != nil {
		return replica{}, err
	}
	targets, _ := r.Out.Get("TargetElements").([]cim.Value)
	if len(targets) != 1 {
		return replica{}, fmt.Errorf("CreateListReplica gave %d targets", len(targets))
	}
	made := replica{wait: func() error { return nil }}
	made.target, _ = targets[0].(*cim.Path)
	if job, ok := r.Out.Get("Job").(*cim.Path); ok {
		made.wait = func() error { return d.finish(ctx, job) }
	}
	return made, nil
}

// drop ends the relationships that lead to a replica, and deletes it.
func (d *daemon) drop(ctx context.Context, target *cim.Path) error {
	const detach = uint64(8) // of ModifyReplicaSynchronization
	var links []*cim.Path
	q := cim.AssociationQuery{Object: target, ResultClass: "CIM_StorageSynchronized", References: true}
	err := d.Associators(ctx, q, func(in *cim.Instance) error {
		links = append(links, in.Path)
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range links {
		_, err := d.invoke(ctx, "CIM_ReplicationService", "ModifyReplicaSynchronization", arg("Operation", detach), arg("Synchronization", p))
		if err != nil {
			return err
		}
	}
	return d.deleteVolume(ctx, target)
}

// named finds a volume by its name.
func (d *daemon) named(ctx context.Context, name string) (found *cim.Path, err error) {
	err = d.Enumerate(ctx, namespace, "CIM_StorageVolume", func(in *cim.Instance) error {
		if in.Get("ElementName") == name {
			found = in.Path
		}
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("there is no volume %s", name)
	}
	return found, err
}
