package export

import (
	"context"
	"errors"

	"twinlun/blockdev"
)

// Restore makes the targets of all stored exports; call it once at start, before
// other changes. An export whose volume is gone is dropped. One that cannot be
// served for another reason stays on the list, without a target, until it is
// exposed again, hidden or restored at another start; the error tells of all
// such, and of nothing that stops the others.
func (x *Exports) Restore(ctx context.Context) error {
	records, err := x.load(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, rec := range records {
		if err := x.restore(ctx, rec); err != nil {
			x.cfg.Logger.Error("exposed volume cannot be served", "target", rec.Target, "err", err)
			failed = append(failed, err)
		}
	}
	if err := errors.Join(failed...); err != nil {
		return blockdev.Wrap(blockdev.KindOf(failed[0]), "restore exports", err)
	}
	return nil
}

// restore makes one export again, unless it is there.
func (x *Exports) restore(ctx context.Context, rec *record) error {
	op := "restore export of volume " + string(rec.Volume.ID)
	if err := x.begin(ctx, op, rec.Volume); err != nil {
		return err
	}
	defer x.locks.unlock(rec.Volume)
	if x.entry(rec.Volume) != nil {
		return nil
	}
	if err := x.claim(op, rec.Target, rec.Volume); err != nil {
		return err
	}
	e := &entry{rec: *rec}
	x.mu.Lock()
	x.list[rec.Volume] = e
	x.mu.Unlock()

	dev, err := x.start(ctx, op, rec)
	if err != nil && x.volumeGone(ctx, rec.Volume) {
		x.cfg.Logger.Warn("exposed volume is gone", "target", rec.Target, "volume", rec.Volume.ID, "pool", rec.Volume.Pool)
		return x.end(ctx, op, e)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	e.dev = dev
	return err
}

// volumeGone says whether the pool is there and says that the volume is not.
func (x *Exports) volumeGone(ctx context.Context, v VolumeRef) bool {
	p, ok := x.cfg.Pool(v.Pool)
	if !ok {
		return false
	}
	_, err := p.Get(ctx, v.ID)
	return blockdev.Is(err, blockdev.KindNotFound)
}
