package pool

import (
	"context"
	"maps"
	"slices"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
)

// checkSize refuses sizes that no volume can have.
func checkSize(op string, size int64) error {
	if size <= 0 || size%blockdev.SectorSize != 0 {
		return blockdev.Errorf(blockdev.KindInvalid, op, "size %d is not a positive multiple of %d", size, blockdev.SectorSize)
	}
	return nil
}

// newRecord is the record of a new volume: what s wants, checked, with what it
// leaves to us. Its name and id may be taken.
func (p *LayerPool) newRecord(op string, s Spec, top string) (volumeRecord, error) {
	r := volumeRecord{ID: s.ID, Name: s.Name, Size: s.Size, Created: p.now(), Labels: s.Labels, Top: top}
	r = r.clone()
	if err := ValidName(s.Name); err != nil {
		return r, err
	}
	if err := checkSize(op, s.Size); err != nil {
		return r, err
	}
	var err error
	if s.ID == "" {
		r.ID, err = NewID(p.rand)
	} else {
		err = ValidID(s.ID)
	}
	return r, err
}

// free says whether a name and an id are free; structure or mu is held.
func (p *LayerPool) free(op string, name string, id VolumeID) error {
	if p.tree.volumes[id] != nil {
		return blockdev.Errorf(blockdev.KindExists, op, "there is a volume %s", id)
	}
	if other, ok := p.tree.names[foldName(name)]; ok {
		return blockdev.Errorf(blockdev.KindExists, op, "volume %s has the name %q", other, name)
	}
	return nil
}

// Create makes a volume that reads as zeros.
func (p *LayerPool) Create(ctx context.Context, s Spec) (Volume, error) {
	const op = "create volume"
	end, err := p.begin(ctx, op)
	if err != nil {
		return Volume{}, err
	}
	defer end()
	r, err := p.newRecord(op, s, "")
	if err != nil {
		return Volume{}, err
	}
	if r.Top, err = p.newLayerID(); err != nil {
		return Volume{}, err
	}
	defer p.giveBack(r.Top)
	if err := p.room(op, r); err != nil { // before files are made
		return Volume{}, err
	}
	if err := p.spare(op); err != nil {
		return Volume{}, err
	}
	fresh := &freshLayers{pool: p}
	defer fresh.close()
	if err := fresh.make(r.Top, r.Size, true); err != nil {
		return Volume{}, err
	}
	if err := fresh.sync(op); err != nil {
		return Volume{}, err
	}
	if err := p.create(ctx, op, r, fresh); err != nil {
		return Volume{}, err
	}
	return p.show(r), nil
}

// room says whether a new volume can be made.
func (p *LayerPool) room(op string, r volumeRecord) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.free(op, r.Name, r.ID); err != nil {
		return err
	}
	return p.withinLimit(op, r.Size)
}

// create puts a new volume into the tree.
func (p *LayerPool) create(ctx context.Context, op string, r volumeRecord, fresh *freshLayers) error {
	if err := p.lockStructure(ctx, op); err != nil {
		return err
	}
	defer p.structure.Unlock()
	if err := p.room(op, r); err != nil {
		return err
	}
	pl := newPlan(&p.tree)
	pl.addLayer(r.Top, "", r.Size)
	pl.putVolume(r)
	return p.commit(ctx, pl, fresh)
}

// freshLayers are layers that were made for transactions. Those of one that was made
// are in the tree, and held until close.
type freshLayers struct {
	pool    *LayerPool
	layers  []*layer.Layer // not in the tree, and not known to the store
	doubted []*layer.Layer // perhaps known to the store
	held    []*node
}

// make makes one more.
func (f *freshLayers) make(id string, size int64, grounded bool) error {
	f.pool.filesMade(id)
	l, err := layer.Create(f.pool.fs, id, size, grounded)
	if err != nil {
		f.pool.removeFiles(id)
		return err
	}
	l.SetBudget(f.pool.budget)
	f.layers = append(f.layers, l)
	return nil
}

