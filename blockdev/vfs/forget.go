package vfs

import "golang.org/x/sys/unix"

// Forgetter is what a File has that can be cached.
type Forgetter interface {
	// Forget has what is read from now on come from the disk, where it is not about to be
	// written there. After a Sync that failed Linux may go on showing what was lost, to
	// later processes, too.
	Forget() error
}

// Forget is f's Forget, if it has one.
func Forget(f File) error {
	if c, ok := f.(Forgetter); ok {
		return c.Forget()
	}
	return nil
}

var _ Forgetter = (*osFile)(nil)

// Forget is posix_fadvise(2) with POSIX_FADV_DONTNEED, which drops the pages that are
// clean: those that could not be written are.
func (f *osFile) Forget() error {
	return f.control("fadvise", func(fd int) error { return unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED) })
}
