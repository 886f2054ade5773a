package replication

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"syscall"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

// CreateVolume makes a volume; an empty pool name means the default pool.
func (s *Service) CreateVolume(ctx context.Context, in string, spec pool.Spec) (pool.Volume, error) {
	v, err := s.createVolume(ctx, in, spec)
	return v, s.refused(err)
}

func (s *Service) createVolume(ctx context.Context, in string, spec pool.Spec) (pool.Volume, error) {
	p := s.pools[cmp.Or(in, s.cfg.Pools[0].Name())]
	if p == nil {
		return pool.Volume{}, Errorf(KindInvalid, "InPool", "there is no pool %q", in)
	}
	h := s.claims.hold()
	defer h.release()
	if !h.take(nameClaim(p.Name(), spec.Name)) {
		return pool.Volume{}, Errorf(KindInvalid, "ElementName", "the name %s is being taken by another request", spec.Name)
	}
	v, err := p.Create(ctx, spec)
	return v, s.failure(sizeParam("ElementName", err), err)
}

// sizeParam is the parameter at fault where a pool has refused to make or change a
// volume: Size where the filesystem has no files of that size, else other.
func sizeParam(other string, err error) string {
	if errors.Is(err, syscall.EFBIG) {
		return "Size"
	}
	return other
}

// UpdateVolume changes a volume's name, labels or size; see pool.Volumes. f may be
// called more than once. A smaller size is as with ResizeVolume without force, and
// cannot go with other changes.
func (s *Service) UpdateVolume(ctx context.Context, ref VolumeRef, f func(*pool.Volume) error) (pool.Volume, error) {
	v, err := s.updateVolume(ctx, ref, f)
	return v, s.refused(err)
}

func (s *Service) updateVolume(ctx context.Context, ref VolumeRef, f func(*pool.Volume) error) (pool.Volume, error) {
	h := s.claims.hold()
	defer h.release()
	now, err := s.claimVolume(ctx, ref, h)
	if err != nil {
		return pool.Volume{}, err
	}
	wanted := now
	wanted.Labels = maps.Clone(now.Labels)
	if err := f(&wanted); err != nil {
		return pool.Volume{}, s.failure("TheElement", err)
	}
	switch {
	case wanted.Size >= now.Size:
	case wanted.Name != now.Name || !maps.Equal(wanted.Labels, now.Labels):
		return pool.Volume{}, Errorf(KindInvalid, "Size", "volume %s cannot be made smaller and changed otherwise in one request", now.Name)
	default:
		return s.shrink(ctx, ref, now, wanted.Size, false)
	}
	v, err := s.pools[ref.Pool].Update(ctx, ref.ID, func(v *pool.Volume) error {
		old := *v
		if err := f(v); err != nil {
			return err
		}
		if err := checkRename(h, old, v); err != nil {
			return err
		}
		return s.checkGrowth(ref, old.Size, v)
	})
	if blockdev.Is(err, blockdev.KindExists) {
		return v, s.failure("ElementName", err)
	}
	return v, s.failure(sizeParam("TheElement", err), err)
}

// claimVolume finds a volume and keeps other requests from it.
func (s *Service) claimVolume(ctx context.Context, ref VolumeRef, h *hold) (pool.Volume, error) {
	v, err := s.lookUp(ctx, ref, "TheElement")
	if err != nil {
		return v, err
	}
	if !h.take(volumeClaim(ref)) {
		return v, Errorf(KindInUse, "TheElement", "volume %s is in use by another request", v.Name)
	}
	return v, nil
}

// checkRename claims the new name of a volume, or refuses it.
func checkRename(h *hold, old pool.Volume, v *pool.Volume) error {
	const param = "ElementName"
	switch {
	case v.Name == old.Name:
		return nil
	case pool.ValidName(v.Name) != nil:
		return Errorf(KindInvalid, param, "%.64q cannot be the name of a volume", v.Name)
	case !h.take(nameClaim(old.Pool, v.Name)):
		return Errorf(KindInvalid, param, "the name %s is being taken by another request", v.Name)
	}
	return nil
}

// DeleteVolume removes a volume that nobody uses: one in a relationship or a
// group, exposed or open is KindInUse.
func (s *Service) DeleteVolume(ctx context.Context, ref VolumeRef) error {
	return s.refused(s.removeVolume(ctx, ref))
}

func (s *Service) removeVolume(ctx context.Context, ref VolumeRef) error {
	const param = "TheElement"
	h := s.claims.hold()
	defer h.release()
	v, err := s.claimVolume(ctx, ref, h)
	if err != nil {
		return err
	}
	if err := s.checkIdle(ref, v.Name, param); err != nil {
		return err
	}
	if exposed, _ := s.exposed(ref); exposed {
		return Errorf(KindInUse, param, "volume %s is exposed to initiators", v.Name)
	}
	for _, g := range s.book.groupsOf(ref) {
		return Errorf(KindInUse, param, "volume %s is a member of group %s", v.Name, g.Name)
	}
	return s.failure(param, s.pools[ref.Pool].Delete(ctx, ref.ID))
}

// Volume describes one volume; KindInvalid if there is none.
func (s *Service) Volume(ctx context.Context, ref VolumeRef) (pool.Volume, error) {
	return s.lookUp(ctx, ref, "Volume")
}

// EachVolume calls f for the volumes of all pools in the order of their pools and
// names; see EachRelationship.
func (s *Service) EachVolume(ctx context.Context, f func(pool.Volume) error) error {
	for _, name := range slices.Sorted(maps.Keys(s.pools)) {
		var stop error
		err := walk(ctx, s.pools[name], func(v pool.Volume) error {
			if stop = ctx.Err(); stop == nil {
				stop = f(v)
			}
			return stop
		})
		if stop != nil {
			return stop
		}
		if err != nil {
			return s.failure("", err)
		}
	}
	return nil
}

// walk calls f for the volumes of one pool by name.
func walk(ctx context.Context, p pool.Pool, f func(pool.Volume) error) error {
	if w, ok := p.(pool.Walker); ok {
		return w.Walk(ctx, f)
	}
	list, err := p.List(ctx)
	for _, v := range list {
		if err == nil {
			err = f(v)
		}
	}
	return err
}

// CountVolumes says how many volumes there are in all pools.
func (s *Service) CountVolumes(ctx context.Context) (int, error) {
	all := 0
	for _, p := range s.cfg.Pools {
		n, err := count(ctx, p)
		if err != nil {
			return 0, s.failure("", err)
		}
		all += n
	}
	return all, nil
}

func count(ctx context.Context, p pool.Pool) (int, error) {
	if w, ok := p.(pool.Walker); ok {
		return w.Count(ctx)
	}
	list, err := p.List(ctx)
	return len(list), err
}

// openRaw opens a volume past its hooks.
func (s *Service) openRaw(ctx context.Context, ref VolumeRef) (blockdev.Device, error) {
	p := s.pools[ref.Pool]
	if p == nil {
		return nil, blockdev.Errorf(blockdev.KindNotFound, "open volume "+string(ref.ID), "there is no pool %q", ref.Pool)
	}
	return p.OpenRaw(ctx, ref.ID)
}
