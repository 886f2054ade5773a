package replication

import (
	"sync"
	"time"

	"twinlun/replication/job"
)

// events takes note of what changes, under whatever lock that is decided, and hands
// it to Config.Events in the same order in a goroutine of its own, where no lock is
// held.
type events struct {
	sink    func(Event) // nil: nobody wants to know
	now     func() time.Time
	count   func(ObjectKind, ChangeKind)
	wake    chan struct{} // holds at most one
	stopped sync.WaitGroup

	mu     sync.Mutex // guards what follows; no other lock is taken under it
	queue  []Event
	number uint64
	closed bool
}

func newEvents(sink func(Event), now func() time.Time) *events {
	return &events{sink: sink, now: now, wake: make(chan struct{}, 1), count: func(ObjectKind, ChangeKind) {}}
}

// on says whether anybody wants to know. Where nobody does, nothing need be
// prepared.
func (e *events) on() bool { return e.sink != nil }

// add takes note of a change. It never waits.
func (e *events) add(ev Event) {
	if !e.on() {
		return
	}
	e.count(ev.About())
	e.mu.Lock()
	defer e.mu.Unlock()
	e.number++
	ev.Number, ev.Time = e.number, e.now()
	e.queue = append(e.queue, ev)
	e.poke()
}

func (e *events) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// start begins to hand events out.
func (e *events) start() {
	if e.on() {
		e.stopped.Go(e.run)
	}
}

func (e *events) run() {
	for range e.wake {
		all, closed := e.take()
		for _, ev := range all {
			e.sink(ev)
		}
		if closed {
			return
		}
	}
}

// take empties the queue and says whether it was the last time.
func (e *events) take() ([]Event, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.queue
	e.queue = nil
	return all, e.closed
}

// stop waits until everything is handed out. Nothing may be added afterwards.
func (e *events) stop() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.poke()
	e.stopped.Wait()
}

// jobEvents is what the jobs tell of their changes; nil where nobody wants to know.
func (s *Service) jobEvents() func(before, after *job.Record) {
	if !s.events.on() {
		return nil
	}
	return func(before, after *job.Record) {
		s.events.add(Event{Job: Change[job.Record]{before, after}})
	}
}
