package pool

import (
	"context"

	"twinlun/blockdev/layer"
)

const opSettle = "merge a volume's layers"

// settle brings the top of a volume down into its parent while the volume is in use,
// and makes the parent the top. It ends however fast the volume is written to: what
// the top does not have is written below meanwhile; see layer.NewSinking.
func (p *LayerPool) settle(ctx context.Context, m *merging) error {
	u, err := p.acquireAs(ctx, opSettle, p.owner(m.child), func(v *volume) { v.merging = true })
	if err != nil {
		return err // nobody deletes a volume without a change of the tree
	}
	defer p.releaseAs(u.vol, func(v *volume) { v.merging = false })
	chain, err := p.beginSinking(ctx, m, u)
	if err != nil {
		return err
	}
	defer p.unsink(u, chain)
	if err := chain.Sink(ctx, newPace(0, p.mergeRate, nil)); err != nil {
		return err
	}
	return p.lift(ctx, m, u, chain)
}

// owner is the volume whose top n is.
func (p *LayerPool) owner(n *node) VolumeID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return n.top
}

// canSink says whether the top of the volume, which is the merge's child, can go down
// into the merge's parent; mu is held.
func (p *LayerPool) canSink(m *merging, u inUse) bool {
	return u.vol.live == u.live && p.tree.volumes[m.child.top] == u.vol && !m.child.filling && p.stillPair(m)
}

// beginSinking lets the volume write below its top.
func (p *LayerPool) beginSinking(ctx context.Context, m *merging, u inUse) (*layer.Chain, error) {
	release, err := p.claim(ctx, opSettle, u.vol.id)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := u.live.Chain().Failed(); err != nil {
		return nil, err
	}
	if err := p.lengthen(ctx, m); err != nil {
		return nil, err
	}
	u.live.Quiesce()
	defer u.live.Resume()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.canSink(m, u) {
		return nil, errGone
	}
	nodes := p.tree.chain(u.vol)
	chain := layer.NewSinking(m.child.live, m.parent.live, viewOf(nodes[2:]))
	p.exchangeLocked(u.vol, nodes, chain)
	return chain, nil
}

// lengthen makes the merge's parent as long as its child at least: what is written to
// it beyond its recorded size would be gone at the next start.
func (p *LayerPool) lengthen(ctx context.Context, m *merging) error {
	size, before := m.child.live.Size(), m.parent.live.Size() // the volume is claimed: nobody makes it longer
	if err := m.parent.live.Grow(size); err != nil {
		return err
	}
	err := p.storeLength(ctx, m, size)
	if err != nil {
		m.parent.live.Shorten(before)
	}
	return err
}

func (p *LayerPool) storeLength(ctx context.Context, m *merging, size int64) error {
	if err := p.lockStructure(ctx, opSettle); err != nil {
		return err
	}
	defer p.structure.Unlock()
	p.mu.Lock()
	still := p.stillPair(m)
	p.mu.Unlock()
	if !still {
		return errGone
	}
	if m.parent.rec.Size >= size {
		return nil
	}
	pl := newPlan(&p.tree)
	pl.addLayer(m.parent.id, m.parent.rec.Parent, size)
	return p.commit(ctx, pl, nil)
}

// lift makes the merge's parent, which has everything, the top of the volume. It is
// written to meanwhile: from layer.Chain.Lift on nothing is acknowledged that the
// parent does not have, so what the store says does not matter to it.
func (p *LayerPool) lift(ctx context.Context, m *merging, u inUse, chain *layer.Chain) error {
	release, err := p.claim(ctx, opSettle, u.vol.id)
	if err != nil {
		return err
	}
	defer release()
	if err := p.beginLift(m, u, chain); err != nil {
		return err
	}
	defer p.endLift(u, chain)
	if err := chain.Lift(); err != nil {
		return err
	}
	if err := chain.Flush(); err != nil {
		return err
	}
	if err := p.storeLift(ctx, m, u); err != nil {
		return err
	}
	p.inherit(m.parent, m.child)
	p.turnOver([]inUse{u}, nil)
	return nil
}

// beginLift sees to it that nobody else gives the volume another chain until endLift.
func (p *LayerPool) beginLift(m *merging, u inUse, chain *layer.Chain) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.canSink(m, u) || u.live.Chain() != chain {
		return errGone
	}
	u.vol.lifting = true
	return nil
}

func (p *LayerPool) endLift(u inUse, chain *layer.Chain) {
	chain.Stay()
	p.mu.Lock()
	defer p.mu.Unlock()
	u.vol.lifting = false
}

// storeLift changes the tree.
func (p *LayerPool) storeLift(ctx context.Context, m *merging, u inUse) error {
	if err := p.lockStructure(ctx, opSettle); err != nil {
		return err
	}
	defer p.structure.Unlock()
	p.mu.Lock()
	still := p.canSink(m, u)
	p.mu.Unlock()
	if !still {
		return errGone
	}
	pl, r := newPlan(&p.tree), u.vol.rec
	pl.layers[m.child.id] = nil
	r.Top = m.parent.id
	pl.putVolume(r)
	return p.commit(ctx, pl, nil)
}

// unsink ends that the volume writes below its top, if it does so by chain, and the merge
// that it was for, which begins again. Where the layer below failed, the top has, too:
// what was written is not in it.
func (p *LayerPool) unsink(u inUse, chain *layer.Chain) {
	u.live.Quiesce()
	defer u.live.Resume()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !chain.Sinking() || !p.followsLocked(u, chain) {
		return
	}
	if err := chain.Failed(); err != nil {
		chain.Top().Fail(err)
	}
	chain.Freeze()
	if p.merge != nil {
		p.merge.cancel() // no other sinks
	}
	nodes := p.tree.under(u.vol.held[0])
	p.exchangeLocked(u.vol, nodes, newChain(nodes))
}
