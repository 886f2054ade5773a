package layer

import (
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"

	"twinlun/blockdev"
	"twinlun/blockdev/vfs"
)

// checked compares what is read of a frozen layer with its sums. It is replaced, and
// its file closed, when nobody reads through it any more.
type checked struct {
	layer    *Layer
	grounded bool
	file     vfs.File
	bad      func(Damage)
	use      pins
	buffers  sync.Pool // of *summer
}

// CheckReads has reads of the layer, which must be frozen, compared with its sums if
// all of them are there; grounded says that it stands on nothing. bad is told, from
// any goroutine, of a block that differs, whose read fails with KindIO. With a nil fsys
// reads are not compared any more; that must come before the layer changes.
func (l *Layer) CheckReads(fsys vfs.Files, grounded bool, bad func(Damage)) error {
	return l.check(&l.checked, fsys, grounded, bad)
}

// CheckCopies does for what Fill and Sink take from the layer what CheckReads does for
// reads: a copy of a block that differs would make the damage look sound. The copy
// fails with ErrDamaged and KindIO, and can be begun again.
func (l *Layer) CheckCopies(fsys vfs.Files, grounded bool, bad func(Damage)) error {
	return l.check(&l.proved, fsys, grounded, bad)
}

// ErrDamaged is the cause of the error of a read, or a copy, that found damage.
var ErrDamaged = errors.New("it does not have its checksum")

func (l *Layer) check(place *atomic.Pointer[checked], fsys vfs.Files, grounded bool, bad func(Damage)) error {
	var c *checked
	if fsys != nil {
		var err error
		if c, err = l.openChecked(fsys, grounded, bad); err != nil {
			return ioError("open sums of layer "+l.id, err)
		}
	}
	old := place.Swap(c)
	if old == nil {
		return nil
	}
	<-old.use.retire()
	return old.file.Close()
}

// openChecked returns nil where not all sums are there.
func (l *Layer) openChecked(fsys vfs.Files, grounded bool, bad func(Damage)) (*checked, error) {
	f, err := fsys.Open(SumFile(l.id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	h, err := readSumHeader(f, l.id, l.Size())
	if err != nil || !h.complete() {
		return nil, errors.Join(err, f.Close())
	}
	c := &checked{layer: l, grounded: grounded, file: f, bad: bad}
	c.buffers.New = func() any {
		return &summer{layer: l, grounded: grounded, file: f, block: make([]byte, sumSpan)}
	}
	c.use.init()
	return c, nil
}

// readAt reads all of p by whole blocks.
func (c *checked) readAt(p []byte, off int64) error {
	if !c.use.enter() { // another has taken its place
		return c.layer.readAt(p, off)
	}
	defer c.use.leave()
	s := c.buffers.Get().(*summer)
	defer c.buffers.Put(s)
	for len(p) > 0 {
		i := off / sumSpan
		n := min(int64(len(p)), (i+1)*sumSpan-off)
		buf, err := c.load(s, i, off, n)
		if err != nil {
			return err
		}
		copy(p[:n], buf[off%blockSize:])
		p, off = p[n:], off+n
	}
	return nil
}

// prove compares [off, off+n) of the layer with its sums, if CheckCopies wants it, and
// says how much of it was read: what has neither data nor sums is not.
func (l *Layer) prove(off, n int64) (read int64, err error) {
	c := l.proved.Load()
	for c != nil && !c.use.enter() { // another has taken its place
		c = l.proved.Load()
	}
	if c == nil {
		return 0, nil
	}
	defer c.use.leave()
	return c.prove(off, n)
}

func (c *checked) prove(off, n int64) (read int64, err error) {
	s := c.buffers.Get().(*summer)
	defer c.buffers.Put(s)
	for end := off + n; off < end; {
		i, err := s.next(off/sumSpan, (end-1)/sumSpan+1, c.file)
		if err != nil {
			return read, err
		}
		off = max(off, i*sumSpan)
		to := min(end, (i+1)*sumSpan)
		if off >= to {
			break
		}
		if _, err := c.load(s, i, off, to-off); err != nil {
			return read, err
		}
		read, off = read+to-off, to
	}
	return read, nil
}

// load reads the blocks of [off, off+n), which are of one sector of sums.
func (c *checked) load(s *summer, i, off, n int64) ([]byte, error) {
	first, count := blockRange(off, n)
	buf := s.block[:count*blockSize]
	if err := c.layer.readRaw(buf, first*blockSize); err != nil {
		return nil, err
	}
	want, _, err := s.load(i, 0)
	if err != nil {
		return nil, ioError("read sums of layer "+c.layer.id, err)
	}
	for k := range count {
		block := first + k
		if s.has(block) && sumOf(buf[k*blockSize:][:blockSize]) != want[block-i*sumBlocks] {
			c.bad(Damage{Layer: c.layer.id, Off: block * blockSize, Len: blockSize})
			return nil, blockdev.Errorf(blockdev.KindIO, "read", "block %d of layer %s: %w", block, c.layer.id, ErrDamaged)
		}
	}
	return buf, nil
}
