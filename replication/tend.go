package replication

import (
	"context"
	"errors"
	"fmt"
	"time"

	"twinlun/replication/job"
	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// tender follows one request that has a job: it moves the percentage, and ends
// the job when all pairs have come to rest, or undoes the request.
type tender struct {
	poked chan struct{} // a pair has changed; holds at most one
	done  chan struct{} // closed when the job has ended or was left
	err   error         // why the request failed; valid after done
}

// tend begins to follow a request.
func (s *Service) tend(id string) *tender {
	t := &tender{poked: make(chan struct{}, 1), done: make(chan struct{})}
	s.tendersMu.Lock()
	defer s.tendersMu.Unlock()
	s.tenders[id] = t
	s.wg.Go(func() {
		defer s.untend(id, t)
		t.err = s.follow(id, t)
	})
	return t
}

func (s *Service) untend(id string, t *tender) {
	s.tendersMu.Lock()
	defer s.tendersMu.Unlock()
	delete(s.tenders, id)
	close(t.done)
}

// poke makes the tender of a request look at its pairs again. No request: none.
func (s *Service) poke(request string) {
	s.tendersMu.Lock()
	t := s.tenders[request]
	s.tendersMu.Unlock()
	if t == nil {
		return
	}
	select {
	case t.poked <- struct{}{}:
	default:
	}
}

// errStopping: the Service closes; the request goes on with the next Start.
var errStopping = errors.New("the service is stopping")

// follow is the tender's goroutine. Its error is why the request failed.
func (s *Service) follow(id string, t *tender) error {
	req, ok := s.book.request(id)
	if !ok {
		return nil
	}
	run, err := s.jobs.Start(s.ctx, req.Job)
	if err != nil {
		s.log.Error("a job cannot be started", "job", req.Job, "err", err)
		return errStopping
	}
	defer run.Leave()
	if req.Stage == stageUndoing {
		return s.undo(run, req)
	}
	for run.Context().Err() == nil {
		v := s.survey(req)
		run.Progress(v.percent)
		if v.over {
			return s.conclude(run, req, v)
		}
		select {
		case <-t.poked:
		case <-run.Context().Done():
		}
	}
	if s.ctx.Err() != nil {
		return errStopping
	}
	return s.cancelRequest(run, req)
}

// view is how far a request is.
type view struct {
	percent int
	over    bool     // nothing more will happen by itself
	broken  []string // why pairs failed
	whole   int      // pairs that succeeded
}

// survey looks at the pairs of a request. One that was taken apart meanwhile
// counts as done. Without ContinueOnError the first failure is the end.
func (s *Service) survey(req request) view {
	recs := s.book.recordsBy(req.Pairs)
	v := view{whole: len(req.Pairs) - len(recs)}
	sum := 100 * v.whole
	for _, r := range recs {
		switch {
		case r.State.Copy == pairstate.Broken:
			v.broken = append(v.broken, fmt.Sprintf("%v %s: %s", r.Type, r.Name, r.Reason))
			sum += 100
		case holdsContent(r):
			v.whole++
			sum += 100
		default:
			sum += int(r.Percent)
		}
	}
	v.percent = sum / max(len(req.Pairs), 1)
	v.over = v.whole+len(v.broken) == len(req.Pairs) || len(v.broken) > 0 && !req.Keep
	return v
}

// conclude ends a request of which nothing more is to be expected.
func (s *Service) conclude(run *job.Run, req request, v view) error {
	if len(v.broken) == 0 {
		return s.finish(run, req, 0, nil)
	}
	cause := fmt.Errorf("%d of %d copies failed: %s", len(v.broken), len(req.Pairs), v.broken[0])
	if req.Undo && !req.Keep && s.untouched(req) {
		return s.beginUndo(run, req, KindFailed, cause.Error())
	}
	return s.finish(run, req, KindFailed, cause)
}

// finish ends the job and forgets the request, in one transaction.
func (s *Service) finish(run *job.Run, req request, code Kind, cause error) error {
	ctx := context.WithoutCancel(s.ctx)
	err := run.FinishWith(ctx, uint32(code), cause, func(tx store.Tx) error {
		return tx.Delete(bucketRequests, req.ID)
	})
	if err != nil {
		s.log.Error("a job could not be ended; it goes on with the next start", "job", req.Job, "err", err)
		return errStopping
	}
	s.book.change(func() { delete(s.book.requests, req.ID) })
	return cause
}

// await waits as long as the caller wants and as a method may, and completes the
// result. Without a tender there is nothing to wait for.
func (s *Service) await(ctx context.Context, res Result, t *tender, jobID string, w Wait) (Result, error) {
	if t == nil {
		return res, nil
	}
	if w.State == pairstate.Synchronized {
		t.wait(ctx, w.bound())
	}
	select {
	case <-t.done:
		return s.answer(context.WithoutCancel(ctx), res, jobID, t.err)
	default:
		res.Job = jobID
		return res, nil
	}
}

// bound is how long to wait.
func (w Wait) bound() time.Duration {
	if w.For == 0 {
		return MaxWait
	}
	return min(w.For, MaxWait)
}

// wait returns when the tender is done, the time is over or ctx ends.
func (t *tender) wait(ctx context.Context, bound time.Duration) {
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case <-t.done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// answer is the result of a method whose job ended before it returned: the job
// is forgotten, nobody knows of it.
func (s *Service) answer(ctx context.Context, res Result, id string, failed error) (Result, error) {
	if errors.Is(failed, errStopping) {
		res.Job = id
		return res, nil
	}
	if err := s.jobs.Delete(ctx, id); err != nil {
		s.log.Warn("a job that nobody needs was not removed", "job", id, "err", err)
		res.Job = id
	}
	if failed != nil {
		return Result{}, Errorf(KindFailed, "", "%v", failed)
	}
	return res, nil
}
