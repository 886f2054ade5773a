package pool

import (
	"context"

	"twinlun/blockdev"
)

// Reverter is what a Pool has that can take a volume back to an earlier content at a
// cost that does not depend on sizes. Handles of the volume stay open and see the
// new content; whether the volume may be in use is the caller's to decide. What is
// written to the volume while the call runs may be lost.
type Reverter interface {
	// Restore makes the content of volume id that of from, as Snapshot does
	// with Into. If keep has a name, it becomes a snapshot of id as it was
	// before. All happens or nothing, and is durable when Restore returns.
	// Errors are those of Snapshot; KindInvalid also if id and from are the same.
	Restore(ctx context.Context, id, from VolumeID, keep Spec) (Volume, error)
	// Reset makes the content of a snapshot what it was when it was made: it
	// drops what was written to it. KindInvalid if the volume is no snapshot, or
	// was hydrated. A size that it has grown to stays.
	Reset(ctx context.Context, id VolumeID) (Volume, error)
}

var _ Reverter = (*LayerPool)(nil)

// Restore makes the content of volume id that of from.
func (p *LayerPool) Restore(ctx context.Context, id, from VolumeID, keep Spec) (Volume, error) {
	if id == from {
		return Volume{}, blockdev.Errorf(blockdev.KindInvalid, "restore", "volume %s is to be restored from itself", id)
	}
	set := []Copy{{Source: from, Into: id}}
	if keep.Name != "" {
		set = append(set, Copy{Source: id, Target: keep})
	}
	out, err := p.snapshot(ctx, set, id)
	if err != nil {
		return Volume{}, err
	}
	return out[0], nil
}

// Reset takes a snapshot back to what it was when it was made.
func (p *LayerPool) Reset(ctx context.Context, id VolumeID) (Volume, error) {
	const op = "reset snapshot"
	v, live, err := p.acquire(ctx, op, id, 0)
	if err != nil {
		return Volume{}, err
	}
	defer p.release(v, 0)
	if err := live.Settle(ctx); err != nil { // what it goes back to may not be durable
		return Volume{}, kinded(op, err)
	}
	if err := p.reset(ctx, op, v); err != nil {
		return Volume{}, err
	}
	return p.Get(ctx, id)
}

// reset gives v, which is in use, a new top over its base.
func (p *LayerPool) reset(ctx context.Context, op string, v *volume) error {
	if err := p.lockStructure(ctx, op); err != nil {
		return err
	}
	defer p.structure.Unlock()
	switch r := v.rec; {
	case p.tree.volumes[r.ID] != v || v.live == nil:
		return notFound(op, r.ID)
	case r.Base == "":
		return blockdev.Errorf(blockdev.KindInvalid, op, "volume %s (%q) is no snapshot", r.ID, r.Name)
	}
	pl, fresh, r := newPlan(&p.tree), &freshLayers{pool: p}, v.rec
	old := r.Top
	var err error
	if r.Top, err = p.newLayerID(); err != nil {
		return err
	}
	pl.addLayer(r.Top, r.Base, r.Size)
	if err := fresh.make(r.Top, pl.layer(r.Top).Size, false); err != nil {
		return err
	}
	defer fresh.close()
	if err := p.syncDir(); err != nil {
		fresh.remove()
		return blockdev.Wrap(blockdev.KindIO, op, err)
	}
	pl.putVolume(r)
	pl.collect(old)
	defer quiesce([]*volume{v})()
	if err := p.commit(ctx, pl, r.Top); err != nil {
		return err
	}
	p.adopt(v, fresh)
	p.restack(v)
	return nil
}

// resettable says whether Reset can be called for the volume.
func (t *tree) resettable(id VolumeID) bool {
	v := t.volumes[id]
	return v != nil && v.rec.Base != ""
}

// moveBases plans that volumes which can be reset to n, which goes, are reset to the
// layer that has its content now.
func (pl *plan) moveBases(n *node, to string) {
	if n.bases == 0 {
		return
	}
	for _, v := range pl.tree.above(n) {
		if r := v.rec; r.Base == n.rec.ID {
			r.Base = to
			pl.putVolume(r)
		}
	}
}

// cutBase plans that a volume forgets its base if it will not stand on it.
func (pl *plan) cutBase(r volumeRecord) {
	before := r.Base
	if pl.checkBase(&r); r.Base != before {
		pl.putVolume(r)
	}
}

// forgetBase lets a volume that shares nothing be a snapshot no more, so that what
// it stands on can be merged with it.
func (p *LayerPool) forgetBase(ctx context.Context, v *volume) error {
	if err := p.lockStructure(ctx, opHydrate); err != nil {
		return err
	}
	defer p.structure.Unlock()
	if p.tree.volumes[v.rec.ID] != v || v.rec.Base == "" {
		return nil
	}
	if _, shared := p.tree.exclusive(v); shared {
		return nil
	}
	pl, r := newPlan(&p.tree), v.rec
	r.Base = ""
	pl.putVolume(r)
	return p.commit(ctx, pl)
}
