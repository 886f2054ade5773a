package pool

import (
	"context"
	"errors"
	"maps"
	"time"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
)

// A merge and a Hydrate copy what is frozen and then forget where it came from, and
// its sums with it. What has changed on the disk since it was frozen must not become
// sound by that: what is copied is compared with its sums first, and so is, before its
// sums are dropped, what a merge leaves where it is. Damage ends the copy; the volumes
// go on as before.

// retryDamaged is how long a merge that found damage waits.
const retryDamaged = time.Hour

// proveCopies has what is copied of layers that are held compared with their sums.
func (p *LayerPool) proveCopies(nodes ...*node) error {
	if !p.checksums {
		return nil
	}
	for _, n := range nodes {
		if err := p.proveCopiesOf(n); err != nil {
			return err
		}
	}
	return nil
}

func (p *LayerPool) proveCopiesOf(n *node) error {
	n.sums.Lock() // sums that a merge drops are not opened again
	defer n.sums.Unlock()
	p.mu.Lock()
	top, grounded, live := n.top != "", n.rec.Parent == "", n.live
	p.mu.Unlock()
	if top {
		return nil
	}
	err := live.CheckCopies(p.fs, grounded, func(d layer.Damage) { p.damaged(n, d) })
	if errors.Is(err, layer.ErrSums) { // they can be made anew
		p.log.Warn("what is copied of a layer is not verified", "pool", p.name, "layer", n.id, "err", err)
		return nil
	}
	return err
}

// proveRest compares a layer that a merge is about to change with its sums, except for
// what is hidden by the layer that goes down into it.
func (p *LayerPool) proveRest(ctx context.Context, m *merging, into *node) error {
	p.mu.Lock()
	grounded := into.rec.Parent == ""
	p.mu.Unlock()
	found, bad, err := into.live.Verify(ctx, p.fs, grounded, newPace(0, p.mergeRate, nil))
	switch {
	case errors.Is(err, layer.ErrNoSums):
		return nil
	case errors.Is(err, layer.ErrSums):
		p.log.Warn("a layer is not verified before it is merged", "pool", p.name, "layer", into.id, "err", err)
		return nil
	case err != nil:
		return err
	}
	for _, d := range found {
		bad -= d.Len
		if into == m.child || !m.child.live.Has(d.Off, d.Len) {
			p.damaged(into, d)
			err = blockdev.Errorf(blockdev.KindIO, "merge layers", "%d bytes at %d of layer %s: %w", d.Len, d.Off, d.Layer, layer.ErrDamaged)
		}
	}
	if err == nil && bad > 0 { // more than is listed
		err = blockdev.Errorf(blockdev.KindIO, "merge layers", "%d more bytes of layer %s: %w", bad, into.id, layer.ErrDamaged)
	}
	return err
}

// mergeFailed notes what makes the merge wait, or lets it go on later.
func (p *LayerPool) mergeFailed(m *merging, from *node, err error) error {
	switch {
	case errors.Is(err, layer.ErrDamaged):
		p.mu.Lock()
		defer p.mu.Unlock()
		m.parent.refused = p.now().Add(retryDamaged)
	case errors.Is(err, layer.ErrSums):
		return errors.Join(err, p.dropSums(context.Background(), from))
	}
	return err
}

// unstickLocked lets merges that failed be tried again, but for those that found damage
// a short while ago.
func (p *LayerPool) unstickLocked() {
	now := p.now()
	maps.DeleteFunc(p.stuck, func(id string, _ struct{}) bool {
		n := p.tree.nodes[id]
		return n == nil || !now.Before(n.refused)
	})
}
