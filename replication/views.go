package replication

import (
	"context"

	"twinlun/blockdev/pool"
	"twinlun/replication/job"
)

// Relationship is one relationship; KindInvalid if there is none.
func (s *Service) Relationship(_ context.Context, id string) (Relationship, error) {
	r, ok := s.book.record(id)
	if !ok {
		return Relationship{}, gone(id)
	}
	return r.Relationship, nil
}

// Relationships lists all relationships by ID.
func (s *Service) Relationships(context.Context) ([]Relationship, error) {
	return relationships(s.book.records()), nil
}

// EachRelationship calls f for the relationships that there are when it is called,
// in the order of their IDs, each as it is when its turn comes; those that are gone
// by then are left out. f may take its time and may call the Service. Its first
// error ends the list and comes back, and so does that of ctx.
func (s *Service) EachRelationship(ctx context.Context, f func(Relationship) error) error {
	shown := func(id string) (Relationship, bool) {
		r, ok := s.book.record(id)
		return r.Relationship, ok
	}
	return each(ctx, inOrder(s.book, &s.book.pairs), shown, f)
}

// each calls f for what get finds of the ids.
func each[T any](ctx context.Context, ids []string, get func(id string) (T, bool), f func(T) error) error {
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		v, ok := get(id)
		if !ok {
			continue
		}
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

// RelationshipsOf lists those that have v as source or target, by ID.
func (s *Service) RelationshipsOf(_ context.Context, v VolumeRef) ([]Relationship, error) {
	return relationships(s.book.recordsOf(v)), nil
}

func relationships(recs []pairRecord) []Relationship {
	l := make([]Relationship, len(recs))
	for i, r := range recs {
		l[i] = r.Relationship
	}
	return l
}

// GroupRelationship is one group relationship; KindInvalid if there is none.
func (s *Service) GroupRelationship(_ context.Context, id string) (GroupRelationship, error) {
	t, ok := s.book.shownTie(id)
	if !ok {
		return t, gone(id)
	}
	return t, nil
}

// EachGroupRelationship calls f for the group relationships in the order of their
// IDs; see EachRelationship.
func (s *Service) EachGroupRelationship(ctx context.Context, f func(GroupRelationship) error) error {
	return each(ctx, inOrder(s.book, &s.book.ties), s.book.shownTie, f)
}

// GroupRelationshipsOf lists those that have a group as source or target, by ID.
func (s *Service) GroupRelationshipsOf(ctx context.Context, group string) (l []GroupRelationship, err error) {
	err = each(ctx, s.book.tiesOf(group), s.book.shownTie, func(t GroupRelationship) error {
		l = append(l, t)
		return nil
	})
	return l, err
}

// Pools describes the pools, the default one first.
func (s *Service) Pools(ctx context.Context) ([]pool.Info, error) {
	l := make([]pool.Info, 0, len(s.cfg.Pools))
	for _, p := range s.cfg.Pools {
		i, err := p.Info(ctx)
		if err != nil {
			return nil, s.failure("", err)
		}
		l = append(l, i)
	}
	return l, nil
}

// Job is one job as it is now; job.ErrNotFound if there is none.
func (s *Service) Job(ctx context.Context, id string) (job.Record, error) { return s.jobs.Get(ctx, id) }

// EachJob calls f for the jobs in the order of their making; see EachRelationship.
func (s *Service) EachJob(ctx context.Context, f func(job.Record) error) error {
	return s.jobs.Each(ctx, f)
}

// JobsOf lists the jobs that affect an element, in the order of their making.
func (s *Service) JobsOf(ctx context.Context, e job.Element) ([]job.Record, error) {
	return s.jobs.Affecting(ctx, e)
}

// CountJobs says how many jobs there are.
func (s *Service) CountJobs(ctx context.Context) (int, error) { return s.jobs.Count(ctx) }

// CancelJob asks a job to stop and undo what it had begun; it does not wait. A
// job that makes relationships takes them apart and deletes the new targets,
// except those that somebody uses already. A job of Activate leaves its pairs
// Broken. job.ErrDone: the job has ended.
func (s *Service) CancelJob(ctx context.Context, id string) error { return s.jobs.Cancel(ctx, id) }

// DeleteJob forgets a job that is done; job.ErrRunning: it is not.
func (s *Service) DeleteJob(ctx context.Context, id string) error { return s.jobs.Delete(ctx, id) }
