package pool

import (
	"context"
	"errors"
	"slices"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
)

// Frozen layers that stay get sums of their blocks, one layer after the other, at a
// rate that leaves the disk to others. A layer that a merge or a Hydrate is about to
// change loses them first. Whoever reads a layer to sum or to verify it is registered
// in LayerPool.summing, so that the layer is not changed meanwhile.

// sumRate is Config.SumRate if that is 0, in bytes a second.
const sumRate = 64 << 20

// summing is a layer whose sums are made or verified.
type summing struct {
	node   *node
	cancel context.CancelFunc
	ended  chan struct{}
}

// sumLayers is the goroutine that makes sums, until the pool is closed.
func (p *LayerPool) sumLayers() {
	for p.ctx.Err() == nil {
		s, ctx, bell := p.nextSum()
		if s == nil {
			select {
			case <-bell:
			case <-p.ctx.Done():
			}
			continue
		}
		p.endSumming(s, p.sum(ctx, s.node))
	}
}

// nextSum picks a layer and registers it; without one, bell is closed when there may
// be one.
func (p *LayerPool) nextSum() (s *summing, ctx context.Context, bell <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.scrubs > 0 { // who asked goes first
		return nil, nil, p.bell
	}
	for id := range p.tree.bare {
		if s, ctx := p.beginSummingLocked(p.ctx, p.tree.nodes[id]); s != nil {
			return s, ctx, nil
		}
	}
	return nil, nil, p.bell
}

// beginSummingLocked registers n, unless another is registered or n is about to change.
func (p *LayerPool) beginSummingLocked(ctx context.Context, n *node) (*summing, context.Context) {
	m := p.merge
	if p.summing != nil || p.closed || n.gone || n.top != "" || n.filling || n.pins > 0 || m != nil && (m.parent == n || m.child == n) {
		return nil, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	p.summing = &summing{node: n, cancel: cancel, ended: make(chan struct{})}
	return p.summing, ctx
}

// endSumming takes the layer off the books. Without an error it has its sums now; one
// that failed is tried again at the next start.
func (p *LayerPool) endSumming(s *summing, err error) {
	s.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.summing = nil
	close(s.ended)
	id := s.node.id
	switch {
	case err == nil:
		s.node.summed = true
		p.tree.changed(s.node)
		delete(p.tree.bare, id)
	case !errors.Is(err, context.Canceled) && !errors.Is(err, errGone):
		delete(p.tree.bare, id)
		p.log.Warn("sums of a layer could not be made", "pool", p.name, "layer", id, "err", err)
	}
	p.ringLocked()
}

// sum gives a layer the sums that it lacks.
func (p *LayerPool) sum(ctx context.Context, n *node) error {
	h, err := p.holdFrozen(n)
	if err != nil {
		return err
	}
	defer p.drop(h.nodes)
	if err := h.live.Sum(ctx, p.fs, h.grounded, newPace(0, p.sumRate, nil)); err != nil {
		return err
	}
	return p.checkReads(n, h.live, h.grounded)
}

// heldLayer is a registered layer that is open. Whether it stands on nothing does not
// change while it is registered.
type heldLayer struct {
	live     *layer.Layer
	grounded bool
	nodes    []*node // to drop
}

// holdFrozen opens a layer that is registered.
func (p *LayerPool) holdFrozen(n *node) (heldLayer, error) {
	nodes := []*node{n}
	p.mu.Lock()
	gone, grounded := n.gone, n.rec.Parent == ""
	if !gone {
		p.tree.hold(n)
	}
	p.mu.Unlock()
	if gone {
		return heldLayer{}, errGone
	}
	if err := p.openLayers(nodes); err != nil {
		p.drop(nodes)
		return heldLayer{}, err
	}
	return heldLayer{live: n.live, grounded: grounded, nodes: nodes}, nil
}

// checkReads has reads of an open frozen layer compared with its sums, if the pool was
// told to.
func (p *LayerPool) checkReads(n *node, l *layer.Layer, grounded bool) error {
	if !p.verifyReads {
		return nil
	}
	return l.CheckReads(p.fs, grounded, func(d layer.Damage) { p.damaged(n, d) })
}

// damaged notes damage, and tells of it if it is news.
func (p *LayerPool) damaged(n *node, d layer.Damage) Damage {
	fresh := false
	p.mu.Lock()
	p.damageLocked(n, func(all *damages) { fresh = all.add(d.Off, d.Len) })
	var ids []VolumeID
	if !n.gone {
		for _, v := range p.tree.above(n) {
			ids = append(ids, v.rec.ID)
		}
	}
	p.mu.Unlock()
	slices.Sort(ids)
	out := Damage{Pool: p.name, Layer: d.Layer, Volumes: ids, Off: d.Off, Len: d.Len}
	if !fresh {
		return out
	}
	if p.onDamage != nil {
		p.onDamage(out)
		return out
	}
	p.log.Error("a layer does not have the content that it was frozen with", "pool", p.name,
		"layer", d.Layer, "offset", d.Off, "bytes", d.Len, "volumes", ids)
	return out
}

// dropSums takes the sums of layers away before they change. They must be registered
// as what changes: p.merge, or gone.
func (p *LayerPool) dropSums(ctx context.Context, nodes ...*node) error {
	for _, n := range nodes {
		if err := p.stopSumming(ctx, n.id); err != nil {
			return err
		}
		p.mu.Lock()
		n.summed = false
		p.tree.changed(n)
		live := n.live
		p.mu.Unlock()
		n.damage.keep()
		if err := p.dropSumsOf(n, live); err != nil {
			return err
		}
	}
	return nil
}

// dropSumsOf removes the sums of a layer; live is nil if it is not open.
func (p *LayerPool) dropSumsOf(n *node, live *layer.Layer) error {
	n.sums.Lock()
	defer n.sums.Unlock()
	if live != nil {
		if err := errors.Join(live.CheckReads(nil, false, nil), live.CheckCopies(nil, false, nil)); err != nil {
			return err
		}
	}
	return layer.DropSums(p.fs, n.id)
}

// stopSumming ends the summing of a layer and waits for the end.
func (p *LayerPool) stopSumming(ctx context.Context, id string) error {
	p.mu.Lock()
	s := p.summing
	p.mu.Unlock()
	if s == nil || s.node.id != id {
		return nil
	}
	s.cancel()
	return await(ctx, s.ended)
}

// WaitSummed returns when no layer is waiting for its sums.
func (p *LayerPool) WaitSummed(ctx context.Context) error {
	const op = "wait for sums"
	for {
		p.mu.Lock()
		busy, bell := p.checksums && len(p.tree.bare) > 0 || p.summing != nil, p.bell
		p.mu.Unlock()
		if !busy {
			return nil
		}
		if p.ctx.Err() != nil {
			return blockdev.Wrap(blockdev.KindClosed, op, errClosed)
		}
		if err := await(ctx, bell); err != nil {
			return blockdev.Wrap(blockdev.KindInternal, op, err)
		}
	}
}

// noteBare keeps bare right after a change around layer id.
func (t *tree) noteBare(id string) {
	n := t.nodes[id]
	if n != nil && n.stays() && n.pins == 0 && !n.summed {
		t.bare[id] = struct{}{}
		return
	}
	delete(t.bare, id)
}
