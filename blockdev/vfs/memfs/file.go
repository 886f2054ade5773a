package memfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"twinlun/blockdev/vfs"
)

// file is an open file.
type file struct {
	fs     *FS
	node   *inode
	name   string
	closed bool
}

// stepLocked is FS.stepLocked for an open file.
func (f *file) stepLocked(op Op) error {
	if f.closed {
		return &fs.PathError{Op: string(op), Path: f.name, Err: fs.ErrClosed}
	}
	return f.fs.stepLocked(op, f.name)
}

// ReadAt reads what is there now.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.stepLocked(OpRead); err != nil {
		return 0, public(err)
	}
	n := min(int64(len(p)), max(0, f.node.size-off))
	f.node.read(p[:n], off)
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// WriteAt writes; a fault leaves any of the sectors written.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	switch err := f.stepLocked(OpWrite); {
	case errors.Is(err, fs.ErrClosed), errors.Is(err, ErrPowerCut):
		return 0, err
	case err != nil:
		f.writeLocked(p, off, func() bool { return f.fs.rng.IntN(2) == 0 })
		return 0, public(err)
	}
	return f.writeLocked(p, off, func() bool { return true })
}

// writeLocked stores those sectors of p that keep wants, until there is no space.
func (f *file) writeLocked(p []byte, off int64, keep func() bool) (done int, err error) {
	for done < len(p) {
		at := off + int64(done)
		part := min(len(p)-done, int(vfs.Sector-at%vfs.Sector))
		if keep() {
			if err := f.allocateLocked(at); err != nil {
				return done, err
			}
			f.node.write(p[done:done+part], at)
			f.growLocked(at + int64(part))
		}
		done += part
	}
	return done, nil
}

func (f *file) allocateLocked(at int64) error {
	if f.node.blocks[at/blockSize] {
		return nil
	}
	if err := f.fs.reserveLocked(); err != nil {
		return fmt.Errorf("write %s: %w", f.name, err)
	}
	f.node.blocks[at/blockSize] = true
	return nil
}

func (f *file) growLocked(end int64) {
	if end > f.node.size {
		f.node.size = end
		f.node.maybe = append(f.node.maybe, end)
	}
}

// WriteSync writes and makes what it wrote, and the size, durable.
func (f *file) WriteSync(p []byte, off int64) error {
	if _, err := f.WriteAt(p, off); err != nil {
		return err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	first, last := off/vfs.Sector, (off+int64(len(p))-1)/vfs.Sector
	err := f.stepLocked(OpSync)
	if err == nil {
		f.node.maybe = []int64{f.node.size}
	}
	for i := first; i <= last; i++ {
		s := f.node.unsaved[i]
		switch {
		case s == nil:
		case err != nil:
			s.doubt = s.doubt || !errors.Is(err, errCutNow)
		case !s.doubt:
			s.maybe = []content{s.now}
			delete(f.node.unsaved, i)
		}
	}
	return public(err)
}

// Sync makes the file durable.
func (f *file) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	err := f.stepLocked(OpSync)
	switch {
	case err == nil:
		f.node.settle()
	case !errors.Is(err, errCutNow) && !errors.Is(err, ErrPowerCut):
		f.node.spoil()
	}
	return public(err)
}

// Size is the length now.
func (f *file) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.stepLocked(OpRead); err != nil {
		return 0, public(err)
	}
	return f.node.size, nil
}

// Truncate sets the length.
func (f *file) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	err := f.stepLocked(OpTruncate)
	if err == nil || errors.Is(err, errCutNow) {
		f.freeLocked(size, max(size, f.node.size)-size)
		f.node.resize(size)
	}
	return public(err)
}

// Punch makes a hole.
func (f *file) Punch(off, n int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	err := f.stepLocked(OpPunch)
	if err != nil && !errors.Is(err, errCutNow) {
		return err
	}
	n = min(n, max(0, f.node.size-off))
	f.zeroLocked(off, n)
	f.freeLocked(off, n)
	return public(err)
}

// zeroLocked clears a range sector by sector.
func (f *file) zeroLocked(off, n int64) {
	var zeros [vfs.Sector]byte
	for end := off + n; off < end; {
		part := min(end-off, vfs.Sector-off%vfs.Sector)
		switch {
		case f.node.get(off/vfs.Sector) == nil:
		case part == vfs.Sector:
			f.node.set(off/vfs.Sector, nil)
		default:
			f.node.write(zeros[:part], off)
		}
		off += part
	}
}

// freeLocked gives back the blocks that lie wholly in the range.
func (f *file) freeLocked(off, n int64) {
	for b := (off + blockSize - 1) / blockSize; (b+1)*blockSize <= off+n; b++ {
		if f.node.blocks[b] {
			delete(f.node.blocks, b)
			f.fs.used -= blockSize
		}
	}
}

// NextData finds the next allocated block.
func (f *file) NextData(off int64) (from, to int64, err error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.stepLocked(OpRead); err != nil {
		return 0, 0, public(err)
	}
	from = off
	for b := off / blockSize; !f.node.blocks[b]; b++ {
		if from = (b + 1) * blockSize; from >= f.node.size {
			return 0, 0, io.EOF
		}
	}
	if from >= f.node.size {
		return 0, 0, io.EOF
	}
	b := from / blockSize
	for f.node.blocks[b] {
		b++
	}
	return from, min(b*blockSize, f.node.size), nil
}

// CopyFrom copies through memory, block by block.
func (f *file) CopyFrom(src vfs.File, off, n int64) error {
	buf := make([]byte, blockSize)
	for n > 0 {
		part := min(n, blockSize-off%blockSize)
		if got, err := src.ReadAt(buf[:part], off); int64(got) < part {
			return err
		}
		if _, err := f.WriteAt(buf[:part], off); err != nil {
			return err
		}
		off, n = off+part, n-part
	}
	return nil
}

// Close closes the file; its space comes back if its name is gone.
func (f *file) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return &fs.PathError{Op: "close", Path: f.name, Err: fs.ErrClosed}
	}
	f.closed = true
	f.node.opens--
	f.fs.reclaimLocked(f.node)
	return nil
}
