package export

import (
	"context"
	"slices"

	"twinlun/blockdev"
)

// Hide takes initiators off the list of an export, or with none given ends the
// export; sessions that may no longer be are closed. Taking the last one off the
// list ends the export too, because an empty list would let everyone in. When an
// export has ended no command touches the volume through it any more.
// KindNotFound: the volume is not exposed; KindInvalid: a malformed name, or the
// target is open to all, so that nobody can be taken off a list.
func (x *Exports) Hide(ctx context.Context, v VolumeRef, initiators []string) error {
	op := "hide volume " + string(v.ID)
	gone, err := cleanInitiators(op, initiators)
	if err != nil {
		return err
	}
	if err := x.begin(ctx, op, v); err != nil {
		return err
	}
	defer x.locks.unlock(v)
	e := x.entry(v)
	if e == nil {
		return notExposed(op, v)
	}
	if len(gone) == 0 {
		return x.end(ctx, op, e)
	}
	if len(e.rec.Initiators) == 0 {
		return blockdev.Errorf(blockdev.KindInvalid, op, "the target is open to all initiators")
	}
	rec := e.rec
	rec.Initiators = slices.DeleteFunc(slices.Clone(rec.Initiators), func(n string) bool {
		return slices.Contains(gone, n)
	})
	if len(rec.Initiators) == 0 {
		return x.end(ctx, op, e)
	}
	return x.narrow(ctx, op, e, rec)
}

// narrow stores a record with fewer initiators and lets a running target follow.
func (x *Exports) narrow(ctx context.Context, op string, e *entry, rec record) error {
	if e.dev != nil {
		return x.change(ctx, op, e, rec)
	}
	if err := x.put(ctx, op, &rec); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	e.rec = rec
	return nil
}

// end removes an export: first from the store, so that a restart in the middle
// does not bring it back, then its target.
func (x *Exports) end(ctx context.Context, op string, e *entry) error {
	if err := x.drop(ctx, op, e.rec.Volume); err != nil {
		return err
	}
	x.stop(ctx, e)
	x.forget(e.rec.Target, e.rec.Volume)
	return nil
}
