package pool

import (
	"context"
	"slices"

	"twinlun/blockdev"
)

// Reverter is what a Pool has that can take volumes back to an earlier content at a
// cost that does not depend on sizes. Handles of the volumes stay open and see the
// new content; whether a volume may be in use is the caller's to decide. What is
// written to the volumes while a call runs may be lost.
type Reverter interface {
	// Restore makes the content of volume id that of from, as Snapshot does
	// with Into. If keep has a name, it becomes a snapshot of id as it was
	// before. All happens or nothing, and is durable when Restore returns.
	// Errors are those of Snapshot; KindInvalid also if id and from are the same.
	Restore(ctx context.Context, id, from VolumeID, keep Spec) (Volume, error)
	// RestoreSet is Restore of several volumes at one instant, all or none. kept
	// has one entry for each, the zero Volume where none was asked for. KindBusy:
	// a volume is restored twice, or restored and restored from.
	RestoreSet(ctx context.Context, set []Restoration) (restored, kept []Volume, err error)
	// Reset makes the content of a snapshot what it was when it was made: it
	// drops what was written to it. KindInvalid if the volume is no snapshot, or
	// was hydrated. A size that it has grown to stays.
	Reset(ctx context.Context, id VolumeID) (Volume, error)
	// ResetSet is Reset of several snapshots, all or none.
	ResetSet(ctx context.Context, ids []VolumeID) ([]Volume, error)
	// Revision is a number that grows in the transaction that gives the volume
	// another content, and outlives restarts: who has noted it before learns
	// after a crash whether that happened.
	Revision(ctx context.Context, id VolumeID) (uint64, error)
}

// Restoration is a wish for one member of a RestoreSet.
type Restoration struct {
	ID   VolumeID // gets the content of From
	From VolumeID
	Keep Spec // if it has a name, a snapshot of ID as it was before
}

var _ Reverter = (*LayerPool)(nil)

// Restore makes the content of volume id that of from.
func (p *LayerPool) Restore(ctx context.Context, id, from VolumeID, keep Spec) (Volume, error) {
	out, _, err := p.RestoreSet(ctx, []Restoration{{ID: id, From: from, Keep: keep}})
	if err != nil {
		return Volume{}, err
	}
	return out[0], nil
}

// RestoreSet restores volumes at one instant.
func (p *LayerPool) RestoreSet(ctx context.Context, set []Restoration) (restored, kept []Volume, err error) {
	into := make(map[VolumeID]bool, len(set))
	copies := make([]Copy, 0, 2*len(set))
	for _, r := range set {
		if r.ID == r.From {
			return nil, nil, blockdev.Errorf(blockdev.KindInvalid, "restore", "volume %s is to be restored from itself", r.ID)
		}
		into[r.ID] = true
		copies = append(copies, Copy{Source: r.From, Into: r.ID})
	}
	if err := checkSet(copies); err != nil {
		return nil, nil, err
	}
	for _, r := range set {
		if r.Keep.Name != "" {
			copies = append(copies, Copy{Source: r.ID, Target: r.Keep})
		}
	}
	all, err := p.snapshot(ctx, copies, into)
	if err != nil {
		return nil, nil, err
	}
	kept = make([]Volume, len(set))
	next := len(set)
	for i, r := range set {
		if r.Keep.Name != "" {
			kept[i] = all[next]
			next++
		}
	}
	return all[:len(set):len(set)], kept, nil
}

// Revision says how often the content of a volume was replaced.
func (p *LayerPool) Revision(ctx context.Context, id VolumeID) (uint64, error) {
	const op = "get volume"
	if err := p.lockTree(ctx, op); err != nil {
		return 0, err
	}
	defer p.mu.Unlock()
	v := p.tree.volumes[id]
	if v == nil {
		return 0, notFound(op, id)
	}
	return v.rec.Revision, nil
}

const opReset = "reset snapshot"

// Reset takes a snapshot back to what it was when it was made.
func (p *LayerPool) Reset(ctx context.Context, id VolumeID) (Volume, error) {
	out, err := p.ResetSet(ctx, []VolumeID{id})
	if err != nil {
		return Volume{}, err
	}
	return out[0], nil
}

