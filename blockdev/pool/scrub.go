package pool

import (
	"context"
	"errors"
	"maps"
	"slices"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
)

// Damage is a range of a frozen layer that does not hold what it did when it was
// frozen.
type Damage struct {
	Pool     string
	Layer    string
	Volumes  []VolumeID // those that stand on the layer and may read it
	Off, Len int64      // bytes of the layer, which is addressed as its volumes are
}

// ScrubOptions say how to scrub.
type ScrubOptions struct {
	// Rate is how much is read, in bytes a second; 0 means no limit.
	Rate int64
	// Progress is told how much of the frozen layers has been gone through.
	Progress Progress
}

// Scrubbed is what a scrub found.
type Scrubbed struct {
	Layers   int // frozen layers whose content was compared with their sums
	Unsummed int // frozen layers without sums, or that changed meanwhile
	Bad      int64
	Damage   []Damage // the first thousand ranges of each layer; Bad is the bytes of all
	// Unreadable are the layers that could not be read, or whose map or sums are
	// damaged, with the reason.
	Unreadable map[string]error
}

// Scrub reads all frozen layers and compares them with their sums; the maps of those
// that have none are checked, too. What is found is in the result, is counted in Info,
// and Config.Damaged is told. Damaged sums are made anew. The error says why the scrub
// ended early. Volumes can be used meanwhile; a layer that merges meanwhile is left out.
func (p *LayerPool) Scrub(ctx context.Context, o ScrubOptions) (Scrubbed, error) {
	const op = "scrub"
	out := Scrubbed{Unreadable: map[string]error{}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	nodes, total, err := p.beginScrub(ctx, &out)
	if err != nil {
		return out, err
	}
	defer p.endScrub()
	stop := context.AfterFunc(p.ctx, cancel)
	defer stop()
	pace := newPace(total, o.Rate, o.Progress)
	for _, n := range nodes {
		if err = p.scrubLayer(ctx, n, pace, &out); err != nil {
			break
		}
	}
	if p.ctx.Err() != nil {
		err = blockdev.Wrap(blockdev.KindClosed, op, errClosed)
	}
	if err == nil {
		tell(o.Progress, total)
	}
	return out, kinded(op, err)
}

// beginScrub lists the frozen layers by id, and says how long they are together. Those
// that are about to merge are left out. The pool makes no sums meanwhile.
func (p *LayerPool) beginScrub(ctx context.Context, out *Scrubbed) (nodes []*node, total int64, err error) {
	if err := p.lockTree(ctx, "scrub"); err != nil {
		return nil, 0, err
	}
	defer p.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(p.tree.nodes)) {
		n := p.tree.nodes[id]
		if _, due := p.tree.due[id]; due {
			out.Unsummed++
		} else if n.top == "" {
			nodes = append(nodes, n)
			total += n.rec.Size
		}
	}
	if p.scrubs == 0 && p.summing != nil {
		p.summing.cancel() // it goes on later
	}
	p.scrubs++
	p.tasks.Add(1)
	return nodes, total, nil
}

func (p *LayerPool) endScrub() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scrubs--
	p.ringLocked()
	p.tasks.Done()
}

// scrubLayer puts into out what is the matter with one layer.
func (p *LayerPool) scrubLayer(ctx context.Context, n *node, pace layer.Pace, out *Scrubbed) error {
	s, sctx, err := p.awaitSumming(ctx, n)
	if err != nil {
		return err
	}
	if s == nil { // it is about to change
		out.Unsummed++
		return ctx.Err()
	}
	err = p.verify(sctx, n, pace, out)
	p.endScrubbing(s)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
	case errors.Is(err, context.Canceled), errors.Is(err, errGone):
		out.Unsummed++
	default:
		out.Unreadable[n.id] = err
	}
	return nil
}

// awaitSumming waits until nobody else sums or verifies, and registers n; nil says that
// n cannot be.
func (p *LayerPool) awaitSumming(ctx context.Context, n *node) (*summing, context.Context, error) {
	for {
		if err := p.lockTree(ctx, "scrub"); err != nil {
			return nil, nil, err
		}
		other := p.summing
		s, sctx := p.beginSummingLocked(ctx, n)
		p.mu.Unlock()
		if s != nil || other == nil {
			return s, sctx, nil
		}
		if err := await(ctx, other.ended); err != nil {
			return nil, nil, err
		}
	}
}

// endScrubbing takes the layer off the books.
func (p *LayerPool) endScrubbing(s *summing) {
	s.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.summing = nil
	close(s.ended)
	p.ringLocked()
}

// verify compares a layer that is registered with its sums.
func (p *LayerPool) verify(ctx context.Context, n *node, pace layer.Pace, out *Scrubbed) error {
	h, err := p.holdFrozen(n)
	if err != nil {
		return err
	}
	defer p.drop(h.nodes)
	if !h.grounded {
		if err := layer.CheckMap(p.fs, h.live.ID(), h.live.Size()); err != nil {
			return err
		}
	}
	found, bad, err := h.live.Verify(ctx, p.fs, h.grounded, pace)
	switch {
	case errors.Is(err, layer.ErrNoSums):
		out.Unsummed++
		return nil
	case errors.Is(err, layer.ErrSums):
		if failed := p.remakeSums(n, h.live); failed != nil {
			return errors.Join(err, failed)
		}
		return blockdev.Wrap(blockdev.KindIO, "its checksums were damaged, and are made anew", err)
	case err != nil:
		return err
	}
	var damage []Damage
	for _, d := range found {
		damage = append(damage, p.damaged(n, d))
	}
	p.damage(n, func(d *damages) { d.replace(damage, bad) })
	out.Layers++
	out.Bad += bad
	out.Damage = append(out.Damage, damage...)
	return nil
}

// remakeSums removes sums that cannot be used, so that they are made anew.
func (p *LayerPool) remakeSums(n *node, l *layer.Layer) error {
	n.damage.keep()
	if err := p.dropSumsOf(n, l); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n.summed = false
	p.tree.noteBare(l.ID())
	return nil
}

// Err is an error that sums up what was found; nil: nothing is wrong.
func (s Scrubbed) Err() error {
	if len(s.Damage) == 0 && len(s.Unreadable) == 0 {
		return nil
	}
	return blockdev.Errorf(blockdev.KindIO, "scrub", "%d bytes are damaged, %d layers could not be verified", s.Bad, len(s.Unreadable))
}
