package layer

import (
	"errors"
	"io/fs"
	"sync"

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
	var c *checked
	if fsys != nil {
		var err error
		if c, err = l.openChecked(fsys, grounded, bad); err != nil {
			return ioError("open sums of layer "+l.id, err)
		}
	}
	old := l.checked.Swap(c)
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
		if err := c.readPart(s, i, p[:n], off); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

// readPart reads what one sector has the sums of.
func (c *checked) readPart(s *summer, i int64, p []byte, off int64) error {
	first, count := blockRange(off, int64(len(p)))
	buf := s.block[:count*blockSize]
	if err := c.layer.readRaw(buf, first*blockSize); err != nil {
		return err
	}
	want, _, err := s.load(i, 0)
	if err != nil {
		return ioError("read sums of layer "+c.layer.id, err)
	}
	for k := range count {
		block := first + k
		if s.has(block) && sumOf(buf[k*blockSize:][:blockSize]) != want[block-i*sumBlocks] {
			c.bad(Damage{Layer: c.layer.id, Off: block * blockSize, Len: blockSize})
			return blockdev.Errorf(blockdev.KindIO, "read", "block %d of layer %s does not have its checksum", block, c.layer.id)
		}
	}
	copy(p, buf[off-first*blockSize:])
	return nil
}
