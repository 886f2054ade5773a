package replication

import (
	"bytes"
	"context"
	"slices"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

// RestoreSet is pool.Reverter's. Writes that are held in a hook do not keep it
// waiting, as in the pool of layers.
func (p *fakePool) RestoreSet(_ context.Context, set []pool.Restoration) (restored, kept []pool.Volume, err error) {
	if err := p.faulted("restore", p.name); err != nil {
		return nil, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range set {
		if p.vols[r.ID] == nil || p.vols[r.From] == nil {
			return nil, nil, blockdev.Errorf(blockdev.KindNotFound, "restore", "volume %s or %s", r.ID, r.From)
		}
	}
	kept = make([]pool.Volume, len(set))
	for i, r := range set {
		if r.Keep.Name == "" {
			continue
		}
		v, err := p.copyLocked(pool.Copy{Source: r.ID, Target: r.Keep})
		if err != nil {
			for _, k := range kept {
				delete(p.vols, k.ID)
			}
			return nil, nil, err
		}
		kept[i] = v.copy()
	}
	for _, r := range set {
		v := p.vols[r.ID]
		v.revision++
		copy(v.data, p.vols[r.From].data)
		restored = append(restored, v.copy())
	}
	return restored, kept, nil
}

// ResetSet is pool.Reverter's.
func (p *fakePool) ResetSet(_ context.Context, ids []pool.VolumeID) ([]pool.Volume, error) {
	if err := p.faulted("reset", p.name); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		if v := p.vols[id]; v == nil || v.point == nil {
			return nil, blockdev.Errorf(blockdev.KindInvalid, "reset", "volume %s is no snapshot", id)
		}
	}
	var all []pool.Volume
	for _, id := range ids {
		v := p.vols[id]
		v.revision++
		copy(v.data, v.point)
		all = append(all, v.copy())
	}
	return all, nil
}

// Revision is pool.Reverter's.
func (p *fakePool) Revision(_ context.Context, id pool.VolumeID) (uint64, error) {
	v, err := p.find("revision", id)
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return v.revision, nil
}

// Resize is pool.Resizer's.
func (p *fakePool) Resize(_ context.Context, id pool.VolumeID, size int64, force bool) (pool.Volume, error) {
	v, err := p.find("resize", id)
	if err != nil {
		return pool.Volume{}, err
	}
	v.io.RLock()
	defer v.io.RUnlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.handles > 0 || len(v.hooks) > 0 {
		return pool.Volume{}, blockdev.Errorf(blockdev.KindBusy, "resize", "%d handles, %d hooks", v.handles, len(v.hooks))
	}
	tail := bytes.TrimLeft(v.data[size:], "\x00")
	if len(tail) > 0 && !force {
		return pool.Volume{}, blockdev.Errorf(blockdev.KindInvalid, "resize", "data at %d", len(v.data)-len(tail))
	}
	v.data = slices.Clone(v.data[:size])
	v.desc.Size = size
	return v.copy(), nil
}
