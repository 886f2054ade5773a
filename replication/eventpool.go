package replication

import (
	"context"
	"hash/maphash"
	"maps"
	"slices"
	"sync"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

// toldPool is a pool that tells of the volumes that are made, changed and deleted in
// it. Changes of one volume wait for each other, so that their events are in order.
type toldPool struct {
	pool.Pool
	events *events
	newID  func() (pool.VolumeID, error)
	seed   maphash.Seed
	locks  [64]sync.Mutex // each for the volumes of one hash
}

// tellOf makes a pool tell of its volumes, if anybody wants to know.
func (s *Service) tellOf(p pool.Pool) pool.Pool {
	if !s.events.on() {
		return p
	}
	return &toldPool{Pool: p, events: s.events, newID: s.newVolumeID, seed: maphash.MakeSeed()}
}

// lock keeps others from changing volumes. It takes the locks in one order.
func (p *toldPool) lock(ids ...pool.VolumeID) (unlock func()) {
	slots := make([]int, len(ids))
	for i, id := range ids {
		slots[i] = int(maphash.String(p.seed, string(id)) % uint64(len(p.locks)))
	}
	slices.Sort(slots)
	slots = slices.Compact(slots)
	for _, i := range slots {
		p.locks[i].Lock()
	}
	return func() {
		for _, i := range slots {
			p.locks[i].Unlock()
		}
	}
}

// Create implements pool.Volumes. The identifier is chosen here, so that nobody
// can delete the volume before its making is told.
func (p *toldPool) Create(ctx context.Context, s pool.Spec) (pool.Volume, error) {
	if s.ID == "" {
		var err error
		if s.ID, err = p.newID(); err != nil {
			return pool.Volume{}, blockdev.Wrap(blockdev.KindIO, "create "+s.Name, err)
		}
	}
	defer p.lock(s.ID)()
	v, err := p.Pool.Create(ctx, s)
	if err == nil {
		p.tell(nil, &v)
	}
	return v, err
}

// Update implements pool.Volumes.
func (p *toldPool) Update(ctx context.Context, id pool.VolumeID, f func(*pool.Volume) error) (pool.Volume, error) {
	defer p.lock(id)()
	var before pool.Volume
	v, err := p.Pool.Update(ctx, id, func(v *pool.Volume) error {
		before = *v
		before.Labels = maps.Clone(v.Labels)
		return f(v)
	})
	if err == nil && !sameVolume(before, v) {
		p.tell(&before, &v)
	}
	return v, err
}

// sameVolume says whether nothing differs that an event would be raised for.
func sameVolume(a, b pool.Volume) bool {
	return a.Name == b.Name && a.Size == b.Size && maps.Equal(a.Labels, b.Labels)
}

// Delete implements pool.Volumes.
func (p *toldPool) Delete(ctx context.Context, id pool.VolumeID) error {
	defer p.lock(id)()
	v, err := p.Get(ctx, id)
	if err != nil {
		return err
	}
	err = p.Pool.Delete(ctx, id)
	if err == nil {
		p.tell(&v, nil)
	}
	return err
}

// Snapshot implements pool.Copier.
func (p *toldPool) Snapshot(ctx context.Context, set []pool.Copy) ([]pool.Volume, error) {
	var fresh []pool.VolumeID
	for i := range set {
		if set[i].Into == "" {
			fresh = append(fresh, set[i].Target.ID)
		}
	}
	defer p.lock(fresh...)()
	all, err := p.Pool.Snapshot(ctx, set)
	if err != nil {
		return all, err
	}
	for i := range all {
		if set[i].Into == "" {
			p.tell(nil, &all[i])
		}
	}
	return all, nil
}

// Resize implements pool.Resizer.
func (p *toldPool) Resize(ctx context.Context, id pool.VolumeID, size int64, force bool) (pool.Volume, error) {
	r, err := resizerOf(p.Pool)
	if err != nil {
		return pool.Volume{}, err
	}
	defer p.lock(id)()
	before, err := p.Get(ctx, id)
	if err != nil {
		return pool.Volume{}, err
	}
	v, err := r.Resize(ctx, id, size, force)
	if err == nil && !sameVolume(before, v) {
		p.tell(&before, &v)
	}
	return v, err
}

// reverter gives the part of the pool below that can take volumes back, and has
// what it makes told.
func (p *toldPool) reverter() (reverter, error) {
	r, err := reverterOf(p.Pool)
	return toldReverter{reverter: r, pool: p}, err
}

// toldReverter tells of the volumes that a Restore keeps. What is restored or reset
// has the description that it had.
type toldReverter struct {
	reverter
	pool *toldPool
}

// RestoreSet implements reverter.
func (r toldReverter) RestoreSet(ctx context.Context, set []pool.Restoration) (restored, kept []pool.Volume, err error) {
	var fresh []pool.VolumeID
	for _, m := range set {
		if m.Keep.Name != "" {
			fresh = append(fresh, m.Keep.ID)
		}
	}
	defer r.pool.lock(fresh...)()
	restored, kept, err = r.reverter.RestoreSet(ctx, set)
	for i := range kept {
		if kept[i].Name != "" {
			r.pool.tell(nil, &kept[i])
		}
	}
	return restored, kept, err
}

// Names implements pool.Namer.
func (p *toldPool) Names(ctx context.Context) ([]string, error) { return allNames(ctx, p.Pool) }

// Named implements pool.Namer.
func (p *toldPool) Named(ctx context.Context, name string) (bool, error) {
	return named(ctx, p.Pool, name)
}

func (p *toldPool) tell(before, after *pool.Volume) {
	p.events.add(Event{Volume: Change[pool.Volume]{copyVolume(before), copyVolume(after)}})
}

func copyVolume(v *pool.Volume) *pool.Volume {
	if v == nil {
		return nil
	}
	c := *v
	c.Labels = maps.Clone(v.Labels)
	return &c
}

// Walk implements pool.Walker.
func (p *toldPool) Walk(ctx context.Context, f func(pool.Volume) error) error {
	return walk(ctx, p.Pool, f)
}

// Count implements pool.Walker.
func (p *toldPool) Count(ctx context.Context) (int, error) { return count(ctx, p.Pool) }