// sync makes the names of the files durable.
func (f *freshLayers) sync(op string) error {
	return blockdev.Wrap(blockdev.KindIO, op, f.pool.syncDir())
}

// fit makes the layers as long as the plan has them.
func (f *freshLayers) fit(pl *plan) error {
	for _, l := range f.layers {
		if r := pl.layers[l.ID()]; r != nil {
			if err := l.Grow(r.Size); err != nil {
				return err
			}
		}
	}
	return nil
}

// adoptLocked puts the layers that the tree has in use there.
func (f *freshLayers) adoptLocked() {
	if f == nil {
		return
	}
	f.layers = slices.DeleteFunc(f.layers, func(l *layer.Layer) bool {
		n := f.pool.tree.nodes[l.ID()]
		if n == nil {
			return false
		}
		n.live = l
		f.pool.tree.hold(n)
		f.held = append(f.held, n)
		return true
	})
}

// doubt says that a transaction failed and may have been stored, and gives the layers
// that the store may know.
func (f *freshLayers) doubt() (ids []string) {
	if f == nil {
		return nil
	}
	for _, l := range f.layers {
		ids = append(ids, l.ID())
	}
	f.doubted, f.layers = append(f.doubted, f.layers...), nil
	return ids
}

// close gives the layers that are in the tree free, and removes the files of those that
// nobody will need.
func (f *freshLayers) close() {
	for _, l := range slices.Concat(f.layers, f.doubted) {
		if err := l.Close(); err != nil {
			f.pool.log.Warn("layer could not be closed", "layer", l.ID(), "err", err)
		}
	}
	for _, l := range f.layers {
		f.pool.removeFiles(l.ID())
	}
	f.pool.drop(f.held)
	f.layers, f.doubted, f.held = nil, nil, nil
}

// lockTree locks mu for reading the tree; nil means that it is held.
func (p *LayerPool) lockTree(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return kinded(op, err)
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return blockdev.Wrap(blockdev.KindClosed, op, errClosed)
	}
	return nil
}

// Names gives the names of all volumes; see Namer.
func (p *LayerPool) Names(ctx context.Context) ([]string, error) {
	if err := p.lockTree(ctx, "list names"); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	return slices.AppendSeq(make([]string, 0, len(p.tree.names)), maps.Keys(p.tree.names)), nil
}

// Named says whether a volume has the name; see Namer.
func (p *LayerPool) Named(ctx context.Context, name string) (bool, error) {
	if err := p.lockTree(ctx, "look for a name"); err != nil {
		return false, err
	}
	defer p.mu.Unlock()
	_, ok := p.tree.names[foldName(name)]
	return ok, nil
}

// Update changes a volume's description. f must not call the pool.
func (p *LayerPool) Update(ctx context.Context, id VolumeID, f func(*Volume) error) (Volume, error) {
	const op = "update volume"
	release, err := p.claim(ctx, op, id)
	if err != nil {
		return Volume{}, err
	}
	defer release()
	want, err := p.Get(ctx, id)
	if err != nil {
		return Volume{}, err
	}
	if err := f(&want); err != nil {
		return Volume{}, kinded(op, err)
	}
	r, err := p.change(ctx, op, id, func(r *volumeRecord) {
		r.Name, r.Size, r.Labels = want.Name, want.Size, want.Labels
	})
	if err != nil {
		return Volume{}, err
	}
	return p.show(r), nil
}

