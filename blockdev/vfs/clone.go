package vfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// CloneFrom is the FICLONERANGE ioctl (ioctl_ficlonerange(2)).
func (f *osFile) CloneFrom(src File, off, n int64) error {
	s, ok := src.(*osFile)
	if !ok {
		return errors.ErrUnsupported
	}
	if n <= 0 { // a length of 0 would be all that follows
		return nil
	}
	err := s.control("clone range", func(from int) error {
		return f.control("clone range", func(to int) error {
			return unix.IoctlFileCloneRange(to, &unix.FileCloneRange{
				Src_fd: int64(from), Src_offset: uint64(off), Src_length: uint64(n), Dest_offset: uint64(off),
			})
		})
	})
	if cannotClone(err) {
		return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	return err
}

// cannotClone lists what FICLONERANGE says where it has not even begun; EAGAIN is what
// OpenZFS says of blocks that are not on disk yet, synced or not (zfs_bclone_wait_dirty
// in zfs(4)). A full filesystem, or a disk that fails, is something else.
func cannotClone(err error) bool {
	for _, e := range []error{
		unix.EOPNOTSUPP, unix.ENOTTY, unix.ENOSYS, unix.EXDEV, unix.EINVAL, unix.EPERM, unix.ETXTBSY, unix.EAGAIN,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

var _ Cloner = (*osFile)(nil)

// Clone is CloneFrom where dst has it, and errors.ErrUnsupported elsewhere.
func Clone(dst, src File, off, n int64) error {
	c, ok := dst.(Cloner)
	if !ok {
		return errors.ErrUnsupported
	}
	return c.CloneFrom(src, off, n)
}
