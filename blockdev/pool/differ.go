package pool

import (
	"context"
	"slices"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
)

const opChanged = "list changes"

// Extent is a range of a volume, in bytes: whole blocks (blockdev.BlockSize), but for
// the end of the volume or of what was asked for.
type Extent struct{ Off, Len int64 }

// Differ is what a Pool has that can tell where two volumes may differ without reading
// them: a volume and an older snapshot of it, two snapshots, two clones. It is for
// incremental copies. No CIM class shows it yet.
type Differ interface {
	// Changed lists, in ascending order and without overlaps, the ranges of
	// [off, off+n), which lies within to, where from and to may differ; from reads as
	// zeros beyond its end. Every block that differs is in. A block that neither
	// volume was written to, or zeroed, since they were one is not; one that was
	// written with what it had is, and so is one that a Hydrate of either has copied.
	//
	// At most max extents are returned, max < 1 means no limit: the caller goes on
	// behind the last until there are none. Writes that run meanwhile may or may not
	// be in. The cost is that of what changed, not of what the volumes hold.
	//
	// KindNotFound: one of the volumes is not there; KindOutOfRange: the range is not
	// within to; KindInvalid: the two were never one volume, or the pool does not know
	// it any more, because a Hydrate has made one of them stand alone.
	Changed(ctx context.Context, from, to VolumeID, off, n int64, max int) ([]Extent, error)
}

var _ Differ = (*LayerPool)(nil)

// Changed looks at the maps of the layers that only one of the two stands on. A merge
// that runs meanwhile marks a block in one layer before it takes the other away, and
// none of the layers that are looked at with what is below them: that has two others on
// it at least.
func (p *LayerPool) Changed(ctx context.Context, from, to VolumeID, off, n int64, limit int) ([]Extent, error) {
	end, err := p.begin(ctx, opChanged)
	if err != nil {
		return nil, err
	}
	defer end()
	apart, err := p.holdApart(ctx, from, to, off, n)
	if err != nil {
		return nil, err
	}
	defer p.drop(apart)
	layers := make([]*layer.Layer, len(apart))
	for i, node := range apart {
		layers[i] = node.live
	}
	var out []Extent
	layer.Written(layers, off, n, func(at, n int64) bool {
		out = append(out, Extent{Off: at, Len: n})
		return ctx.Err() == nil && (limit < 1 || len(out) < limit)
	})
	return out, kinded(opChanged, ctx.Err())
}

// holdApart opens the layers that one of the volumes stands on and the other does not.
func (p *LayerPool) holdApart(ctx context.Context, from, to VolumeID, off, n int64) ([]*node, error) {
	for {
		apart, err := p.findApart(ctx, from, to, off, n)
		if err != nil {
			return nil, err
		}
		if err = p.openLayers(apart); err == nil {
			return apart, nil
		}
		p.drop(apart)
		if !p.anyGone(apart) {
			return nil, blockdev.Wrap(blockdev.KindOf(err), opChanged, err)
		}
	}
}

// anyGone says whether a merge has taken one of the layers away.
func (p *LayerPool) anyGone(nodes []*node) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(nodes, func(n *node) bool { return n.gone })
}

// findApart holds them, open or not.
func (p *LayerPool) findApart(ctx context.Context, from, to VolumeID, off, n int64) ([]*node, error) {
	if err := p.lockTree(ctx, opChanged); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	a, b := p.tree.volumes[from], p.tree.volumes[to]
	switch {
	case a == nil:
		return nil, notFound(opChanged, from)
	case b == nil:
		return nil, notFound(opChanged, to)
	}
	if err := blockdev.CheckRange(opChanged, off, n, b.rec.Size); err != nil {
		return nil, err
	}
	apart, one := p.tree.apart(a, b)
	if !one {
		return nil, blockdev.Errorf(blockdev.KindInvalid, opChanged, "volumes %q and %q have no content in common that the pool knows of", a.rec.Name, b.rec.Name)
	}
	for _, n := range apart {
		p.tree.hold(n)
	}
	return apart, nil
}

// apart lists the nodes that only one of two volumes stands on; one says that there are
// others.
func (t *tree) apart(a, b *volume) (out []*node, one bool) {
	of := map[*node]int{}
	for _, v := range []*volume{a, b} {
		for _, n := range t.chain(v) {
			of[n]++
		}
	}
	for _, v := range []*volume{a, b} {
		for _, n := range t.chain(v) {
			if of[n] == 2 {
				one = true
				break
			}
			out = append(out, n)
		}
	}
	return out, one
}
