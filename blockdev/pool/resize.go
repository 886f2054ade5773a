package pool

import (
	"context"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
)

// Resizer is what a Pool has that can make volumes smaller.
type Resizer interface {
	// Resize gives the volume another size. A larger one is as with Update. A
	// smaller one fails with KindBusy while the volume is in use, and with
	// KindInvalid where it would take data away, unless force is set; then the
	// data beyond the new size is gone, perhaps also where Resize fails. What
	// the volume shows if it grows again is zeros. Its snapshots do not change. A
	// snapshot that was made smaller cannot be reset any more.
	Resize(ctx context.Context, id VolumeID, size int64, force bool) (Volume, error)
}

var _ Resizer = (*LayerPool)(nil)

const opResize = "resize volume"

// Resize gives the volume another size.
func (p *LayerPool) Resize(ctx context.Context, id VolumeID, size int64, force bool) (Volume, error) {
	if err := checkSize(opResize, size); err != nil {
		return Volume{}, err
	}
	if err := p.lockStructure(ctx, opResize); err != nil {
		return Volume{}, err
	}
	defer p.structure.Unlock()
	v := p.tree.volumes[id]
	if v == nil {
		return Volume{}, notFound(opResize, id)
	}
	if err := p.resize(ctx, v, size, force); err != nil {
		return Volume{}, err
	}
	return p.describe(v, p.allocated), nil
}

// resize changes the size of v; structure is held.
func (p *LayerPool) resize(ctx context.Context, v *volume, size int64, force bool) error {
	base := v.rec.Base
	if err := p.withinLimit(opResize, size-v.rec.Size); err != nil {
		return err
	}
	if size < v.rec.Size {
		if err := p.shutIdle(ctx, v); err != nil {
			return err
		}
		if err := p.clearTail(ctx, v, size, force); err != nil {
			return err
		}
		base = "" // it has what was cut off
	}
	r := v.rec
	r.Size, r.Base = size, base
	return p.change(ctx, v, r)
}

// shutIdle closes a volume that nobody uses, so that nobody can before structure is
// given free.
func (p *LayerPool) shutIdle(ctx context.Context, v *volume) error {
	p.mu.Lock()
	live, opens, hooked := v.live, v.opens, v.hooked
	p.mu.Unlock()
	if hooked > 0 {
		return inUse(v)
	}
	if live == nil {
		return nil
	}
	err := live.Flush(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	others := v.users + v.hooked
	if p.merge != nil && p.merge.user == v {
		others-- // it finds the volume gone and begins again
		opens = v.opens
	}
	switch {
	case others > 0 || v.opens != opens:
		return inUse(v)
	case err != nil:
		return kinded(opResize, err)
	}
	p.shutLocked(v)
	return nil
}

func inUse(v *volume) error {
	return blockdev.Errorf(blockdev.KindBusy, opResize, "volume %s (%q) is in use", v.rec.ID, v.rec.Name)
}

// clearTail makes what lies from size on zeros, in a volume that nobody uses. Without
// force there must be nothing.
func (p *LayerPool) clearTail(ctx context.Context, v *volume, size int64, force bool) error {
	nodes := p.tree.chain(v)
	if err := p.hold(nodes); err != nil {
		return blockdev.Wrap(blockdev.KindOf(err), opResize, err)
	}
	chain := newChain(nodes)
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.retireLocked(chain, nodes)
	}()
	h := layer.NewVolume(chain, v.rec.Size).NewHandle(true, func() error { return nil })
	defer h.Close()
	tail, err := h.Extents(ctx, size, v.rec.Size-size, 2) // they alternate
	if err != nil {
		return err
	}
	for _, e := range tail {
		switch {
		case !e.Data:
		case !force:
			return blockdev.Errorf(blockdev.KindInvalid, opResize,
				"volume %s (%q) has data at %d, beyond the new size of %d", v.rec.ID, v.rec.Name, e.Off, size)
		default:
			if err := h.ZeroAt(ctx, e.Off, v.rec.Size-e.Off); err != nil {
				return err
			}
			return h.Flush(ctx)
		}
	}
	return nil
}
