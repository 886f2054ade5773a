package cli

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"os"

	"golang.org/x/sys/unix"
)

// sparseUnit is the granularity in bytes in which zeros are left out.
const sparseUnit = 64 << 10

// runs yields the parts of p that are not zero, with their offsets, in whole
// units (the last may be shorter).
func runs(p []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for at := 0; at < len(p); {
			end := at
			for end < len(p) && !isZero(p[end:min(end+sparseUnit, len(p))]) {
				end = min(end+sparseUnit, len(p))
			}
			if end > at && !yield(at, p[at:end]) {
				return
			}
			at = min(end+sparseUnit, len(p)) // the unit at end is zero, or the end
		}
	}
}

// isZero compares each byte with the next, which is as quick as memory.
func isZero(p []byte) bool { return len(p) == 0 || p[0] == 0 && bytes.Equal(p[1:], p[:len(p)-1]) }

// nextData is where the first data at or after off begins, rounded down to align;
// n if only holes follow. A file that does not know its holes has data at off.
func nextData(f *os.File, off, n, align int64) (int64, error) {
	at, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return n, nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ESPIPE):
		return off, nil
	case err != nil:
		return 0, &os.PathError{Op: "seek", Path: f.Name(), Err: err}
	}
	return min(max(off, at-at%align), n), nil
}

// contentSize is the size of a file or block device.
func contentSize(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if info.IsDir() {
		return 0, &os.PathError{Op: "read", Path: f.Name(), Err: unix.EISDIR}
	}
	n, err := f.Seek(0, io.SeekEnd)
	if err == nil && n == 0 {
		return 0, &os.PathError{Op: "read", Path: f.Name(), Err: errors.New("it is empty")}
	}
	return n, err
}
