package vfs

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// copyBuffer is the size of the buffer that copies pass through where the kernel
// cannot make them, in bytes.
const copyBuffer = 1 << 20

// largeCopy is the smallest copy that is written to the disk at once, in bytes.
const largeCopy = 512 << 10

// osFile is a File of a Dir. The content methods are those of os.File.
type osFile struct {
	*os.File
	raw   syscall.RawConn
	lanes lanes
}

func newOSFile(f *os.File) (*osFile, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	out := &osFile{File: f, raw: raw}
	out.lanes.main = func() error { return out.control("fdatasync", unix.Fdatasync) }
	out.lanes.more = func() (*os.File, error) { return out.reopen(os.O_RDONLY) }
	return out, nil
}

// Close closes the file.
func (f *osFile) Close() error { return errors.Join(f.lanes.close(), f.File.Close()) }

// control runs op on the descriptor, which stays open meanwhile, again and again
// while a signal interrupts it.
func (f *osFile) control(name string, op func(fd int) error) error {
	var err error
	ctl := f.raw.Control(func(fd uintptr) {
		for {
			if err = op(int(fd)); !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
	if ctl != nil {
		err = ctl
	}
	if err != nil {
		return &os.PathError{Op: name, Path: f.Name(), Err: err}
	}
	return nil
}

// Sync is fdatasync: one for all who wait, and a few at once.
func (f *osFile) Sync() error { return f.lanes.sync() }

// Size is fstat's.
func (f *osFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// Punch is fallocate with FALLOC_FL_PUNCH_HOLE. Where the filesystem has no such
// thing, zeros are written.
func (f *osFile) Punch(off, n int64) error {
	if n <= 0 {
		return nil
	}
	err := f.control("punch hole", func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
	})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return f.writeZeros(off, n)
	}
	return err
}

func (f *osFile) writeZeros(off, n int64) error {
	buf := make([]byte, min(n, copyBuffer))
	for n > 0 {
		part := min(n, int64(len(buf)))
		if _, err := f.WriteAt(buf[:part], off); err != nil {
			return err
		}
		off, n = off+part, n-part
	}
	return nil
}

// NextData is lseek with SEEK_DATA and SEEK_HOLE; where there is no such thing,
// all of the file is data.
func (f *osFile) NextData(off int64) (from, to int64, err error) {
	err = f.control("seek data", func(fd int) (err error) {
		if from, err = unix.Seek(fd, off, unix.SEEK_DATA); err != nil {
			return err
		}
		to, err = unix.Seek(fd, from, unix.SEEK_HOLE)
		return err
	})
	switch {
	case errors.Is(err, unix.ENXIO):
		return 0, 0, io.EOF
	case errors.Is(err, unix.EINVAL):
		size, err := f.Size()
		if err == nil && off >= size {
			err = io.EOF
		}
		return off, size, err
	}
	return from, to, err
}

// CopyFrom is copy_file_range, and where the kernel refuses that, or src is of
// another kind, a copy through memory. After a large copy it tells the kernel to
// begin writing, so that the Sync that will follow has less to wait for.
func (f *osFile) CopyFrom(src File, off, n int64) error {
	if err := f.copyFrom(src, off, n); err != nil || n < largeCopy {
		return err
	}
	_ = f.control("begin writing", func(fd int) error { // a hint: Sync tells of errors
		return unix.SyncFileRange(fd, off, n, unix.SYNC_FILE_RANGE_WRITE)
	})
	return nil
}

func (f *osFile) copyFrom(src File, off, n int64) error {
	if s, ok := src.(*osFile); ok {
		done, err := f.copyInKernel(s, off, n)
		off, n = off+done, n-done
		if err == nil || !kernelRefuses(err) {
			return err
		}
	}
	return copyThrough(f, src, off, n)
}

// kernelRefuses lists what copy_file_range says where it cannot do the job at
// all (copy_file_range(2), ERRORS).
func kernelRefuses(err error) bool {
	for _, e := range []error{unix.EXDEV, unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL, unix.EPERM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// copyInKernel returns how many bytes it copied before err.
func (f *osFile) copyInKernel(src *osFile, off, n int64) (done int64, err error) {
	for done < n {
		var part int
		err := src.control("copy file range", func(from int) error {
			return f.control("copy file range", func(to int) (err error) {
				rd, wr := off+done, off+done
				part, err = unix.CopyFileRange(from, &rd, to, &wr, int(n-done), 0)
				return err
			})
		})
		if err != nil {
			return done, err
		}
		if part == 0 {
			return done, &os.PathError{Op: "copy file range", Path: src.Name(), Err: io.ErrUnexpectedEOF}
		}
		done += int64(part)
	}
	return done, nil
}

// copyThrough copies [off, off+n) through a buffer.
func copyThrough(dst, src File, off, n int64) error {
	buf := make([]byte, min(n, copyBuffer))
	for n > 0 {
		part := min(n, int64(len(buf)))
		if got, err := src.ReadAt(buf[:part], off); int64(got) < part {
			return err
		}
		if _, err := dst.WriteAt(buf[:part], off); err != nil {
			return err
		}
		off, n = off+part, n-part
	}
	return nil
}
