package export

import (
	"context"
	"errors"

	"twinlun/blockdev"
)

// Load puts all stored exports on the list without serving them, so that Exposed
// and Export know them before Restore, when nothing may reach a volume yet.
func (x *Exports) Load(ctx context.Context) error {
	records, err := x.load(ctx)
	if err != nil {
		return err
	}
	for _, rec := range records {
		if err := x.claim("load exports", rec.Target, rec.Volume); err != nil {
			return err
		}
		x.enlist(rec)
	}
	return nil
}

// enlist is the entry of a record; it is made if the volume has none.
func (x *Exports) enlist(rec *record) *entry {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.list[rec.Volume]
	if e == nil {
		e = &entry{rec: *rec}
		x.list[rec.Volume] = e
	}
	return e
}

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

// restore makes one export again, unless it is served.
func (x *Exports) restore(ctx context.Context, rec *record) error {
	op := "restore export of volume " + string(rec.Volume.ID)
	if err := x.begin(ctx, op, rec.Volume); err != nil {
		return err
	}
	defer x.locks.unlock(rec.Volume)
	if e := x.entry(rec.Volume); e != nil && e.dev != nil {
		return nil
	}
	if err := x.claim(op, rec.Target, rec.Volume); err != nil {
		return err
	}
	e := x.enlist(rec)
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
