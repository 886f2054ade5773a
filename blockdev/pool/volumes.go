package pool

import (
	"context"
	"errors"
	"io/fs"
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
func (p *LayerPool) newRecord(op string, s Spec) (volumeRecord, error) {
	r := volumeRecord{ID: s.ID, Name: s.Name, Size: s.Size, Created: p.now(), Labels: s.Labels}
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
	if err == nil {
		r.Top, err = p.newLayerID()
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
	r, err := p.newRecord(op, s)
	if err != nil {
		return Volume{}, err
	}
	if err := p.lockStructure(ctx, op); err != nil {
		return Volume{}, err
	}
	defer p.structure.Unlock()
	if err := p.free(op, r.Name, r.ID); err != nil {
		return Volume{}, err
	}
	if err := p.admit(op, r.Size); err != nil {
		return Volume{}, err
	}
	fresh := &freshLayers{pool: p}
	if err := fresh.make(r.Top, r.Size, true); err != nil {
		return Volume{}, err
	}
	defer fresh.close()
	if err := p.syncDir(); err != nil {
		fresh.remove()
		return Volume{}, blockdev.Wrap(blockdev.KindIO, op, err)
	}
	pl := newPlan(&p.tree)
	pl.addLayer(r.Top, "", r.Size)
	pl.putVolume(r)
	if err := p.commit(ctx, pl, fresh.ids()...); err != nil {
		return Volume{}, err
	}
	return p.describe(p.tree.volumes[r.ID], p.allocated), nil
}

// freshLayers are layers that were made for a transaction that is not yet made.
type freshLayers struct {
	pool   *LayerPool
	layers []*layer.Layer
}

// make makes one more; if that fails, all are removed.
func (f *freshLayers) make(id string, size int64, grounded bool) error {
	f.pool.filesMade(id)
	l, err := layer.Create(f.pool.fs, id, size, grounded)
	if err != nil {
		f.pool.removeFiles(id)
		f.remove()
		f.close()
		return err
	}
	l.SetBudget(f.pool.budget)
	f.layers = append(f.layers, l)
	return nil
}

func (f *freshLayers) ids() []string {
	out := make([]string, len(f.layers))
	for i, l := range f.layers {
		out[i] = l.ID()
	}
	return out
}

// take hands out an open layer, which close does not close any more.
func (f *freshLayers) take(id string) *layer.Layer {
	for i, l := range f.layers {
		if l.ID() == id {
			f.layers = slices.Delete(f.layers, i, i+1)
			return l
		}
	}
	return nil
}

// remove takes the files away.
func (f *freshLayers) remove() {
	for _, l := range f.layers {
		f.pool.removeFiles(l.ID())
	}
}

// close closes the files.
func (f *freshLayers) close() {
	for _, l := range f.layers {
		if err := l.Close(); err != nil {
			f.pool.log.Warn("layer could not be closed", "layer", l.ID(), "err", err)
		}
	}
	f.layers = nil
}

// describe is what callers see of a volume; structure or mu is held, as measure
// needs it.
func (p *LayerPool) describe(v *volume, measure func(*node) (int64, error)) Volume {
	own, shared := p.tree.exclusive(v)
	r := v.rec.clone()
	out := Volume{
		ID: r.ID, Pool: p.name, Name: r.Name, Size: r.Size, Created: r.Created,
		Dependent: shared, Damaged: p.damagedBelow(v), Labels: r.Labels,
	}
	for _, n := range own {
		size, err := measure(n)
		if err != nil {
			p.log.Warn("layer could not be measured", "pool", p.name, "volume", r.ID, "err", err)
		}
		out.Allocated += size
	}
	out.Shared = p.shared(v, own, measure)
	return out
}

// allocated is the space that a layer's files take.
func (p *LayerPool) allocated(n *node) (int64, error) {
	size, err := p.fs.Allocated(layer.DataFile(n.rec.ID))
	if err == nil && n.rec.Parent != "" {
		var more int64
		more, err = p.fs.Allocated(layer.MapFile(n.rec.ID))
		size += more
	}
	if err == nil && n.top == "" {
		var more int64
		if more, err = p.fs.Allocated(layer.SumFile(n.rec.ID)); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		size += more
	}
	return size, metaError("measure layer "+n.rec.ID, blockdev.Wrap(blockdev.KindIO, "stat", err))
}

// measuredLocked is allocated, remembered while the layer's files stay as they are.
func (p *LayerPool) measuredLocked(n *node) (int64, error) {
	if n.measured && p.stillLocked(n) {
		return n.size, nil
	}
	size, err := p.allocated(n)
	n.size, n.measured = size, err == nil && p.stillLocked(n)
	return size, err
}

// stillLocked says whether nothing changes the files of a layer: nobody uses it, or
// it is frozen and no merge moves blocks from or to it.
func (p *LayerPool) stillLocked(n *node) bool {
	if n.users == 0 && n.live == nil {
		return true
	}
	merges := p.merge != nil && (p.merge.parent == n || p.merge.child == n)
	return n.top == "" && !merges && !n.filling
}

// Get describes one volume.
func (p *LayerPool) Get(ctx context.Context, id VolumeID) (Volume, error) {
	const op = "get volume"
	if err := p.lockTree(ctx, op); err != nil {
		return Volume{}, err
	}
	defer p.mu.Unlock()
	v := p.tree.volumes[id]
	if v == nil {
		return Volume{}, notFound(op, id)
	}
	return p.describe(v, p.measuredLocked), nil
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

// remeasured is how many layers are measured anew, used or not, when the pool is:
// filesystems give back what they kept ready for a file long after it was closed.
const remeasured = 16

// Info describes the pool and its space.
func (p *LayerPool) Info(ctx context.Context) (Info, error) {
	const op = "describe pool"
	if err := p.lockTree(ctx, op); err != nil {
		return Info{}, err
	}
	defer p.mu.Unlock()
	out := Info{Name: p.name, Volumes: len(p.tree.volumes), LostFiles: p.lost.files, Lost: p.lost.bytes}
	var err error
	if out.Total, out.Free, err = p.fs.Space(); err != nil {
		return Info{}, blockdev.Wrap(blockdev.KindIO, op, err)
	}
	out.Provisioned, out.MaxProvisioned, out.Reserve = p.tree.provisioned, p.limit, p.spared
	anew := remeasured
	for _, n := range p.tree.nodes { // in another order each time
		if anew > 0 {
			anew--
			n.measured = false
		}
		size, err := p.measuredLocked(n)
		if err != nil {
			return Info{}, err
		}
		out.Allocated += size
		out.Damaged += n.damage.below(n.rec.Size)
	}
	for id := range p.tree.due {
		out.Reclaimable += p.tree.nodes[id].size
	}
	out.Shared = out.Allocated - p.exclusiveLocked()
	out.Merging = len(p.tree.due)
	return out, nil
}

// Update changes a volume's description. f must not call the pool.
func (p *LayerPool) Update(ctx context.Context, id VolumeID, f func(*Volume) error) (Volume, error) {
	const op = "update volume"
	if err := p.lockStructure(ctx, op); err != nil {
		return Volume{}, err
	}
	defer p.structure.Unlock()
	v := p.tree.volumes[id]
	if v == nil {
		return Volume{}, notFound(op, id)
	}
	now := p.describe(v, p.allocated)
	if err := f(&now); err != nil {
		return Volume{}, kinded(op, err)
	}
	r, err := p.updated(op, v, now)
	if err != nil {
		return Volume{}, err
	}
	if err := p.change(ctx, v, r); err != nil {
		return Volume{}, err
	}
	return p.describe(v, p.allocated), nil
}

// updated checks what a caller wants to make of v.
func (p *LayerPool) updated(op string, v *volume, want Volume) (volumeRecord, error) {
	r := v.rec
	r.Name, r.Size, r.Labels = want.Name, want.Size, want.Labels
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

// change stores v's new record and lets it grow.
func (p *LayerPool) change(ctx context.Context, v *volume, r volumeRecord) error {
	pl := newPlan(&p.tree)
	pl.putVolume(r)
	if r.Size > v.rec.Size {
		top := pl.layer(r.Top)
		pl.addLayer(r.Top, top.Parent, max(r.Size, top.Size))
		if v.live != nil {
			p.unsink(v, v.live.Chain())
			if err := v.live.Chain().Top().Grow(r.Size); err != nil {
				return err
			}
		}
	}
	if err := p.commit(ctx, pl); err != nil {
		return err
	}
	if v.live != nil {
		v.live.Grow(r.Size)
	}
	return nil
}

// Delete removes the volume. A Hydrate of it that is running ends with
// KindNotFound.
func (p *LayerPool) Delete(ctx context.Context, id VolumeID) error {
	const op = "delete volume"
	if err := p.lockStructure(ctx, op); err != nil {
		return err
	}
	defer p.structure.Unlock()
	v := p.tree.volumes[id]
	if v == nil {
		return notFound(op, id)
	}
	p.mu.Lock()
	handles := v.handles
	p.mu.Unlock()
	if handles > 0 {
		return blockdev.Errorf(blockdev.KindBusy, op, "volume %s (%q) has %d open handles and hooks", id, v.rec.Name, handles)
	}
	pl := newPlan(&p.tree)
	pl.volumes[id] = nil
	pl.collect(v.rec.Top)
	if err := p.commit(ctx, pl); err != nil {
		return err
	}
	p.abandon(v)
	return nil
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
