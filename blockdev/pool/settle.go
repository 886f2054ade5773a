package pool

import (
	"context"

	"twinlun/blockdev"
)

const (
	// settleLimit is the largest top that goes down into its parent while its
	// volume is quiesced, in bytes.
	settleLimit = 256 << 10
	// maxRotations is how often a volume that is written to all the time is given
	// a new top, so that the old one can go down, before it is left as it is for a
	// while.
	maxRotations = 2
)

const opSettle = "merge a volume's layers"

// lockTop locks the structure for work on the top of a volume that stands on the
// merge's parent. nil means that it is held.
func (p *LayerPool) lockTop(ctx context.Context, m *merging) (*volume, error) {
	if err := p.lockStructure(ctx, opSettle); err != nil {
		return nil, err
	}
	p.mu.Lock()
	filling := m.child.filling
	p.mu.Unlock()
	if v := p.tree.volumes[m.child.top]; v != nil && !filling && p.stillPair(m) {
		return v, nil
	}
	p.structure.Unlock()
	return nil, errGone
}

// rotate freezes the volume's top by giving it a new one.
func (p *LayerPool) rotate(ctx context.Context, m *merging) error {
	v, err := p.lockTop(ctx, m)
	if err != nil {
		return err
	}
	defer p.structure.Unlock()
	if p.rotations[m.parent.rec.ID]++; p.rotations[m.parent.rec.ID] > maxRotations {
		delete(p.rotations, m.parent.rec.ID)
		return blockdev.Errorf(blockdev.KindBusy, opSettle, "volume %s is written to faster than its layers merge", v.rec.ID)
	}
	id, err := p.newLayerID()
	if err != nil {
		return err
	}
	fresh := &freshLayers{pool: p}
	if err := fresh.make(id, v.rec.Size, false); err != nil {
		return err
	}
	defer fresh.close()
	if err := p.fs.SyncDir(); err != nil {
		fresh.remove()
		return blockdev.Wrap(blockdev.KindIO, opSettle, err)
	}
	return p.putOn(ctx, v, id, fresh)
}

// putOn gives the volume the fresh layer id as its top, over the present one.
func (p *LayerPool) putOn(ctx context.Context, v *volume, id string, fresh *freshLayers) error {
	pl := newPlan(&p.tree)
	pl.addLayer(id, v.rec.Top, v.rec.Size)
	r := v.rec
	r.Top = id
	pl.putVolume(r)
	if v.live == nil {
		return p.commit(ctx, pl, id)
	}
	if err := v.live.Flush(ctx); err != nil { // so that the pause is short
		fresh.remove()
		return err
	}
	v.live.Quiesce()
	defer v.live.Resume()
	if err := v.live.Flush(ctx); err != nil {
		fresh.remove()
		return err
	}
	if err := p.commit(ctx, pl, id); err != nil {
		return err
	}
	p.adopt(v, fresh)
	p.restack(v)
	return nil
}

// settle brings the volume's top down into its parent while nothing is written, and
// makes the parent the top.
func (p *LayerPool) settle(ctx context.Context, m *merging) error {
	v, err := p.lockTop(ctx, m)
	if err != nil {
		return err
	}
	defer p.structure.Unlock()
	if v.live != nil {
		v.live.Quiesce()
		defer v.live.Resume()
	}
	if err := m.child.live.Failed(); err != nil {
		return err
	}
	if err := m.child.live.Sink(ctx, m.parent.live, m.parent.rec.Parent == "", nil); err != nil {
		return err
	}
	pl := newPlan(&p.tree)
	parent, r := m.parent.rec, v.rec
	pl.addLayer(parent.ID, parent.Parent, m.child.rec.Size)
	pl.layers[m.child.rec.ID] = nil
	r.Top = parent.ID
	pl.putVolume(r)
	if err := p.commit(ctx, pl); err != nil {
		return err
	}
	delete(p.rotations, parent.ID)
	if v.live != nil {
		p.restack(v)
	}
	return nil
}
