package job

import (
	"context"
	"errors"
	"slices"

	"twinlun/replication/store"
)

// edit is a record before and after a transaction.
type edit struct{ before, after Record }

// freshLocked notes a job whose transaction is not through, so that nobody can hear
// of its end before its beginning.
func (m *Manager) freshLocked(id string) {
	if m.cfg.Events != nil {
		m.fresh[id] = true
	}
}

// Created must be called when the transaction of a Create has ended, however it
// did: if the job is there, Events is told. An empty id does nothing.
func (m *Manager) Created(ctx context.Context, id string) {
	m.order.Lock()
	defer m.order.Unlock()
	m.mu.Lock()
	waiting := m.fresh[id]
	m.mu.Unlock()
	if !waiting {
		return
	}
	var r Record
	err := m.cfg.Store.View(context.WithoutCancel(ctx), func(tx store.Tx) (err error) {
		r, err = load(tx, id)
		return err
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err == nil:
		m.announceFreshLocked(r)
	case errors.Is(err, ErrNotFound):
		delete(m.fresh, id)
	}
}

func (m *Manager) announceFreshLocked(r Record) {
	if m.fresh[r.ID] {
		delete(m.fresh, r.ID)
		m.cfg.Events(nil, copyOf(m.liveLocked(r)))
	}
}

// announceLocked tells of a change that is stored.
func (m *Manager) announceLocked(e edit) {
	if m.cfg.Events == nil {
		return
	}
	m.announceFreshLocked(e.before)
	before, after := m.liveLocked(e.before), m.liveLocked(e.after)
	if run := m.runs[e.after.ID]; run != nil {
		run.record = e.after
	}
	if !same(before, after) {
		m.cfg.Events(copyOf(before), copyOf(after))
	}
}

// announceGoneLocked tells of jobs that the store has no more.
func (m *Manager) announceGoneLocked(deleted []Record) {
	for _, r := range deleted {
		if m.cfg.Events != nil && !r.Created.IsZero() {
			m.announceFreshLocked(r)
			m.cfg.Events(copyOf(r), nil)
		}
	}
}

// announceLocked tells that the percentage of a run is not what it was.
func (r *Run) announceLocked(before, after uint16) {
	if r.m.cfg.Events == nil || r.record.ID == "" || r.record.State.Done() || before == after {
		return
	}
	old, now := copyOf(r.record), copyOf(r.record)
	old.Percent, now.Percent = max(old.Percent, before), max(now.Percent, after)
	if old.Percent != now.Percent {
		r.m.cfg.Events(old, now)
	}
}

func copyOf(r Record) *Record {
	r.Affected = slices.Clone(r.Affected)
	return &r
}

// same says whether nothing differs that can change in the life of a job.
func same(a, b Record) bool {
	return a.State == b.State && a.Percent == b.Percent && a.Canceling == b.Canceling &&
		a.Started.Equal(b.Started) && a.Changed.Equal(b.Changed) && a.Ended.Equal(b.Ended) &&
		a.ErrorCode == b.ErrorCode && a.Error == b.Error && a.Result == b.Result
}
