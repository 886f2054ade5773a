package crash

import (
	"context"
	"errors"
	"slices"
	"strings"

	"twinlun/cim"
	"twinlun/test/system"
)

// Values of Operation that take volumes back.
const (
	restoreSource = 15
	resetReplica  = 27
)

// away says that a replica is a point in time of a volume, of the size that it had,
// that may be changed or gone back to.
func (r *replica) away() bool { return r.is != nil && r.other == 0 && r.parent == "" && !r.dirty }

// restore takes a volume that nobody writes to back to one of its replicas, writes to
// it, and compares.
func (o *operator) restore(ctx context.Context, volume int) error {
	r := o.replicas.take(o.r, func(r *replica) bool { return r.volume == volume && r.away() })
	if r == nil {
		return o.make(ctx, snapshotType, []int{volume}, nil)
	}
	defer o.replicas.give(r)
	if r.of(o.histories[volume]) {
		return o.scribble(ctx, volume, 20)
	}
	paths, err := system.Volumes(ctx, o.c)
	if err != nil {
		return err
	}
	relation, err := o.relation(ctx, paths[r.name])
	if err != nil || relation == nil {
		return err
	}
	h := o.histories[volume]
	h.restoring(r.is)
	if err := o.modify(ctx, restoreSource, relation, false); err != nil {
		return err
	}
	h.restored()
	o.deeds.add("restores")
	return nil
}

// of says whether the volume holds what the replica does, as far as is known.
func (r *replica) of(h *history) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Equal(h.base, r.is) && slices.Equal(h.sent, h.settled)
}

// scribble is some steps of a writer.
func (o *operator) scribble(ctx context.Context, volume, steps int) error {
	disk, err := o.d.Disk(ctx, source(volume))
	if err != nil {
		return err
	}
	defer disk.Close()
	w := &writer{h: o.histories[volume], disk: disk, r: o.r, tally: &o.tally}
	for range steps {
		if err := w.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// reset writes to a snapshot, takes it back to its point in time, and compares.
func (o *operator) reset(ctx context.Context) error {
	r := o.replicas.take(o.r, func(r *replica) bool { return r.away() || r.dirty })
	if r == nil {
		return nil
	}
	defer o.replicas.give(r)
	paths, err := system.Volumes(ctx, o.c)
	if err != nil {
		return err
	}
	relation, err := o.relation(ctx, paths[r.name])
	if err != nil || relation == nil || relation.Get("SyncType") != cim.Value(uint64(snapshotType)) {
		return err
	}
	r.dirty = true
	if err := o.spoil(ctx, r, paths[r.name]); err != nil {
		return err
	}
	if err := o.modify(ctx, resetReplica, relation, false); err != nil {
		return err
	}
	r.dirty = false
	o.deeds.add("resets")
	return o.compare(ctx, r)
}

// spoil writes to a replica what was never in its source.
func (o *operator) spoil(ctx context.Context, r *replica, path *cim.Path) error {
	if err := o.call(ctx, exposing, "ExposeVolume", system.Arg("Volume", path)); err != nil {
		return err
	}
	disk, err := o.d.Disk(ctx, r.name)
	if err != nil {
		return err
	}
	defer disk.Close()
	p := []byte(strings.Repeat("spoilt! ", sectorSize/8))
	for range 20 {
		if err := disk.WriteAt(ctx, p, int64(o.r.IntN(len(r.is)))*sectorSize); err != nil {
			return err
		}
	}
	return disk.Flush(ctx)
}

// resize makes a volume of a replica that was read, and gives it another size.
func (o *operator) resize(ctx context.Context) error {
	r := o.replicas.take(o.r, func(r *replica) bool { return r.is != nil && !r.dirty && (r.other == 0 || r.other == len(r.is)) })
	if r == nil {
		return nil
	}
	defer o.replicas.give(r)
	paths, err := system.Volumes(ctx, o.c)
	if err != nil {
		return err
	}
	relation, err := o.relation(ctx, paths[r.name])
	if err == nil && relation != nil {
		err = o.modify(ctx, dissolve, relation, false)
	}
	if err == nil {
		err = o.hide(ctx, paths[r.name])
	}
	if err != nil {
		return err
	}
	r.other = max(1, len(r.is)+o.r.IntN(6<<20/sectorSize)-3<<20/sectorSize)
	err = o.call(ctx, storing, "ResizeVolume",
		system.Arg("TheElement", paths[r.name]), system.Arg("Size", r.other*sectorSize), system.Arg("Force", true))
	if _, refused := errors.AsType[refusedError](err); refused {
		r.other = len(r.is)
	}
	if err != nil {
		return err
	}
	r.resized()
	o.deeds.add("resizes")
	return nil
}

// hide takes a volume away from initiators, if it was not hidden before.
func (o *operator) hide(ctx context.Context, v *cim.Path) error {
	err := o.call(ctx, exposing, "HideVolume", system.Arg("Volume", v))
	if _, hidden := errors.AsType[refusedError](err); hidden {
		return nil
	}
	return err
}
