package job

import (
	"context"
	"errors"
	"time"

	"twinlun/replication/store"
)

// Run is a job under way, in the hands of the one that does the work. All methods
// may be called at the same time.
type Run struct {
	m      *Manager
	id     string
	ctx    context.Context
	cancel context.CancelCauseFunc

	// Guarded by the Manager's lock.
	record  Record // as it was told of last, but for the percentage; only with Config.Events
	percent uint16 // as it is
	stored  uint16 // as the store has it
	when    time.Time
	result  string // what Report said
}

// Start makes a job Running and gives it to the caller, who must end it with
// Finish or, if the daemon stops, let go of it with Leave. ErrRunning: another
// has it; ErrDone: it has ended. A job that was canceled meanwhile starts with a
// canceled context.
func (m *Manager) Start(ctx context.Context, id string) (*Run, error) {
	run := &Run{m: m, id: id}
	run.ctx, run.cancel = context.WithCancelCause(ctx)
	if !m.claim(run) {
		run.cancel(ErrRunning)
		return nil, ErrRunning
	}
	rec, err := m.change(ctx, id, func(r *Record) {
		now := m.cfg.Time()
		if r.Started.IsZero() {
			r.Started = now
		}
		if r.State != Running {
			r.State, r.Changed = Running, now
		}
	})
	if err != nil {
		run.Leave()
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	run.percent, run.stored, run.when = max(run.percent, rec.Percent), rec.Percent, m.cfg.Time()
	if rec.Canceling {
		run.cancel(ErrCanceled)
	}
	return run, nil
}

// claim enters a run unless the job has one.
func (m *Manager) claim(run *Run) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.runs[run.id]; taken {
		return false
	}
	m.runs[run.id] = run
	return true
}

// change applies f to a job that is not done, in a transaction of its own.
func (m *Manager) change(ctx context.Context, id string, f func(*Record)) (Record, error) {
	m.order.Lock()
	defer m.order.Unlock()
	var e edit
	err := m.cfg.Store.Update(ctx, func(tx store.Tx) (err error) {
		e, err = update(tx, id, f)
		return err
	})
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.announceLocked(e)
		m.tellLocked()
	}
	return e.after, err
}

// update applies f to a job that is not done.
func update(tx store.Tx, id string, f func(*Record)) (edit, error) {
	r, err := load(tx, id)
	if err != nil {
		return edit{}, err
	}
	if r.State.Done() {
		return edit{}, ErrDone
	}
	e := edit{r, r}
	f(&e.after)
	return e, put(tx, e.after)
}

// Cancel asks a job to stop; the wish outlives a restart. It does not wait.
// ErrDone: the job has ended.
func (m *Manager) Cancel(ctx context.Context, id string) error {
	if _, err := m.change(ctx, id, func(r *Record) { r.Canceling = true }); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if run, ok := m.runs[id]; ok {
		run.cancel(ErrCanceled)
	}
	return nil
}

// ID is the job's.
func (r *Run) ID() string { return r.id }

// Context is that of Start, and ends when the job is canceled (context.Cause is
// ErrCanceled), finished or left.
func (r *Run) Context() context.Context { return r.ctx }

// Progress says how far the job is: 0 to 99. Less than before is ignored. It
// does not wait for the store, which hears of it at most once a second or every
// five points.
func (r *Run) Progress(percent int) {
	p := uint16(min(max(percent, 0), 99))
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if p <= r.percent || r.m.runs[r.id] != r {
		return
	}
	r.announceLocked(r.percent, p)
	r.percent = p
	r.m.tellLocked()
	r.m.wake()
}

// Report says what the work has found out, for people. Finish stores it with the end.
func (r *Run) Report(result string) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.result = result
}

func (r *Run) reported() string {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.result
}

// Finish ends the job in a transaction of its own, as EndWith says. The Run is over, also
// when storing it failed; then the job is Resumable.
func (r *Run) Finish(ctx context.Context, code uint32, cause error) error {
	return r.FinishWith(ctx, code, cause, func(store.Tx) error { return nil })
}

// FinishWith is Finish whose transaction also does what fn does.
func (r *Run) FinishWith(ctx context.Context, code uint32, cause error, fn func(store.Tx) error) error {
	defer r.Leave()
	return r.m.end(ctx, r.id, code, cause, r.reported(), fn)
}

// Leave lets go of a job that has not ended, so that it is Resumable; after
// Finish it does nothing.
func (r *Run) Leave() {
	r.cancel(context.Canceled)
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if r.m.runs[r.id] == r {
		delete(r.m.runs, r.id)
		r.announceLocked(r.percent, r.stored)
		r.m.tellLocked()
	}
}

// End is EndWith and nothing else.
func (m *Manager) End(ctx context.Context, id string, code uint32, cause error) error {
	return m.EndWith(ctx, id, code, cause, func(store.Tx) error { return nil })
}

// EndWith ends a job that nobody runs, or a Run by FinishWith, together with what
// fn does, all or nothing. A nil cause is Completed; one that wraps ErrCanceled
// Terminated; every other Exception, with its text and the code that the method
// would have returned (2 if none is given). Percent is 100 in each case.
func (m *Manager) EndWith(ctx context.Context, id string, code uint32, cause error, fn func(store.Tx) error) error {
	return m.end(ctx, id, code, cause, "", fn)
}

func (m *Manager) end(ctx context.Context, id string, code uint32, cause error, result string, fn func(store.Tx) error) error {
	m.order.Lock()
	defer m.order.Unlock()
	var e edit
	err := m.cfg.Store.Update(ctx, func(tx store.Tx) (err error) {
		if err = fn(tx); err != nil {
			return err
		}
		e, err = update(tx, id, func(r *Record) {
			r.end(m.cfg.Time(), code, cause)
			r.Result = result
		})
		return err
	})
	if err != nil {
		return err
	}
	m.ended(e)
	return nil
}

// end makes a record final.
func (r *Record) end(now time.Time, code uint32, cause error) {
	r.State, r.Percent, r.Changed, r.Ended, r.Canceling = Completed, 100, now, now, false
	if cause == nil {
		return
	}
	r.State, r.Error, r.ErrorCode = Exception, cause.Error(), code
	if errors.Is(cause, ErrCanceled) {
		r.State = Terminated
	}
	if r.ErrorCode == 0 {
		r.ErrorCode = unknownError
	}
}

// unknownError is the return code 'Unknown or Unspecified Error' of
// CIM_ReplicationService.
const unknownError = 2

// ended remembers when to forget a job and tells those who wait.
func (m *Manager) ended(e edit) {
	m.metrics.ended(e.after.State)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expiry[e.after.ID] = e.after.expires()
	m.announceLocked(e)
	m.tellLocked()
	m.wake()
}
