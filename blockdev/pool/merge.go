package pool

import (
	"context"
	"errors"
	"time"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
)

// merging is the merge that is running: parent is to go, or child.
type merging struct {
	parent, child *node
	cancel        context.CancelFunc
	ended         chan struct{}
}

// mergeLayers is the goroutine that merges frozen layers with their only child, one
// after the other, until the pool is closed.
func (p *LayerPool) mergeLayers() {
	for p.ctx.Err() == nil {
		m, ctx, bell := p.nextMerge()
		if m == nil {
			p.awaitMerges(bell)
			continue
		}
		err := p.runMerge(ctx, m)
		p.endMerge(m, err)
	}
}

const (
	// retryMerges is how long a merge that failed waits before it is tried
	// again, if the tree does not change before.
	retryMerges = 30 * time.Second
	// mergeRate is Config.MergeRate if that is 0: it leaves the disk to those who
	// wait for it. Bytes a second.
	mergeRate = 256 << 20
)

// awaitMerges waits for something that may have to be merged.
func (p *LayerPool) awaitMerges(bell <-chan struct{}) {
	retry := time.NewTimer(retryMerges)
	defer retry.Stop()
	select {
	case <-bell:
	case <-p.ctx.Done():
	case <-retry.C:
		p.mu.Lock()
		defer p.mu.Unlock()
		p.unstickLocked()
	}
}

// nextMerge picks a merge and registers it; without one, bell is closed when there
// may be one.
func (p *LayerPool) nextMerge() (m *merging, ctx context.Context, bell <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.tree.due {
		parent := p.tree.nodes[id]
		child := p.onlyChild(parent)
		if !p.readyLocked(parent) || parent.filling || child.filling || child.pins > 0 {
			continue
		}
		ctx, cancel := context.WithCancel(p.ctx)
		p.merge = &merging{parent: parent, child: child, cancel: cancel, ended: make(chan struct{})}
		p.tree.suspect(parent)
		p.tree.suspect(child)
		return p.merge, ctx, nil
	}
	return nil, nil, p.bell
}

// readyLocked says whether a layer that is due can be merged now: the lowest of a
// row goes first, and one that failed waits.
func (p *LayerPool) readyLocked(n *node) bool {
	_, below := p.tree.due[n.rec.Parent]
	_, stuck := p.stuck[n.id]
	_, belowStuck := p.stuck[n.rec.Parent]
	return !stuck && (!below || belowStuck)
}

func (p *LayerPool) onlyChild(n *node) *node {
	for id := range n.children {
		return p.tree.nodes[id]
	}
	return nil
}

// endMerge takes the merge off the books. One that failed is tried again later; what stays
// and has lost its sums for it gets new ones.
func (p *LayerPool) endMerge(m *merging, err error) {
	m.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.merge = nil
	close(m.ended)
	p.tree.noteBare(m.child.id)
	if err != nil && !errors.Is(err, context.Canceled) && !blockdev.Is(err, blockdev.KindNotFound) {
		p.stuck[m.parent.id] = struct{}{}
		p.log.Warn("layers could not be merged", "pool", p.name, "layer", m.parent.id, "into", m.child.id, "err", err)
	}
	p.ringLocked()
}

// awaitMerge stops a merge that n takes part in, so that a Hydrate can have it, and
// waits until it has ended.
func (p *LayerPool) awaitMerge(ctx context.Context, n *node) error {
	p.mu.Lock()
	m := p.merge
	p.mu.Unlock()
	if m == nil || m.child != n && m.parent != n {
		return nil
	}
	m.cancel()
	return await(ctx, m.ended)
}

// runMerge moves blocks so that one of the two layers is not needed any more, and
// removes it. The way that copies less is taken.
func (p *LayerPool) runMerge(ctx context.Context, m *merging) error {
	if err := p.settleDoubt(ctx); err != nil { // the store may have others on the pair
		return err
	}
	if err := p.awaitDrained(ctx); err != nil {
		return err
	}
	pair, err := p.holdPair(m)
	if err != nil {
		return err
	}
	defer p.drop(pair)
	way, from, into, err := p.direction(m)
	if err != nil {
		return err
	}
	return p.mergeFailed(m, from, p.mergePair(ctx, m, way, from, into))
}

// mergePair does it once the way is chosen.
func (p *LayerPool) mergePair(ctx context.Context, m *merging, way mergeWay, from, into *node) error {
	if err := p.proveCopies(from); err != nil {
		return err
	}
	if err := p.proveRest(ctx, m, into); err != nil {
		return err
	}
	if err := p.dropSums(ctx, into); err != nil {
		return err
	}
	return way(ctx, m)
}

// mergeWay is one of the ways to merge a pair.
type mergeWay func(context.Context, *merging) error

