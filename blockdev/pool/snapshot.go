package pool

import (
	"context"
	"maps"
	"slices"
	"sync"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
)

const opSnapshot = "snapshot"

// snapshot is one call of Snapshot under way.
type snapshot struct {
	pool    *LayerPool
	set     []Copy
	sources map[VolumeID]*source
	targets []volumeRecord // in the order of set
	// restores are targets that may be sources, too, and do not become snapshots
	// by it.
	restores map[VolumeID]bool
	fresh    *freshLayers
	turn     *plan // gives the sources new tops
	plan     *plan // makes the targets
}

// source is a volume that is frozen; several members may have the same.
type source struct {
	vol  *volume
	live *layer.Volume
}

// Snapshot makes, for each member, a writable volume with the content that its
// source has at one instant common to all.
func (p *LayerPool) Snapshot(ctx context.Context, set []Copy) ([]Volume, error) {
	if err := checkSet(set); err != nil {
		return nil, err
	}
	return p.snapshot(ctx, set, nil)
}

// snapshot makes the members of a set that was checked.
func (p *LayerPool) snapshot(ctx context.Context, set []Copy, restores map[VolumeID]bool) ([]Volume, error) {
	s := &snapshot{
		pool: p, set: set, sources: map[VolumeID]*source{}, fresh: &freshLayers{pool: p}, restores: restores,
	}
	defer s.release()
	if err := s.acquire(ctx); err != nil {
		return nil, err
	}
	if err := s.flush(ctx, (*layer.Volume).Flush); err != nil { // so that less is left for later
		return nil, err
	}
	if err := p.reserve(ctx, len(s.sources)+len(set)); err != nil { // at once, and not under the lock
		return nil, err
	}
	if err := p.lockStructure(ctx, opSnapshot); err != nil {
		return nil, err
	}
	defer p.structure.Unlock()
	if err := s.prepare(); err != nil {
		return nil, err
	}
	if err := s.freeze(ctx); err != nil {
		return nil, err
	}
	out := make([]Volume, len(s.targets))
	for i, r := range s.targets {
		out[i] = p.describe(p.tree.volumes[r.ID], p.allocated)
	}
	return out, nil
}

// checkSet checks what can be checked without the pool.
func checkSet(set []Copy) error {
	into := map[VolumeID]bool{}
	for _, c := range set {
		switch {
		case (c.Into == "") == (c.Target.Name == ""):
			return blockdev.Errorf(blockdev.KindInvalid, opSnapshot, "a member needs either Into or a name for its target")
		case c.Into != "" && into[c.Into]:
			return blockdev.Errorf(blockdev.KindBusy, opSnapshot, "volume %s is the target of two members", c.Into)
		}
		into[c.Into] = true
	}
	for _, c := range set {
		if into[c.Source] {
			return blockdev.Errorf(blockdev.KindBusy, opSnapshot, "volume %s is both a source and a target", c.Source)
		}
	}
	return nil
}

// acquire opens the sources.
func (s *snapshot) acquire(ctx context.Context) error {
	for _, c := range s.set {
		if s.sources[c.Source] != nil {
			continue
		}
		v, live, err := s.pool.acquire(ctx, opSnapshot, c.Source, 0)
		if err != nil {
			return err
		}
		s.sources[c.Source] = &source{vol: v, live: live}
	}
	return nil
}

// release gives the sources back.
func (s *snapshot) release() {
	for _, src := range s.sources {
		s.pool.release(src.vol, 0)
	}
}

