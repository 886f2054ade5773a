package vfs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// maxWriters is how many durable writes of a file run at once. More are written, and
// then wait for one Sync together.
const maxWriters = 32

// writers are the descriptors for durable writes. As with lanes, one write at a time
// uses each: of two writes on one descriptor, one would be told of a loss of the other's
// data, and the other take it for a success. They may be opened at any time, because
// each is asked only about what was written through it later.
type writers struct {
	idle []*os.File
	all  []*os.File
	busy int
}

// borrow gives a descriptor that nobody else uses; nil: there is none to be had. The
// error is that of a sync that failed before.
func (s *lanes) borrow(open func() (*os.File, error)) (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &s.writers
	if s.failed != nil {
		return nil, s.failed
	}
	if len(w.idle) == 0 && len(w.all) < maxWriters {
		f, err := open()
		if err != nil {
			return nil, nil // no descriptors, or no /proc
		}
		w.all, w.idle = append(w.all, f), append(w.idle, f)
	}
	last := len(w.idle) - 1
	if last < 0 {
		return nil, nil
	}
	f := w.idle[last]
	w.idle = w.idle[:last]
	w.busy++
	return f, nil
}

// giveBack ends what borrow began. After an error no lane is opened any more: it would
// not be told of what that error was about.
func (s *lanes) giveBack(f *os.File, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writers.busy--
	s.writers.idle = append(s.writers.idle, f)
	s.only = s.only || err != nil
}

// close closes the descriptors; no write is under way.
func (w *writers) close() error {
	var err error
	for _, f := range w.all {
		err = errors.Join(err, f.Close())
	}
	*w = writers{}
	return err
}

// WriteSync is pwritev2 with RWF_DSYNC.
func (f *osFile) WriteSync(p []byte, off int64) error {
	one, err := f.lanes.borrow(func() (*os.File, error) { return f.reopen(os.O_RDWR) })
	if err != nil {
		return err
	}
	if one == nil {
		return f.writeThenSync(p, off)
	}
	err = writeSync(one, p, off)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		f.lanes.giveBack(one, nil)
		return f.writeThenSync(p, off)
	}
	f.lanes.giveBack(one, err)
	return err
}

func writeSync(f *os.File, p []byte, off int64) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	one := &osFile{File: f, raw: raw}
	for len(p) > 0 {
		var n int
		err := one.control("pwritev2", func(fd int) (err error) {
			n, err = unix.Pwritev2(fd, [][]byte{p}, off, unix.RWF_DSYNC)
			return err
		})
		if err != nil {
			return err
		}
		if n == 0 {
			return &os.PathError{Op: "pwritev2", Path: f.Name(), Err: fmt.Errorf("nothing of %d bytes was written", len(p))}
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// writeThenSync is WriteSync for those who find no descriptor of their own.
func (f *osFile) writeThenSync(p []byte, off int64) error {
	if _, err := f.WriteAt(p, off); err != nil {
		return err
	}
	return f.Sync()
}
