package job

import (
	"context"
	"errors"
	"time"

	"twinlun/replication/store"
)

// Throttle of how often the store hears of progress.
const (
	storeEvery  = time.Second
	storePoints = 5
)

// idleWait is how long Run sleeps when nothing is due.
const idleWait = time.Hour

// wake makes Run look around; it never blocks.
func (m *Manager) wake() {
	select {
	case m.poke <- struct{}{}:
	default:
	}
}

// Run stores progress and forgets jobs whose time is over, until ctx ends. One
// goroutine of the owner runs it.
func (m *Manager) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.poke:
		case <-timer.C:
		}
		timer.Reset(m.round(ctx))
	}
}

// round does what is due and says how long to sleep. What is still due after it
// has failed and is tried again after a while.
func (m *Manager) round(ctx context.Context) time.Duration {
	now := m.cfg.Time()
	err := errors.Join(m.expire(ctx, now), m.storeProgress(ctx, now))
	if err != nil && ctx.Err() == nil {
		m.cfg.Logger.Error("jobs were not brought up to date", "err", err)
	}
	if d := m.nextDue().Sub(now); d > 0 {
		return min(d, idleWait)
	}
	return storeEvery
}

// expire forgets the jobs whose time is over.
func (m *Manager) expire(ctx context.Context, now time.Time) error {
	due := m.expired(now)
	if len(due) == 0 {
		return nil
	}
	m.order.Lock()
	defer m.order.Unlock()
	var gone []Record
	err := m.cfg.Store.Update(ctx, func(tx store.Tx) error {
		for _, id := range due {
			r, err := load(tx, id)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			r.ID = id
			gone = append(gone, r)
			if err := tx.Delete(bucket, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		m.forget(gone...)
	}
	return err
}

// expired lists the jobs to forget.
func (m *Manager) expired(now time.Time) (due []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, at := range m.expiry {
		if !at.After(now) {
			due = append(due, id)
		}
	}
	return due
}

// due is when the store should hear of a run's progress; zero: it knows.
func (r *Run) dueLocked() time.Time {
	switch {
	case r.percent <= r.stored:
		return time.Time{}
	case r.percent >= r.stored+storePoints:
		return r.when
	}
	return r.when.Add(storeEvery)
}

// storeProgress stores the percentages that are due, all in one transaction.
func (m *Manager) storeProgress(ctx context.Context, now time.Time) error {
	due := m.progressed(now)
	if len(due) == 0 {
		return nil
	}
	m.order.Lock()
	defer m.order.Unlock()
	err := m.cfg.Store.Update(ctx, func(tx store.Tx) error {
		for run, percent := range due {
			_, err := update(tx, run.id, func(r *Record) { r.Percent = max(r.Percent, percent) })
			if err != nil && !errors.Is(err, ErrDone) && !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for run, percent := range due {
		if m.runs[run.id] != run { // it was left meanwhile, with what was stored before
			run.announceLocked(run.stored, percent)
		}
		run.stored, run.when = percent, now
	}
	return nil
}

// progressed lists the runs whose percentage is to be stored.
func (m *Manager) progressed(now time.Time) map[*Run]uint16 {
	m.mu.Lock()
	defer m.mu.Unlock()
	due := make(map[*Run]uint16)
	for _, run := range m.runs {
		if at := run.dueLocked(); !at.IsZero() && !at.After(now) {
			due[run] = run.percent
		}
	}
	return due
}

// nextDue is when something is due next; far away if nothing is.
func (m *Manager) nextDue() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := m.cfg.Time().Add(idleWait)
	for _, at := range m.expiry {
		if at.Before(next) {
			next = at
		}
	}
	for _, run := range m.runs {
		if at := run.dueLocked(); !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	return next
}
