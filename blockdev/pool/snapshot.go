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
	// tops are the layers that the members' targets get, in the order of set.
	tops    []string
	targets []volumeRecord // likewise
	// restores are targets that may be sources, too, and do not become snapshots
	// by it.
	restores map[VolumeID]bool
	fresh    *freshLayers
}

// source is a volume that is frozen; several members may have the same.
type source struct {
	inUse
	next   string       // the id of its new top
	from   volumeRecord // as it was when it was frozen
	frozen *node        // its top then
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
	s := &snapshot{pool: p, set: set, sources: map[VolumeID]*source{}, fresh: &freshLayers{pool: p}, restores: restores}
	release, err := p.claim(ctx, opSnapshot, s.volumes()...)
	if err != nil {
		return nil, err
	}
	defer release()
	defer s.fresh.close()
	defer s.release()
	defer s.giveBack()
	if err := s.acquire(ctx); err != nil {
		return nil, err
	}
	if err := s.flush(ctx, (*layer.Volume).Flush); err != nil { // so that less is left for later
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	if err := s.freeze(ctx); err != nil {
		return nil, err
	}
	out := make([]Volume, len(s.targets))
	for i, r := range s.targets {
		out[i] = p.show(r)
	}
	return out, nil
}

// volumes lists the volumes that the set names.
func (s *snapshot) volumes() (ids []VolumeID) {
	for _, c := range s.set {
		ids = append(ids, c.Source)
		if c.Into != "" {
			ids = append(ids, c.Into)
		}
	}
	return ids
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
		u, err := s.pool.acquire(ctx, opSnapshot, c.Source, 0)
		if err != nil {
			return err
		}
		s.sources[c.Source] = &source{inUse: u}
	}
	return nil
}

// release gives the sources back.
func (s *snapshot) release() {
	for _, src := range s.sources {
		s.pool.release(src.vol, 0)
	}
}

// giveBack gives the ids back that no files were made for.
func (s *snapshot) giveBack() {
	for _, src := range s.sources {
		s.pool.giveBack(src.next)
	}
	s.pool.giveBack(s.tops...)
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

// prepare checks what can be checked before anything is changed, and makes the new
// layers' files.
func (s *snapshot) prepare(ctx context.Context) error {
	p := s.pool
	if err := p.reserve(ctx, len(s.sources)+len(s.set)); err != nil { // at once
		return err
	}
	if err := s.name(); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	if err := p.spare(opSnapshot); err != nil {
		return err
	}
	for _, src := range s.sources {
		if err := s.fresh.make(src.next, p.record(src.vol).Size, false); err != nil {
			return err
		}
	}
	for i, id := range s.tops {
		if err := s.fresh.make(id, s.targets[i].Size, false); err != nil {
			return err
		}
	}
	return s.fresh.sync(opSnapshot)
}

// name gives the layers and volumes to come their ids.
func (s *snapshot) name() (err error) {
	for _, id := range slices.Sorted(maps.Keys(s.sources)) {
		if s.sources[id].next, err = s.pool.newLayerID(); err != nil {
			return err
		}
	}
	s.tops = make([]string, len(s.set))
	s.targets = make([]volumeRecord, len(s.set))
	for i, c := range s.set {
		if s.tops[i], err = s.pool.newLayerID(); err != nil {
			return err
		}
		if c.Into != "" {
			continue
		}
		spec := c.Target
		if spec.Size == 0 {
			spec.Size = s.pool.record(s.sources[c.Source].vol).Size
		}
		if s.targets[i], err = s.pool.newRecord(opSnapshot, spec, s.tops[i]); err != nil {
			return err
		}
	}
	return nil
}

// check makes the records of the targets, as the tree is now.
func (s *snapshot) check() error {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	more := int64(0)
	for i, c := range s.set {
		r, err := s.target(i, c)
		if err != nil {
			return err
		}
		from := s.sources[c.Source].vol.rec
		if r.Size < from.Size {
			return blockdev.Errorf(blockdev.KindInvalid, opSnapshot,
				"target %q of %d bytes is smaller than source %q of %d", r.Name, r.Size, from.Name, from.Size)
		}
		if s.targets[i] = r; c.Into == "" {
			more += r.Size
		}
	}
	return s.pool.withinLimit(opSnapshot, more)
}

// target is the record that a member's target will have, but for its base.
func (s *snapshot) target(i int, c Copy) (volumeRecord, error) {
	if c.Into != "" {
		v := s.pool.tree.volumes[c.Into]
		if v == nil {
			return volumeRecord{}, notFound(opSnapshot, c.Into)
		}
		r := v.rec
		r.Revision++
		r.Top = s.tops[i]
		return r, nil
	}
	r := s.targets[i]
	for k, other := range s.targets[:i] {
		if s.set[k].Into == "" && (other.ID == r.ID || foldName(other.Name) == foldName(r.Name)) {
			return r, blockdev.Errorf(blockdev.KindExists, opSnapshot, "two members make a volume %q or %s", r.Name, r.ID)
		}
	}
	return r, s.pool.free(opSnapshot, r.Name, r.ID)
}

// planTurn gives each source a new top over its present one.
func (s *snapshot) planTurn() (*plan, error) {
	pl := newPlan(&s.pool.tree)
	for id, src := range s.sources {
		if s.pool.tree.volumes[id] != src.vol {
			return nil, notFound(opSnapshot, id)
		}
		r := src.vol.rec
		src.from, src.frozen = r, s.pool.tree.nodes[r.Top]
		pl.addLayer(src.next, r.Top, r.Size)
		r.Top = src.next
		pl.putVolume(r)
	}
	return pl, s.fresh.fit(pl)
}

// planTargets gives each target a top over what its source had at the instant.
func (s *snapshot) planTargets() (*plan, error) {
	if err := s.check(); err != nil { // others may have made volumes meanwhile
		return nil, err
	}
	pl := newPlan(&s.pool.tree)
	for i, c := range s.set {
		r, from := &s.targets[i], s.sources[c.Source].from
		if r.Base = from.Top; s.restores[r.ID] && !s.pool.tree.resettable(r.ID) {
			r.Base = ""
		}
		pl.addLayer(r.Top, from.Top, r.Size)
		pl.putVolume(*r)
	}
	for _, r := range s.targets {
		if v := s.pool.tree.volumes[r.ID]; v != nil {
			pl.collect(v.rec.Top)
		}
	}
	return pl, s.fresh.fit(pl)
}
