// Package faultstore is a store.Store for tests that fails when it is told to.
package faultstore

import (
	"context"
	"errors"
	"sync"

	"twinlun/replication/store"
)

// Point is where in an Update a fault strikes.
type Point uint8

// The points.
const (
	Before      Point = iota // the function is not called
	AtCommit                 // it has run, and nothing of it is kept
	AfterCommit              // all of it is kept, but the caller hears of a failure
)

// ErrFault is what a fault looks like unless it says otherwise.
var ErrFault = errors.New("faultstore: fault")

// Fault is a plan to fail.
type Fault struct {
	// Update is which one fails: 1 is the next.
	Update int
	Point  Point
	// Crash makes every later Update and View fail too, as if the process
	// were gone, until Heal.
	Crash bool
	Err   error // default ErrFault
}

// Store wraps another. All methods may be called at the same time.
type Store struct {
	inner store.Store

	mu      sync.Mutex // guards what follows
	updates int
	fault   *Fault
	crashed error
}

// New wraps a store that works.
func New(inner store.Store) *Store { return &Store{inner: inner} }

// Plan sets the fault to come, in place of one that has not struck yet.
func (s *Store) Plan(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Err == nil {
		f.Err = ErrFault
	}
	f.Update += s.updates
	s.fault = &f
}

// Heal forgets the fault and the crash.
func (s *Store) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.crashed = nil, nil
}

// Updates is how many Updates were begun.
func (s *Store) Updates() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.updates
}

// Crashed says whether a fault with Crash has struck.
func (s *Store) Crashed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crashed != nil
}

// next counts an Update and is the fault that strikes it, or nil.
func (s *Store) next() (*Fault, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crashed != nil {
		return nil, s.crashed
	}
	s.updates++
	f := s.fault
	if f == nil || f.Update != s.updates {
		return nil, nil
	}
	s.fault = nil
	if f.Crash {
		s.crashed = f.Err
	}
	return f, nil
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	f, err := s.next()
	switch {
	case err != nil:
		return err
	case f == nil:
		return s.inner.Update(ctx, fn)
	case f.Point == Before:
		return f.Err
	}
	err = s.inner.Update(ctx, func(tx store.Tx) error {
		if err := fn(tx); err != nil || f.Point == AfterCommit {
			return err
		}
		return f.Err
	})
	if err == nil {
		err = f.Err
	}
	return err
}

// View implements store.Store.
func (s *Store) View(ctx context.Context, fn func(store.Tx) error) error {
	s.mu.Lock()
	err := s.crashed
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.inner.View(ctx, fn)
}

// Close implements store.Store.
func (s *Store) Close() error { return s.inner.Close() }