// flush does it to all sources at once.
func (s *snapshot) flush(ctx context.Context, do func(*layer.Volume, context.Context) error) error {
	errs := make(chan error, len(s.sources))
	var wg sync.WaitGroup
	for _, src := range s.sources {
		wg.Go(func() { errs <- do(src.live, ctx) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return kinded(opSnapshot, err)
		}
	}
	return nil
}

// prepare checks everything, plans the change and makes the new layers' files. On
// failure nothing is left.
func (s *snapshot) prepare() error {
	s.turn, s.plan = newPlan(&s.pool.tree), newPlan(&s.pool.tree)
	if err := s.planSources(); err != nil {
		return err
	}
	for _, c := range s.set {
		if err := s.planMember(c); err != nil {
			return err
		}
	}
	if err := s.pool.admit(opSnapshot, s.more()); err != nil {
		return err
	}
	for _, r := range s.targets {
		if next := s.turn.volumes[r.ID]; next != nil {
			s.plan.layers[next.Top] = nil // takes writes between the two transactions
		}
		if v := s.pool.tree.volumes[r.ID]; v != nil {
			s.plan.collect(v.rec.Top)
		}
	}
	for _, pl := range []*plan{s.turn, s.plan} {
		if err := s.makeLayers(pl); err != nil {
			return err
		}
	}
	if err := s.pool.syncDir(); err != nil {
		s.discard()
		return blockdev.Wrap(blockdev.KindIO, opSnapshot, err)
	}
	return nil
}

// makeLayers makes the files of the layers that the plan adds.
func (s *snapshot) makeLayers(pl *plan) error {
	for _, id := range slices.Sorted(maps.Keys(pl.layers)) {
		r := pl.layers[id]
		if r == nil || s.pool.tree.nodes[id] != nil {
			continue
		}
		if err := s.fresh.make(id, r.Size, false); err != nil {
			return err
		}
	}
	return nil
}

// discard takes back what prepare made and nobody uses.
func (s *snapshot) discard() {
	s.fresh.remove()
	s.fresh.close()
}

// planSources gives each source a new top over its present one.
func (s *snapshot) planSources() error {
	for id, src := range s.sources {
		v := s.pool.tree.volumes[id]
		if v == nil || v != src.vol || v.live == nil {
			return notFound(opSnapshot, id)
		}
		r := v.rec
		next, err := s.pool.newLayerID()
		if err != nil {
			return err
		}
		s.turn.addLayer(next, r.Top, r.Size)
		r.Top = next
		s.turn.putVolume(r)
	}
	return nil
}

// planMember gives the member's target a top over the source's frozen one.
func (s *snapshot) planMember(c Copy) error {
	from := s.sources[c.Source].vol.rec
	r, err := s.target(c, from.Size)
	if err != nil {
		return err
	}
	if r.Size < from.Size {
		return blockdev.Errorf(blockdev.KindInvalid, opSnapshot,
			"target %q of %d bytes is smaller than source %q of %d", r.Name, r.Size, from.Name, from.Size)
	}
	if r.Base = from.Top; s.restores[r.ID] && !s.pool.tree.resettable(r.ID) {
		r.Base = ""
	}
	s.plan.addLayer(r.Top, from.Top, r.Size)
	s.plan.putVolume(r)
	s.targets = append(s.targets, r)
	return nil
}

// target is the record that a member's target will have.
func (s *snapshot) target(c Copy, size int64) (volumeRecord, error) {
	if c.Into != "" {
		v := s.pool.tree.volumes[c.Into]
		if v == nil {
			return volumeRecord{}, notFound(opSnapshot, c.Into)
		}
		r := v.rec
		r.Revision++
		var err error
		r.Top, err = s.pool.newLayerID()
		return r, err
	}
	spec := c.Target
	if spec.Size == 0 {
		spec.Size = size
	}
	r, err := s.pool.newRecord(opSnapshot, spec)
	if err != nil {
		return r, err
	}
	for _, other := range s.targets {
		if other.ID == r.ID || foldName(other.Name) == foldName(r.Name) {
			return r, blockdev.Errorf(blockdev.KindExists, opSnapshot, "two members make a volume %q or %s", r.Name, r.ID)
		}
	}
	return r, s.pool.free(opSnapshot, r.Name, r.ID)
}
