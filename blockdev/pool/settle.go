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
	v, _, err := p.acquire(ctx, opSettle, p.owner(m.child), 0)
	if err != nil {
		return err // nobody deletes a volume without a change of the tree
	}
	defer p.release(v, 0)
	p.mu.Lock()
	m.user = v
	p.mu.Unlock()
	chain, err := p.beginSinking(ctx, m, v)
	if err != nil {
		return err
	}
	defer p.endSinking(v, chain)
	if err := chain.Sink(ctx, newPace(0, p.mergeRate, nil)); err != nil {
		return err
	}
	if err := chain.Flush(); err != nil { // so that the pause is short
		return err
	}
	return p.lift(ctx, m, v, chain)
}

// owner is the volume whose top n is.
func (p *LayerPool) owner(n *node) VolumeID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return n.top
}

// lockTop locks the structure for work on the top of v, which is to go down into
// the merge's parent. nil means that it is held.
func (p *LayerPool) lockTop(ctx context.Context, m *merging, v *volume) error {
	if err := p.lockStructure(ctx, opSettle); err != nil {
		return err
	}
	p.mu.Lock()
	filling := m.child.filling
	p.mu.Unlock()
	if v.live != nil && p.tree.volumes[m.child.top] == v && !filling && p.stillPair(m) {
		return nil
	}
	p.structure.Unlock()
	return errGone
}

// beginSinking lets the volume write below its top.
func (p *LayerPool) beginSinking(ctx context.Context, m *merging, v *volume) (*layer.Chain, error) {
	if err := p.lockTop(ctx, m, v); err != nil {
		return nil, err
	}
	defer p.structure.Unlock()
	if err := v.live.Chain().Failed(); err != nil {
		return nil, err
	}
	if err := p.lengthen(ctx, m.parent, m.child.rec.Size); err != nil {
		return nil, err
	}
	nodes := p.tree.chain(v)
	chain := layer.NewSinking(m.child.live, m.parent.live, viewOf(nodes[2:]))
	v.live.Quiesce()
	defer v.live.Resume()
	p.exchangeFor(v, nodes, chain)
	return chain, nil
}

// lengthen makes a frozen layer at least size bytes long: what is written to it
// beyond its recorded size would be gone at the next start.
func (p *LayerPool) lengthen(ctx context.Context, n *node, size int64) error {
	if err := n.live.Grow(size); err != nil || n.rec.Size >= size {
		return err
	}
	pl := newPlan(&p.tree)
	pl.addLayer(n.rec.ID, n.rec.Parent, size)
	return p.commit(ctx, pl)
}

// lift makes the merge's parent, which has everything, the top of v.
func (p *LayerPool) lift(ctx context.Context, m *merging, v *volume, chain *layer.Chain) error {
	if err := p.lockTop(ctx, m, v); err != nil {
		return err
	}
	defer p.structure.Unlock()
	if v.live.Chain() != chain {
		return errGone
	}
	v.live.Quiesce()
	defer v.live.Resume()
	if err := chain.Sunk(); err != nil {
		return err
	}
	if err := chain.Flush(); err != nil {
		return err
	}
	pl, r := newPlan(&p.tree), v.rec
	pl.layers[m.child.rec.ID] = nil
	r.Top = m.parent.rec.ID
	pl.putVolume(r)
	if err := p.commit(ctx, pl); err != nil {
		return err
	}
	p.restack(v)
	return nil
}

// endSinking puts the volume back on its top, if chain is what it has.
func (p *LayerPool) endSinking(v *volume, chain *layer.Chain) {
	p.structure.Lock()
	defer p.structure.Unlock()
	p.unsink(v, chain)
}

// unsink ends that v writes below its top, if it does so by chain; structure is
// held. Where the layer below failed, the top has, too: what was written is not in
// it.
func (p *LayerPool) unsink(v *volume, chain *layer.Chain) {
	if v.live == nil || v.live.Chain() != chain || !chain.Sinking() {
		return
	}
	v.live.Quiesce()
	defer v.live.Resume()
	if err := chain.Failed(); err != nil {
		chain.Top().Fail(err)
	}
	chain.Freeze()
	p.exchange(v, p.tree.chain(v))
}
