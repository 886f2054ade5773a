package replication

import (
	"context"
	"errors"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
)

// ResizeVolume gives a volume another size in bytes. It can grow while it is in use,
// unless it is in a relationship that needs its size (KindInUse). It can be made
// smaller while it is in no relationship, not exposed and not open (KindInUse); where
// that would take data away it is KindInvalid, unless force is set.
func (s *Service) ResizeVolume(ctx context.Context, ref VolumeRef, size int64, force bool) (pool.Volume, error) {
	v, err := s.resizeVolume(ctx, ref, size, force)
	return v, s.refused(err)
}

func (s *Service) resizeVolume(ctx context.Context, ref VolumeRef, size int64, force bool) (pool.Volume, error) {
	h := s.claims.hold()
	defer h.release()
	now, err := s.claimVolume(ctx, ref, h)
	if err != nil {
		return pool.Volume{}, err
	}
	if size < now.Size {
		return s.shrink(ctx, ref, now, size, force)
	}
	v, err := s.pools[ref.Pool].Update(ctx, ref.ID, func(v *pool.Volume) error {
		old := v.Size
		v.Size = size
		return s.checkGrowth(ref, old, v)
	})
	return v, s.failure("Size", err)
}

// checkGrowth refuses a larger size of v, which had size bytes, while a relationship
// needs that: a mirror or a copy under way changes neither side, and what waits for
// its activation is as large as its source. A point in time that was taken does not
// care.
func (s *Service) checkGrowth(ref VolumeRef, size int64, v *pool.Volume) error {
	if v.Size == size {
		return nil
	}
	for _, r := range s.book.recordsOf(ref) {
		if r.Source != ref || r.Type == pairstate.Mirror || !holdsContent(r) {
			return Errorf(KindInUse, "Size", "volume %s is in %v %s; its size cannot change", v.Name, r.Type, r.Name)
		}
	}
	return nil
}

// shrink makes a volume, which is claimed, smaller.
func (s *Service) shrink(ctx context.Context, ref VolumeRef, now pool.Volume, size int64, force bool) (pool.Volume, error) {
	const param = "Size"
	for _, r := range s.book.recordsOf(ref) {
		return pool.Volume{}, Errorf(KindInUse, param, "volume %s is in %v %s; it cannot be made smaller", now.Name, r.Type, r.Name)
	}
	if exposed, _ := s.exposed(ref); exposed {
		return pool.Volume{}, Errorf(KindInUse, param, "volume %s is exposed to initiators; hide it before it is made smaller", now.Name)
	}
	in, err := resizerOf(s.pools[ref.Pool])
	if err != nil {
		return pool.Volume{}, s.failure(param, err)
	}
	v, err := in.Resize(ctx, ref.ID, size, force)
	if e, ok := errors.AsType[*blockdev.Error](err); ok && e.Kind == blockdev.KindInvalid && e.Err != nil {
		return v, Errorf(KindInvalid, param, "%s: %v", now.Name, e.Err) // it says where the data is
	}
	return v, s.failure(param, err)
}
