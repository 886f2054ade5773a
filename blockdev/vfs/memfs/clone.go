package memfs

import (
	"errors"
	"io"

	"twinlun/blockdev/vfs"
)

var _ vfs.Cloner = (*file)(nil)

// CloneFrom makes a range what it is in src, if SetCloning allows it and the range is
// whole blocks. What it costs is what a copy costs, and so is what a power cut leaves.
func (f *file) CloneFrom(src vfs.File, off, n int64) error {
	f.fs.mu.Lock()
	can := f.fs.clones && off%blockSize == 0 && n%blockSize == 0
	f.fs.mu.Unlock()
	if _, same := src.(*file); !can || !same {
		return errors.ErrUnsupported
	}
	for end := off + n; off < end; {
		from, to, err := src.NextData(off)
		if errors.Is(err, io.EOF) {
			from, to, err = end, end, nil
		}
		if err != nil {
			return err
		}
		from, to = min(max(from, off), end), min(to, end)
		if err := f.Punch(off, from-off); err != nil {
			return err
		}
		if err := f.CopyFrom(src, from, to-from); err != nil {
			return err
		}
		off = to
	}
	return nil
}
