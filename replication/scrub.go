package replication

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"twinlun/blockdev/pool"
	"twinlun/replication/job"
	"twinlun/replication/store"
)

// scrubs are the scrubs of pools that are under way. The store has them by the name of
// the pool.
type scrubs struct {
	mu   sync.Mutex        // held while one begins or ends, in the store too
	jobs map[string]string // IDs by pool
}

// scrubRecord is a scrub that has not ended, as it is stored.
type scrubRecord struct {
	Job  string
	Rate int64 // bytes a second; 0: no limit
}

// ScrubPool begins to compare what snapshots and clones share in a pool with its
// checksums, at rate bytes a second at most (0: no limit), and returns the ID of the
// job that does it. The job fails where something is damaged, and says how much of
// which volumes. After a restart it begins again. KindInUse: the pool is being
// scrubbed; KindNotSupported: it has no checksums.
func (s *Service) ScrubPool(ctx context.Context, name string, rate int64) (jobID string, err error) {
	jobID, err = s.scrubPool(ctx, name, max(0, rate))
	return jobID, s.refused(err)
}

func (s *Service) scrubPool(ctx context.Context, name string, rate int64) (string, error) {
	p, err := s.scrubber(name)
	if err != nil {
		return "", err
	}
	s.scrubs.mu.Lock()
	defer s.scrubs.mu.Unlock()
	if running := s.scrubs.jobs[name]; running != "" {
		return "", Errorf(KindInUse, "", "pool %s is being scrubbed already by job %s", name, running)
	}
	if err := s.endLostScrubLocked(ctx, name); err != nil {
		return "", s.failure("", err)
	}
	var j job.Record
	err = s.cfg.Store.Update(ctx, func(tx store.Tx) (err error) {
		j, err = s.jobs.Create(tx, job.Spec{
			Name: "Scrub pool " + name, Owner: ownerOf(ctx), Affected: []job.Element{{Kind: job.Pool, ID: name}},
		})
		if err != nil {
			return err
		}
		return put(tx, bucketScrubs, name, scrubRecord{Job: j.ID, Rate: rate})
	})
	s.jobs.Created(ctx, j.ID)
	if err != nil {
		return "", s.failure("", err)
	}
	run, err := s.jobs.Start(s.ctx, j.ID)
	if err != nil {
		_ = s.jobs.EndWith(context.WithoutCancel(ctx), j.ID, uint32(KindFailed), err, forgetScrub(name)) // else the next start does
		return "", s.failure("", err)
	}
	s.beginScrubLocked(run, p, rate)
	return j.ID, nil
}

// scrubber is a pool that can be scrubbed.
type scrubber interface {
	pool.Pool
	pool.Scrubber
}

func (s *Service) scrubber(name string) (scrubber, error) {
	for _, p := range s.cfg.Pools {
		if p.Name() != name {
			continue
		}
		if sc, ok := p.(scrubber); ok {
			return sc, nil
		}
		return nil, Errorf(KindNotSupported, "", "pool %s has no checksums", name)
	}
	return nil, Errorf(KindInvalid, "", "there is no pool %q", name)
}

func (s *Service) beginScrubLocked(run *job.Run, p scrubber, rate int64) {
	s.scrubs.jobs[p.Name()] = run.ID()
	s.wg.Go(func() { s.scrub(run, p, rate) })
}

// scrub is the goroutine of one scrub. What the end of the Service interrupts stays
// stored.
func (s *Service) scrub(run *job.Run, p scrubber, rate int64) {
	defer run.Leave()
	found, err := p.Scrub(run.Context(), pool.ScrubOptions{Rate: rate, Progress: func(done, total int64) {
		if total > 0 {
			run.Progress(int(float64(done) / float64(total) * 100))
		}
	}})
	if s.ctx.Err() != nil {
		return
	}
	cause := s.judge(p, found)
	switch {
	case err != nil && errors.Is(context.Cause(run.Context()), job.ErrCanceled):
		cause = job.ErrCanceled
	case err != nil:
		s.log.Error("a pool could not be scrubbed", "pool", p.Name(), "job", run.ID(), "err", err)
		cause = errors.New(reasonOf(err))
	case cause == nil:
		s.log.Info("a pool was scrubbed", "pool", p.Name(), "found", scrubSummary(found))
	}
	run.Report(scrubSummary(found))
	s.endScrub(run, p.Name(), cause)
}

// endScrub ends the job and forgets the scrub.
func (s *Service) endScrub(run *job.Run, name string, cause error) {
	s.scrubs.mu.Lock()
	defer s.scrubs.mu.Unlock()
	delete(s.scrubs.jobs, name)
	code := KindFailed
	if errors.Is(cause, job.ErrCanceled) {
		code = 0
	}
	err := run.FinishWith(context.WithoutCancel(s.ctx), uint32(code), cause, forgetScrub(name))
	if err != nil {
		s.log.Error("a job could not be ended; it goes on with the next start", "job", run.ID(), "err", err)
	}
}

// endLostScrubLocked ends the job of a scrub that is over, and whose end could not be
// stored.
func (s *Service) endLostScrubLocked(ctx context.Context, name string) error {
	open, err := s.storedScrubs(ctx)
	r, lost := open[name]
	if err != nil || !lost {
		return err
	}
	err = s.jobs.EndWith(ctx, r.Job, uint32(KindFailed), errLostJob, forgetScrub(name))
	if errors.Is(err, job.ErrNotFound) || errors.Is(err, job.ErrDone) {
		return s.cfg.Store.Update(ctx, forgetScrub(name))
	}
	return err
}

// storedScrubs are the scrubs that have not ended, by the names of their pools.
func (s *Service) storedScrubs(ctx context.Context) (map[string]scrubRecord, error) {
	open := map[string]scrubRecord{}
	err := s.cfg.Store.View(ctx, func(tx store.Tx) error {
		return scan(tx, bucketScrubs, func(name string, r scrubRecord) { open[name] = r })
	})
	return open, err
}

// forgetScrub takes a scrub out of the store.
func forgetScrub(name string) func(store.Tx) error {
	return func(tx store.Tx) error { return tx.Delete(bucketScrubs, name) }
}

// resumeScrubs begins the scrubs again that the end of the daemon interrupted.
func (s *Service) resumeScrubs(ctx context.Context) error {
	open, err := s.storedScrubs(ctx)
	if err != nil {
		return fmt.Errorf("read the scrubs: %w", err)
	}
	s.scrubs.mu.Lock()
	defer s.scrubs.mu.Unlock()
	for name, r := range open {
		if err := s.resumeScrubLocked(ctx, name, r); err != nil {
			return fmt.Errorf("go on with the scrub of pool %s: %w", name, err)
		}
	}
	return nil
}

func (s *Service) resumeScrubLocked(ctx context.Context, name string, r scrubRecord) error {
	p, err := s.scrubber(name)
	if err != nil { // the pool was taken out of the configuration
		err = s.jobs.EndWith(ctx, r.Job, uint32(KindFailed), err, forgetScrub(name))
	} else {
		var run *job.Run
		if run, err = s.jobs.Start(s.ctx, r.Job); err == nil {
			s.beginScrubLocked(run, p, r.Rate)
		}
	}
	if errors.Is(err, job.ErrNotFound) || errors.Is(err, job.ErrDone) {
		return s.cfg.Store.Update(ctx, forgetScrub(name))
	}
	return err
}
