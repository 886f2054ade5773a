package vfs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// maxLanes is how many Syncs of a file run at once. With more, those who wait share
// less: a disk flushes its cache once for many who ask together.
const maxLanes = 4

// lanes let many goroutines sync a file. Each run is for all who came before it
// began, and a few runs are under way at once.
//
// Each lane has a descriptor of its own. The kernel tells each open file of a lost
// write once (errseq_t in Linux, Documentation/core-api/errseq.rst): of two syncs of
// one descriptor, one might be told, and the other take the same loss for a success.
// A descriptor that is opened after a loss was told is not told of it again. Lanes
// are therefore opened while no sync and no durable write is under way, and none has
// failed.
type lanes struct {
	main func() error             // syncs the descriptor that is there from the beginning
	more func() (*os.File, error) // not called if only is set

	mu      sync.Mutex
	idle    []lane
	all     []lane // nil: not used yet
	running int
	next    *round // waits for a lane
	wake    chan struct{}
	failed  error
	only    bool // there are no more lanes to be had
	writers writers
}

// lane is a descriptor that one sync at a time uses.
type lane struct {
	file *os.File // nil: the first
	sync func() error
}

// round is one run, for all who wait for it.
type round struct {
	done chan struct{}
	err  error
}

// sync returns when a run that began after it was called has ended. An error is
// that of all later calls, too.
func (s *lanes) sync() error {
	s.mu.Lock()
	if r := s.next; r != nil {
		s.mu.Unlock()
		<-r.done
		return r.err
	}
	r := &round{done: make(chan struct{})}
	defer close(r.done)
	s.next = r
	l, err := s.takeLocked()
	s.next = nil // from here on it covers what was written before, and no more
	s.mu.Unlock()
	if err == nil {
		err = s.end(l, l.sync())
	}
	r.err = err
	return err
}

// takeLocked waits for an idle lane. mu is released meanwhile.
func (s *lanes) takeLocked() (lane, error) {
	if s.all == nil {
		s.all = []lane{{sync: s.main}}
		s.idle, s.wake = slices.Clone(s.all), make(chan struct{}, 1)
	}
	waited := false
	for len(s.idle) == 0 {
		s.mu.Unlock()
		<-s.wake // there is one who waits, all others wait for that one
		s.mu.Lock()
		waited = true
	}
	if s.failed != nil {
		return lane{}, s.failed
	}
	if waited && s.running == 0 && s.writers.busy == 0 && len(s.all) == 1 && !s.only {
		s.openLocked()
	}
	l := s.idle[len(s.idle)-1]
	s.idle = s.idle[:len(s.idle)-1]
	s.running++
	return l, nil
}

// openLocked opens the other lanes; nothing is under way.
func (s *lanes) openLocked() {
	for len(s.all) < maxLanes {
		f, err := s.more()
		if err != nil {
			s.only = true // no descriptors, or no /proc: one lane does
			break
		}
		s.all = append(s.all, lane{file: f, sync: func() error { return syncOf(f) }})
	}
	s.idle = slices.Clone(s.all)
}

// end gives the lane back, and err, or that of a sync that failed meanwhile.
func (s *lanes) end(l lane, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.failed == nil {
		s.failed = err
	}
	s.running--
	s.idle = append(s.idle, l)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return s.failed
}

// close closes the descriptors that lanes opened; no sync is under way.
func (s *lanes) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, l := range s.all {
		if l.file != nil {
			err = errors.Join(err, l.file.Close())
		}
	}
	s.all, s.only = s.all[:min(1, len(s.all))], true
	return errors.Join(err, s.writers.close())
}

// syncOf is fdatasync.
func syncOf(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return (&osFile{File: f, raw: raw}).control("fdatasync", unix.Fdatasync)
}

// reopen opens what f has open once more, also if its name is gone.
func (f *osFile) reopen(flag int) (again *os.File, err error) {
	err = f.control("open", func(fd int) error {
		again, err = os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), flag, 0)
		return err
	})
	return again, err
}