// change changes the record of a volume that is claimed, and lets it grow. edit is
// called more than once.
func (p *LayerPool) change(ctx context.Context, op string, id VolumeID, edit func(*volumeRecord)) (volumeRecord, error) {
	v, err := p.volume(op, id)
	if err != nil {
		return volumeRecord{}, err
	}
	r, err := p.edited(op, v, edit)
	if err != nil {
		return r, err
	}
	if r.Size == p.record(v).Size {
		return p.storeRecord(ctx, op, v, edit)
	}
	u, err := p.acquire(ctx, op, id, 0)
	if err != nil {
		return r, err
	}
	defer p.release(v, 0)
	p.unsink(u, u.live.Chain())
	top := u.live.Chain().Top()
	before := top.Size()
	if err := top.Grow(r.Size); err != nil {
		return r, err
	}
	if r, err = p.storeRecord(ctx, op, v, edit); err != nil {
		top.Shorten(before)
		return r, err
	}
	u.live.Grow(r.Size)
	return r, nil
}

// edited is the record of v as somebody wants it, checked.
func (p *LayerPool) edited(op string, v *volume, edit func(*volumeRecord)) (volumeRecord, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := v.rec
	edit(&r)
	r = r.clone()
	if err := ValidName(r.Name); err != nil {
		return r, err
	}
	if other, ok := p.tree.names[foldName(r.Name)]; ok && other != r.ID {
		return r, blockdev.Errorf(blockdev.KindExists, op, "volume %s has the name %q", other, r.Name)
	}
	if r.Size < v.rec.Size {
		return r, blockdev.Errorf(blockdev.KindInvalid, op, "size %d is smaller than %d", r.Size, v.rec.Size)
	}
	if err := checkSize(op, r.Size); err != nil {
		return r, err
	}
	return r, p.withinLimit(op, r.Size-v.rec.Size)
}

// storeRecord stores it.
func (p *LayerPool) storeRecord(ctx context.Context, op string, v *volume, edit func(*volumeRecord)) (volumeRecord, error) {
	if err := p.lockStructure(ctx, op); err != nil {
		return volumeRecord{}, err
	}
	defer p.structure.Unlock()
	r, err := p.edited(op, v, edit)
	if err != nil {
		return r, err
	}
	pl := newPlan(&p.tree)
	pl.putVolume(r)
	if r.Size > v.rec.Size {
		top := pl.layer(r.Top)
		pl.addLayer(r.Top, top.Parent, max(r.Size, top.Size))
	}
	return r, p.commit(ctx, pl, nil)
}

// Delete removes the volume. A Hydrate of it that is running ends with
// KindNotFound.
func (p *LayerPool) Delete(ctx context.Context, id VolumeID) error {
	const op = "delete volume"
	release, err := p.claim(ctx, op, id)
	if err != nil {
		return err
	}
	defer release()
	v, err := p.volume(op, id)
	if err != nil {
		return err
	}
	unbar, err := p.barUnless(v, func() error {
		if v.handles == 0 {
			return nil
		}
		return blockdev.Errorf(blockdev.KindBusy, op, "volume %s (%q) has %d open handles and hooks", id, v.rec.Name, v.handles)
	})
	if err != nil {
		return err
	}
	defer unbar()
	if err := p.delete(ctx, op, v); err != nil {
		return err
	}
	p.abandon(v)
	return nil
}

// barUnless keeps everybody who wants to open a claimed volume waiting until unbar, or
// gives the error of a reason, which is called with mu held, not to.
func (p *LayerPool) barUnless(v *volume, reason func() error) (unbar func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := reason(); err != nil {
		return nil, err
	}
	v.bar = make(chan struct{})
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		close(v.bar)
		v.bar = nil
	}, nil
}

// delete takes a volume out of the tree.
func (p *LayerPool) delete(ctx context.Context, op string, v *volume) error {
	if err := p.lockStructure(ctx, op); err != nil {
		return err
	}
	defer p.structure.Unlock()
	pl := newPlan(&p.tree)
	pl.volumes[v.id] = nil
	pl.collect(v.rec.Top)
	return p.commit(ctx, pl, nil)
}

// abandon closes a volume that is not in the tree any more.
func (p *LayerPool) abandon(v *volume) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.filling != nil {
		v.filling.cancel()
	}
	if v.live != nil {
		p.shutLocked(v)
	}
}