// up brings what the parent has into the child.
func (p *LayerPool) up(ctx context.Context, m *merging) error {
	below := layer.NewView([]*layer.Layer{m.parent.live}, m.parent.rec.Parent == "")
	if err := m.child.live.Fill(ctx, below, newPace(0, p.mergeRate, nil)); err != nil {
		return err
	}
	return p.replace(ctx, m, m.parent)
}

// down brings what the child, which is frozen, has into the parent.
func (p *LayerPool) down(ctx context.Context, m *merging) error {
	if err := m.child.live.Sink(ctx, m.parent.live, m.parent.rec.Parent == "", newPace(0, p.mergeRate, nil)); err != nil {
		return err
	}
	return p.replace(ctx, m, m.child)
}

// awaitDrained waits until no read is in a chain that was replaced: it might read
// from a layer that is about to change.
func (p *LayerPool) awaitDrained(ctx context.Context) error {
	p.mu.Lock()
	var all []<-chan struct{}
	for gone := range p.draining {
		all = append(all, gone)
	}
	p.mu.Unlock()
	for _, gone := range all {
		if err := await(ctx, gone); err != nil {
			return err
		}
	}
	return nil
}

// holdPair opens both layers, if they still are what they were.
func (p *LayerPool) holdPair(m *merging) ([]*node, error) {
	pair := []*node{m.parent, m.child}
	p.mu.Lock()
	still := p.stillPair(m)
	if still {
		p.tree.hold(m.parent)
		p.tree.hold(m.child)
	}
	p.mu.Unlock()
	if !still {
		return nil, errGone
	}
	err := p.openLayers(pair)
	if err != nil {
		p.drop(pair)
	}
	return pair, err
}

// stillPair says whether child is the only one on parent, and both may change; mu is
// held.
func (p *LayerPool) stillPair(m *merging) bool {
	_, due := p.tree.due[m.parent.id]
	return due && !m.child.gone && m.child.pins == 0 && m.child.rec.Parent == m.parent.id
}

// direction chooses how the pair is merged, and of which it is copied into which: what
// is less is copied.
func (p *LayerPool) direction(m *merging) (way mergeWay, from, into *node, err error) {
	above, err := p.allocated(m.child)
	if err != nil {
		return nil, nil, nil, err
	}
	under, err := p.allocated(m.parent)
	switch {
	case err != nil:
		return nil, nil, nil, err
	case above > under:
		return p.up, m.parent, m.child, nil
	case p.owner(m.child) == "":
		return p.down, m.child, m.parent, nil
	}
	return p.settle, m.child, m.parent, nil
}

// replace removes old, one of the pair, from the tree: the child of the parent, or
// the children of the child, then stand on what is below.
func (p *LayerPool) replace(ctx context.Context, m *merging, old *node) error {
	volumes, err := p.storeMerge(ctx, m, old)
	if err != nil {
		return err
	}
	stays := m.child
	if old == m.child {
		stays = m.parent
	}
	p.inherit(stays, old)
	p.rechain(volumes)
	p.log.Debug("layers merged", "pool", p.name, "gone", old.id)
	return nil
}

// storeMerge changes the tree, and gives the volumes that stand on the pair.
func (p *LayerPool) storeMerge(ctx context.Context, m *merging, old *node) ([]*volume, error) {
	if err := p.lockStructure(ctx, "merge layers"); err != nil {
		return nil, err
	}
	defer p.structure.Unlock()
	p.mu.Lock()
	still := p.stillPair(m) && (old != m.child || old.top == "")
	p.mu.Unlock()
	if !still {
		return nil, errGone
	}
	pl := newPlan(&p.tree)
	for id := range old.children {
		pl.moveLayer(id, old.rec.Parent)
	}
	pl.layers[old.id] = nil
	if old == m.child {
		r := m.parent.rec
		r.Size = max(r.Size, old.rec.Size)
		pl.layers[r.ID] = &r
		pl.moveBases(m.child, r.ID)
	}
	volumes := p.tree.above(m.child)
	return volumes, p.commit(ctx, pl, nil)
}

// WaitIdle returns when no merge of layers is running or due, except for those that
// failed and wait, and the files of what was deleted are gone and not read any more.
func (p *LayerPool) WaitIdle(ctx context.Context) error {
	for {
		idle, bell := p.idle()
		if idle {
			return nil
		}
		if p.ctx.Err() != nil {
			return blockdev.Wrap(blockdev.KindClosed, "wait for merges", errClosed)
		}
		if err := await(ctx, bell); err != nil {
			return blockdev.Wrap(blockdev.KindInternal, "wait for merges", err)
		}
	}
}

func (p *LayerPool) idle() (bool, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	busy := p.merge != nil || p.discarding > 0 || len(p.draining) > 0
	for id := range p.tree.due {
		if _, stuck := p.stuck[id]; !stuck {
			busy = true
		}
	}
	return !busy, p.bell
}