// ResetSet takes snapshots back to what they were when they were made.
func (p *LayerPool) ResetSet(ctx context.Context, ids []VolumeID) ([]Volume, error) {
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return nil, blockdev.Errorf(blockdev.KindBusy, opReset, "volume %s is named twice", id)
		}
	}
	release, err := p.claim(ctx, opReset, ids...)
	if err != nil {
		return nil, err
	}
	defer release()
	all := make([]inUse, 0, len(ids))
	for _, id := range ids {
		u, err := p.acquire(ctx, opReset, id, 0)
		if err != nil {
			return nil, err
		}
		defer p.release(u.vol, 0)
		if err := u.live.Settle(ctx); err != nil { // what it goes back to may not be durable
			return nil, kinded(opReset, err)
		}
		all = append(all, u)
	}
	if err := p.reset(ctx, all); err != nil {
		return nil, err
	}
	out := make([]Volume, len(all))
	for i, u := range all {
		out[i] = p.show(p.record(u.vol))
	}
	return out, nil
}

// reset gives claimed volumes new tops over their bases: a transaction, and then a turn
// in memory.
func (p *LayerPool) reset(ctx context.Context, all []inUse) error {
	fresh := &freshLayers{pool: p}
	defer fresh.close()
	tops := make([]string, len(all))
	defer func() { p.giveBack(tops...) }()
	for i, u := range all {
		r := p.record(u.vol)
		err := canReset(r)
		if err == nil {
			tops[i], err = p.newLayerID()
		}
		if err == nil {
			err = fresh.make(tops[i], r.Size, false)
		}
		if err != nil {
			return err
		}
	}
	if err := fresh.sync(opReset); err != nil {
		return err
	}
	defer p.delayMerges()() // the volumes stand on what may be gone, until their turn
	if err := p.storeReset(ctx, all, tops, fresh); err != nil {
		return err
	}
	p.turnOver(slices.Clone(all), func(u inUse) { u.live.Replace() })
	return nil
}

// canReset says whether a volume can be reset.
func canReset(r volumeRecord) error {
	if r.Base == "" {
		return blockdev.Errorf(blockdev.KindInvalid, opReset, "volume %s (%q) is no snapshot", r.ID, r.Name)
	}
	return nil
}

// storeReset changes the tree.
func (p *LayerPool) storeReset(ctx context.Context, all []inUse, tops []string, fresh *freshLayers) error {
	if err := p.lockStructure(ctx, opReset); err != nil {
		return err
	}
	defer p.structure.Unlock()
	pl, err := p.planReset(all, tops)
	if err == nil {
		err = fresh.fit(pl)
	}
	if err != nil {
		return err
	}
	return p.commit(ctx, pl, fresh)
}

func (p *LayerPool) planReset(all []inUse, tops []string) (*plan, error) {
	pl := newPlan(&p.tree)
	for i, u := range all {
		r := u.vol.rec
		if err := canReset(r); err != nil { // a Hydrate may have ended
			return nil, err
		}
		r.Top = tops[i]
		r.Revision++
		pl.addLayer(r.Top, r.Base, r.Size)
		pl.putVolume(r)
	}
	for _, u := range all {
		pl.collect(u.vol.rec.Top)
	}
	return pl, nil
}

// resettable says whether Reset can be called for the volume.
func (t *tree) resettable(id VolumeID) bool {
	v := t.volumes[id]
	return v != nil && v.rec.Base != ""
}

// moveBases plans that volumes which can be reset to n, which goes, are reset to the
// layer that has its content now.
func (pl *plan) moveBases(n *node, to string) {
	if n.bases == 0 {
		return
	}
	for _, v := range pl.tree.above(n) {
		if r := v.rec; r.Base == n.id {
			r.Base = to
			pl.putVolume(r)
		}
	}
}

// cutBase plans that a volume forgets its base if it will not stand on it.
func (pl *plan) cutBase(r volumeRecord) {
	before := r.Base
	if pl.checkBase(&r); r.Base != before {
		pl.putVolume(r)
	}
}

// forgetBase lets a volume that shares nothing be a snapshot no more, so that what
// it stands on can be merged with it.
func (p *LayerPool) forgetBase(ctx context.Context, v *volume) error {
	if err := p.lockStructure(ctx, opHydrate); err != nil {
		return err
	}
	defer p.structure.Unlock()
	if p.tree.volumes[v.rec.ID] != v || v.rec.Base == "" {
		return nil
	}
	if _, shared := p.tree.exclusive(v); shared {
		return nil
	}
	pl, r := newPlan(&p.tree), v.rec
	r.Base = ""
	pl.putVolume(r)
	return p.commit(ctx, pl, nil)
}
