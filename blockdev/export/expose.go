package export

import (
	"context"
	"slices"

	"twinlun/blockdev"
	"twinlun/blockdev/iscsi"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/scsi"
)

// Expose makes a target for a volume, or changes that of an exposed one as
// Request says; initiators are only ever added, so a target that is open to all
// stays so. What it returns is stored. KindNotFound: no such pool or volume;
// KindExists: another volume has the target's name; KindInvalid: a malformed
// initiator name or credential, or the wish to make an exposed volume read-only.
func (x *Exports) Expose(ctx context.Context, r Request) (Export, error) {
	op := "expose volume " + string(r.Volume.ID)
	initiators, err := cleanInitiators(op, r.Initiators)
	if err != nil {
		return Export{}, err
	}
	r.Initiators = initiators
	if err := checkCredentials(op, r.User, r.Secret); err != nil {
		return Export{}, err
	}
	if err := x.begin(ctx, op, r.Volume); err != nil {
		return Export{}, err
	}
	defer x.locks.unlock(r.Volume)
	if e := x.entry(r.Volume); e != nil {
		err = x.extend(ctx, op, e, r)
	} else {
		err = x.expose(ctx, op, r)
	}
	if err != nil {
		return Export{}, err
	}
	return x.Export(ctx, r.Volume)
}

// expose makes a new export, or nothing; the volume's lock is held.
func (x *Exports) expose(ctx context.Context, op string, r Request) (err error) {
	vol, err := x.volume(ctx, op, r.Volume)
	if err != nil {
		return err
	}
	rec := record{
		Volume: r.Volume, Target: targetName(x.cfg.IQNPrefix, vol.Name, vol.ID), Alias: vol.Name,
		Initiators: r.Initiators, User: r.User, Secret: r.Secret,
		ReadOnly: r.ReadOnly, Created: x.cfg.Time().UTC(),
	}
	if err := x.claim(op, rec.Target, rec.Volume); err != nil {
		return err
	}
	if err := x.put(ctx, op, &rec); err != nil {
		x.forget(rec.Target, rec.Volume)
		return err
	}
	dev, err := x.start(ctx, op, &rec)
	if err != nil {
		x.undo(ctx, op, func(ctx context.Context) error { return x.drop(ctx, op, rec.Volume) })
		x.forget(rec.Target, rec.Volume)
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.list[rec.Volume] = &entry{rec: rec, dev: dev}
	return nil
}

// extend changes an export as a second Request for it says; the volume's lock is
// held.
func (x *Exports) extend(ctx context.Context, op string, e *entry, r Request) error {
	rec := e.rec
	if r.ReadOnly && !rec.ReadOnly {
		return blockdev.Errorf(blockdev.KindInvalid, op, "the volume is exposed for writing; hide it first")
	}
	if len(rec.Initiators) > 0 {
		all, err := cleanInitiators(op, slices.Concat(rec.Initiators, r.Initiators))
		if err != nil {
			return err
		}
		rec.Initiators = all
	}
	if r.User != "" {
		rec.User, rec.Secret = r.User, r.Secret
	}
	return x.change(ctx, op, e, rec)
}

// change stores rec as the record of e and lets the target follow it. If that
// fails all is as it was.
func (x *Exports) change(ctx context.Context, op string, e *entry, rec record) error {
	old := e.rec
	if err := x.put(ctx, op, &rec); err != nil {
		return err
	}
	dev, err := e.dev, error(nil)
	if dev == nil {
		dev, err = x.start(ctx, op, &rec)
	} else {
		err = x.access(op, &rec)
	}
	if err != nil {
		x.undo(ctx, op, func(ctx context.Context) error { return x.put(ctx, op, &old) })
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	e.rec, e.dev = rec, dev
	return nil
}

// undo takes back what was stored for a change that failed, also when the
// request is over. If that fails too, the change takes effect at the next start.
func (x *Exports) undo(ctx context.Context, op string, f func(context.Context) error) {
	if err := f(context.WithoutCancel(ctx)); err != nil {
		x.cfg.Logger.Error("undo a change of the exports", "op", op, "err", err)
	}
}

// volume describes a volume that is to be exposed.
func (x *Exports) volume(ctx context.Context, op string, v VolumeRef) (pool.Volume, error) {
	p, ok := x.cfg.Pool(v.Pool)
	if !ok {
		return pool.Volume{}, blockdev.Errorf(blockdev.KindNotFound, op, "no pool %q", v.Pool)
	}
	vol, err := p.Get(ctx, v.ID)
	return vol, blockdev.Wrap(blockdev.KindOf(err), op, err)
}

// start opens the volume of a record and makes the target for it. The caller
// closes the device after the target has been removed.
func (x *Exports) start(ctx context.Context, op string, rec *record) (blockdev.Device, error) {
	p, ok := x.cfg.Pool(rec.Volume.Pool)
	if !ok {
		return nil, blockdev.Errorf(blockdev.KindNotFound, op, "no pool %q", rec.Volume.Pool)
	}
	dev, err := p.Open(ctx, rec.Volume.ID)
	if err != nil {
		return nil, blockdev.Wrap(blockdev.KindOf(err), op, err)
	}
	if err := x.serve(rec, dev); err != nil {
		if closing := dev.Close(); closing != nil {
			x.cfg.Logger.Error("close volume", "op", op, "err", closing)
		}
		return nil, blockdev.Wrap(blockdev.KindOf(err), op, err)
	}
	return dev, nil
}

// serve makes the target for an open volume.
func (x *Exports) serve(rec *record, dev blockdev.Device) error {
	unit, err := scsi.NewUnit(scsi.Config{
		Device: dev, ID: string(rec.Volume.ID), ReadOnly: rec.ReadOnly, Logger: x.cfg.Logger,
	})
	if err != nil {
		return err
	}
	return x.cfg.Targets.AddTarget(iscsi.Target{
		Name: rec.Target, Alias: rec.Alias,
		Units:      map[uint64]scsi.Unit{0: unit},
		Initiators: slices.Clone(rec.Initiators), CHAP: rec.chap(),
	})
}
