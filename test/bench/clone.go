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
	syncSnapshot = uint64(7)
	syncClone    = uint64(8)
)

// cloneTimes are the seconds that one clone took until so much of it could be done.
type cloneTimes struct{ made, read, whole float64 }

// copier is a peer: a script that copies file $1 to $2.
type copier struct{ name, script string }

func copiers() []copier {
	return []copier{
		{"cp --reflink=auto, sync", `cp --reflink=auto "$1" "$2" && sync "$2"`},
		{"cp --sparse=always, sync", `cp --sparse=always "$1" "$2" && sync "$2"`},
		{"qemu-img convert -W -m 16, sync", `qemu-img convert -W -m 16 -f raw -O raw "$1" "$2" && sync "$2"`},
	}
}

// benchClone clones on disk, and where blocks can be shared.
func benchClone(ctx context.Context, l *lab) error {
	size := int64(pick(l, 512, 4096)) * mib
	if err := l.clonesIn(ctx, l.disk, size, copiers()); err != nil {
		return err
	}
	if filesystem(l.disk) == "xfs" {
		return nil
	}
	size = int64(pick(l, 256, 1024)) * mib
	return l.withXFS(ctx, 3*size+512*mib, func(dir string) error { return l.clonesIn(ctx, dir, size, copiers()[:1]) })
}

func (l *lab) clonesIn(ctx context.Context, parent string, size int64, peers []copier) error {
	if wanted := 4 * size; room(parent) < wanted && filesystem(parent) != "xfs" {
		fmt.Fprintf(l.out, "\nskipped: clones of %d MiB, for want of %d MiB in %s\n", size/mib, wanted/mib, parent)
		return nil
	}
	return l.withServed(ctx, parent, "clone", size, func(s *served) error { return compareClones(ctx, l, s, size, peers) })
}

func compareClones(ctx context.Context, l *lab, s *served, size int64, peers []copier) error {
	contestants := []func() (cloneTimes, error){func() (cloneTimes, error) { return s.timeClone(ctx) }}
	for _, p := range peers {
		contestants = append(contestants, func() (cloneTimes, error) { return timeCopy(ctx, s.dir, p.script, s.image) })
	}
	results, err := takeTurns(min(l.rounds, 3), contestants...)
	if err != nil {
		return err
	}
	whole := func(c cloneTimes) float64 { return c.whole }
	ours := column(results[0], whole)
	t := l.table(fmt.Sprintf("Clone of %d MiB of allocated data on %s, until it is durable", size/mib, filesystem(s.dir)), "what", "ms", "twinlun is faster by", "goal")
	row := func(name string, seconds []float64, cells ...string) {
		t.row(append([]string{name, number(median(seconds) * 1000)}, cells...)...)
	}
	row("twinlun CreateListReplica: the clone is there", column(results[0], func(c cloneTimes) float64 { return c.made }), "", "")
	row("twinlun, until a block of it was read over iSCSI", column(results[0], func(c cloneTimes) float64 { return c.read }), "", "")
	row("twinlun, to the end of the job: it stands alone", ours, "", "")
	for i, p := range peers {
		peer := column(results[i+1], whole)
		row(p.name, peer, times(median(ratios(peer, ours)), 1), "1.00x")
	}
	return t.print()
}

// settle writes what others have left to be written.
func settle(ctx context.Context, dir string) error {
	_, err := tool(ctx, "sync", "-f", dir)
	return err
}

// timeCopy runs a script that copies a file.
func timeCopy(ctx context.Context, dir, script, image string) (cloneTimes, error) {
	target := filepath.Join(dir, "copy")
	defer os.Remove(target)
	if err := settle(ctx, dir); err != nil {
		return cloneTimes{}, err
	}
	begun := time.Now()
	_, err := tool(ctx, "/bin/sh", "-c", script, "sh", image, target)
	return cloneTimes{whole: time.Since(begun).Seconds()}, err
}

// timeClone clones the volume, and reads the clone as soon as it is there.
func (s *served) timeClone(ctx context.Context) (t cloneTimes, err error) {
	if err := settle(ctx, s.dir); err != nil {
		return t, err
	}
	begun := time.Now()
	made, err := s.replicate(ctx, syncClone, s.volume, "copy")
	if err != nil {
		return t, err
	}
	t.made = time.Since(begun).Seconds()
	err = s.readFirst(ctx, made.target)
	t.read = time.Since(begun).Seconds()
	if err != nil {
		return t, err
	}
	err = made.wait()
	t.whole = time.Since(begun).Seconds()
	return t, errors.Join(err, s.hide(ctx, made.target), s.drop(ctx, made.target))
}

// readFirst lets initiators reach a volume, and reads its first block.
func (d *daemon) readFirst(ctx context.Context, volume *cim.Path) error {
	target, err := d.expose(ctx, volume)
	if err != nil {
		return err
	}
	u := &unit{portal: d.iscsi, target: target}
	if err := u.login(ctx); err != nil {
		return err
	}
	return errors.Join(u.disk.ReadAt(ctx, make([]byte, 4096), 0), u.disk.Close())
}

// replica is what a call of CreateListReplica gave.
type replica struct {
	target *cim.Path
	wait   func() error // for the end of the job, if one was started
}

// replicate makes one replica with CreateListReplica.
func (d *daemon) replicate(ctx context.Context, syncType uint64, source cim.Value, name string, more ...cim.Arg) (replica, error) {
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
