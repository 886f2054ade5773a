package replication

import "context"

// checkTargets: given ones must exist, be large enough and idle.
func (s *Service) checkTargets(ctx context.Context, p *plan) error {
	if len(p.targets) == 0 {
		return nil
	}
	return p.each(func(m *member) error {
		m.into, m.to = true, p.targets[m.index]
		return s.checkTarget(ctx, p, m)
	})
}

func (s *Service) checkTarget(ctx context.Context, p *plan, m *member) error {
	param := at(p.targetParam, m.index)
	if err := p.checkTwice(m, param); err != nil {
		return err
	}
	v, err := s.lookUp(ctx, m.to, param)
	if err != nil {
		return err
	}
	if v.Size < m.size {
		return Errorf(KindInvalid, param, "volume %s has %d bytes, its source %s has %d", v.Name, v.Size, m.source.Name, m.size)
	}
	m.size, m.name = v.Size, v.Name
	if !p.hold.take(volumeClaim(m.to)) {
		return Errorf(KindInUse, param, "volume %s is in use by another request", v.Name)
	}
	return s.checkIdle(m.to, v.Name, param)
}

// checkTwice refuses a target that the request names in another role too.
func (p *plan) checkTwice(m *member, param string) error {
	for i, src := range p.sources {
		switch {
		case src == m.to && i == m.index:
			return Errorf(KindInvalid, param, "a volume cannot be its own replica")
		case src == m.to:
			return Errorf(KindInvalid, param, "is also source %d of the request", i)
		}
	}
	for i, other := range p.targets {
		if other == m.to && i != m.index {
			return Errorf(KindInvalid, param, "is also target %d of the request", i)
		}
	}
	return nil
}

// checkIdle refuses a volume whose content somebody relies on.
func (s *Service) checkIdle(ref VolumeRef, name, param string) error {
	for _, r := range s.book.recordsOf(ref) {
		role := "source"
		if r.Target == ref {
			role = "target"
		}
		return Errorf(KindInUse, param, "volume %s is the %s of %v %s", name, role, r.Type, r.Name)
	}
	if _, sessions := s.exposed(ref); sessions > 0 {
		return Errorf(KindInUse, param, "volume %s is in use by %d iSCSI sessions", name, sessions)
	}
	return nil
}

// exposed asks who may reach a volume.
func (s *Service) exposed(ref VolumeRef) (bool, int) {
	if s.cfg.Exposed == nil {
		return false, 0
	}
	return s.cfg.Exposed(ref)
}
