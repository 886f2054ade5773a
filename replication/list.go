package replication

import "context"

// CreateList makes a replica of each source: CreateListReplica, and with one
// source CreateElementReplica. Either all of them are made or none, unless
// Settings.ContinueOnError. Failures are *Error, and then nothing was changed.
func (s *Service) CreateList(ctx context.Context, r ListRequest) (Result, error) {
	res, err := s.createList(ctx, r)
	return res, s.refused(err)
}

func (s *Service) createList(ctx context.Context, r ListRequest) (Result, error) {
	h := s.claims.hold()
	defer h.release()
	p, err := s.check(ctx, r.wish(), h)
	if err != nil {
		return Result{}, err
	}
	return s.create(ctx, p)
}

// result is what a plan made.
func (m *making) result() Result {
	r := Result{Failed: m.p.failed}
	for _, mem := range m.p.members {
		r.Targets = append(r.Targets, mem.to)
		r.Relationships = append(r.Relationships, mem.id)
	}
	if g := m.p.group; g != nil {
		r.GroupRelationship, r.SourceGroup, r.TargetGroup = g.id, g.source.ID, g.target.ID
	}
	return r
}
