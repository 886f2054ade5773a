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

// osFile is a File of a Dir.
//
// Reads and writes are bare system calls on fd. Those of os.File count who is in the
// file, so that it can be closed at any time; here whoever closes sees to it that
// nobody is. That fd is no atomic is on purpose: the race detector finds who does not.
type osFile struct {
	*os.File
	fd    int // -1 when it is closed
	raw   syscall.RawConn
	lanes lanes
}

func newOSFile(f *os.File) (*osFile, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	out := &osFile{File: f, fd: int(f.Fd()), raw: raw}
	out.lanes.main = func() error { return out.control("fdatasync", unix.Fdatasync) }
	out.lanes.more = func() (*os.File, error) { return out.reopen(os.O_RDONLY) }
	return out, nil
}

// Close closes the file.
func (f *osFile) Close() error {
	f.fd = -1
	return errors.Join(f.lanes.close(), f.File.Close())
}

// ReadAt is pread.
func (f *osFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := unix.Pread(f.fd, p, off)
	if n < len(p) {
		n, err = f.rest(unix.Pread, p, off, n, err)
	}
	if err != nil {
		return n, f.named("read", err)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt is pwrite.
func (f *osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := unix.Pwrite(f.fd, p, off)
	if n < len(p) {
		if n, err = f.rest(unix.Pwrite, p, off, n, err); n < len(p) && err == nil {
			err = io.ErrShortWrite
		}
	}
	if err != nil {
		return n, f.named("write", err)
	}
	return n, nil
}

// rest goes on after a call that moved n bytes or failed, until all of p is through or
// nothing more comes.
func (f *osFile) rest(call func(fd int, p []byte, off int64) (int, error), p []byte, off int64, n int, err error) (int, error) {
	for done := 0; ; n, err = call(f.fd, p[done:], off+int64(done)) {
		done += max(0, n)
		if n == 0 && err == nil || err != nil && !errors.Is(err, unix.EINTR) || done == len(p) {
			return done, err
		}
	}
}

// named says what failed, and where.
func (f *osFile) named(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EBADF):
		err = os.ErrClosed
	}
	return &os.PathError{Op: op, Path: f.Name(), Err: err}
}

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
	return f.named(name, err)
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
