package pool

import (
	"context"

	"twinlun/blockdev"
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
	release, err := p.claim(ctx, opResize, id)
	if err != nil {
		return Volume{}, err
	}
	defer release()
	v, err := p.volume(opResize, id)
	if err != nil {
		return Volume{}, err
	}
	if size < p.record(v).Size {
		err = p.shrink(ctx, v, size, force)
	} else {
		_, err = p.change(ctx, opResize, id, func(r *volumeRecord) { r.Size = size })
	}
	if err != nil {
		return Volume{}, err
	}
	return p.show(p.record(v)), nil
}

// shrink makes a claimed volume smaller, which nobody else uses or opens meanwhile.
func (p *LayerPool) shrink(ctx context.Context, v *volume, size int64, force bool) error {
	u, err := p.acquire(ctx, opResize, v.id, 0)
	if err != nil {
		return err
	}
	defer p.release(v, 0)
	unbar, err := p.barUnless(v, func() error {
		if v.hooked == 0 && (v.users == 1 || v.users == 2 && v.merging) { // a merge finds it gone and begins again
			return nil
		}
		return blockdev.Errorf(blockdev.KindBusy, opResize, "volume %s (%q) is in use", v.id, v.rec.Name)
	})
	if err != nil {
		return err
	}
	defer unbar()
	if err := p.clearTail(ctx, u, size, force); err != nil {
		return err
	}
	if err := p.storeShrunk(ctx, v, size); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.live == u.live {
		p.shutLocked(v)
	}
	return nil
}

// clearTail makes what lies from size on zeros, durably. Without force there must be
// nothing.
func (p *LayerPool) clearTail(ctx context.Context, u inUse, size int64, force bool) error {
	h := u.live.NewHandle(true, func() error { return nil })
	defer h.Close()
	end := h.Size()
	tail, err := h.Extents(ctx, size, end-size, 2) // they alternate
	if err != nil {
		return err
	}
	for _, e := range tail {
		switch {
		case !e.Data:
			continue
		case !force:
			return blockdev.Errorf(blockdev.KindInvalid, opResize,
				"volume %s has data at %d, beyond the new size of %d", u.vol.id, e.Off, size)
		}
		if err := h.ZeroAt(ctx, e.Off, end-e.Off); err != nil {
			return err
		}
		break
	}
	return h.Flush(ctx)
}

// storeShrunk stores the new size. What was cut off is in the volume's base, so it is no
// snapshot any more.
func (p *LayerPool) storeShrunk(ctx context.Context, v *volume, size int64) error {
	if err := p.lockStructure(ctx, opResize); err != nil {
		return err
	}
	defer p.structure.Unlock()
	pl, r := newPlan(&p.tree), v.rec
	r.Size, r.Base = size, ""
	pl.putVolume(r)
	return p.commit(ctx, pl, nil)
}
