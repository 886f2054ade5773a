package replication

import (
	"context"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
)

// plan is a checked wish: what will be made. Everything that it names is claimed.
type plan struct {
	wish
	hold    *hold
	members []*member
	failed  []error  // of members left out, with ContinueOnError
	group   *tiePlan // nil for a list
}

// member is one pair of a plan.
type member struct {
	index  int    // in the request
	id     string // of the relationship
	source pool.Volume
	from   VolumeRef
	to     VolumeRef
	into   bool   // to exists already
	name   string // of the target
	madeUp bool   // the name, without a prefix
	size   int64  // of the target
}

// check makes a plan of a wish, or refuses it. What the plan needs is claimed
// with h, which the caller must release.
func (s *Service) check(ctx context.Context, w wish, h *hold) (*plan, error) {
	if err := w.check(s.cfg.MaxElements); err != nil {
		return nil, err
	}
	p := &plan{wish: w, hold: h}
	return p, s.fill(ctx, p)
}

// fill checks the parts of the plan that need a look at volumes, in an order in
// which each may rely on those before it.
func (s *Service) fill(ctx context.Context, p *plan) error {
	for i, ref := range p.sources {
		p.members = append(p.members, &member{index: i, from: ref})
	}
	for _, step := range []func(context.Context, *plan) error{
		s.checkSources, s.checkTargets, s.checkPools, s.checkInstant, s.checkNames, s.checkRoom, s.assignIDs,
	} {
		if err := step(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// each runs f on all members. The first failure refuses the plan, or with
// ContinueOnError leaves the member out, as long as one remains.
func (p *plan) each(f func(*member) error) error {
	kept := make([]*member, 0, len(p.members))
	var first error
	for _, m := range p.members {
		err := f(m)
		if err == nil {
			kept = append(kept, m)
			continue
		}
		if !p.settings.ContinueOnError {
			return err
		}
		p.failed = append(p.failed, err)
		if first == nil {
			first = err
		}
	}
	if p.members = kept; len(kept) == 0 {
		return first
	}
	return nil
}

// checkSources: each must be a volume of ours that holds something to copy.
func (s *Service) checkSources(ctx context.Context, p *plan) error {
	return p.each(func(m *member) error {
		param := at(p.sourceParam, m.index)
		v, err := s.lookUp(ctx, m.from, param)
		if err != nil {
			return err
		}
		if !p.hold.share(volumeClaim(m.from)) {
			return Errorf(KindInUse, param, "volume %s is being deleted or made a target by another request", v.Name)
		}
		m.source, m.size = v, v.Size
		return s.checkSourceState(p.typ, m.from, v.Name, param)
	})
}

// checkSourceState refuses a source that is itself a target whose content is not
// what it will be.
func (s *Service) checkSourceState(t pairstate.SyncType, ref VolumeRef, name, param string) error {
	r, ok := s.book.recordTo(ref)
	switch {
	case !ok:
		return nil
	case r.Type == pairstate.Mirror && t == pairstate.Mirror:
		return Errorf(KindNotSupported, param, "volume %s is the target of mirror %s, and a mirror of a mirror is not supported", name, r.Name)
	case !holdsContent(r):
		return Errorf(KindInUse, param, "volume %s is the target of %v %s, which is %v", name, r.Type, r.Name, r.State)
	}
	return nil
}

// holdsContent says whether a relationship's target holds a whole point in time
// and nothing works on it.
func holdsContent(r pairRecord) bool {
	c := r.State.Copy
	return r.State.Idle() && (c == pairstate.Synchronized || c == pairstate.Skewed || c == pairstate.Restored)
}

// lookUp finds a volume that a parameter names.
func (s *Service) lookUp(ctx context.Context, ref VolumeRef, param string) (pool.Volume, error) {
	p := s.pools[ref.Pool]
	if p == nil {
		return pool.Volume{}, Errorf(KindInvalid, param, "there is no pool %q", ref.Pool)
	}
	v, err := p.Get(ctx, ref.ID)
	if blockdev.Is(err, blockdev.KindNotFound) {
		return pool.Volume{}, Errorf(KindInvalid, param, "there is no volume %s in pool %s", ref.ID, ref.Pool)
	}
	return v, s.failure(param, err)
}

// checkPools decides where new targets go.
func (s *Service) checkPools(_ context.Context, p *plan) error {
	if p.pool != "" && s.pools[p.pool] == nil {
		return Errorf(KindInvalid, "TargetPool", "there is no pool %q", p.pool)
	}
	return p.each(func(m *member) error {
		if !m.into {
			m.to.Pool = m.from.Pool
			if p.pool != "" {
				m.to.Pool = p.pool
			}
		}
		if p.typ == pairstate.Mirror || m.to.Pool == m.from.Pool {
			return nil
		}
		param := "TargetPool"
		if m.into {
			param = at(p.targetParam, m.index)
		}
		return Errorf(KindNotSupported, param, "a %v must be in its source's pool %s; a mirror may be in another", p.typ, m.from.Pool)
	})
}

// checkInstant refuses one instant over several pools: each pool can stop the
// writes of its own volumes only.
func (s *Service) checkInstant(_ context.Context, p *plan) error {
	if !p.consistent() || p.typ == pairstate.Mirror {
		return nil
	}
	for _, m := range p.members {
		if m.from.Pool != p.members[0].from.Pool {
			return Errorf(KindNotSupported, "Consistency", "the sources are in the pools %s and %s; one point in time is possible within one pool only",
				p.members[0].from.Pool, m.from.Pool)
		}
	}
	return nil
}

// checkRoom compares what will be copied with what is free. It is an estimate:
// sources may grow, and space may be shared. Running out later fails the copy.
func (s *Service) checkRoom(ctx context.Context, p *plan) error {
	need := map[string]int64{}
	for _, m := range p.members {
		if !m.into && p.typ != pairstate.Snapshot {
			need[m.to.Pool] += m.source.Allocated
		}
	}
	for name, bytes := range need {
		info, err := s.pools[name].Info(ctx)
		if err != nil {
			return s.failure("TargetPool", err)
		}
		if bytes > info.Free {
			return Errorf(KindFailed, "TargetPool", "pool %s has %d bytes free, the copies need %d", name, info.Free, bytes)
		}
	}
	return nil
}

// assignIDs names everything that will be made.
func (s *Service) assignIDs(_ context.Context, p *plan) error {
	for _, m := range p.members {
		var err error
		if m.id, err = s.newID(); err != nil {
			return s.failure("", err)
		}
		if m.into {
			continue
		}
		if m.to.ID, err = s.newVolumeID(); err != nil {
			return s.failure("", err)
		}
	}
	return nil
}
