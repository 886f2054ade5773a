package layer

import (
	"errors"

	"twinlun/blockdev"
)

// Chain is a writable layer over a view. It does not change, but what it shows
// does. Writers are kept away by its Volume when it is exchanged.
type Chain struct {
	top   *Layer
	below *View    // nil: the top stands on nothing
	sink  *sinking // nil: the top stays where it is
	owing []*Layer // of below, frozen before all of it was durable
	use   pins
}

// NewChain puts top over below; below is nil, or empty, where top stands on nothing.
// The chain is then in use until Retire.
func NewChain(top *Layer, below *View) *Chain {
	if below != nil && len(below.layers) == 0 {
		below = nil
	}
	c := &Chain{top: top, below: below}
	if below != nil {
		for _, l := range below.layers {
			if l.debt.open() {
				c.owing = append(c.owing, l)
			}
		}
	}
	c.use.init()
	return c
}

// Top is the writable layer.
func (c *Chain) Top() *Layer { return c.top }

// Below is what the top stands on; nil is nothing.
func (c *Chain) Below() *View { return c.below }

// Retire ends the chain's use. The channel is closed when the last read has left
// it; then nothing refers to its layers.
func (c *Chain) Retire() <-chan struct{} { return c.use.retire() }

// Freeze says that nothing is written through the chain any more, and that what was
// written is not known to be durable: chains over its layers see to it before they
// answer a flush. The volume must be quiesced.
func (c *Chain) Freeze() {
	c.top.debt.owed.Add(1)
	if c.sink != nil {
		c.sink.inner.top.debt.owed.Add(1)
	}
}

// settle makes durable what was written before the top was put over it. A write that
// was lost there ends writing to the top, as it would have if it had been there.
func (c *Chain) settle() error {
	for _, l := range c.owing {
		if err := l.settle(); err != nil {
			if lost := l.Failed(); lost != nil {
				c.top.Fail(lost)
			}
			return err
		}
	}
	return nil
}

// blockRange is the blocks that [off, off+n) touches.
func blockRange(off, n int64) (first, count int64) {
	first = off / blockSize
	return first, blocksOf(off+n) - first
}

// has says whether the top has the content of all of [off, off+n).
func (c *Chain) has(off, n int64) bool { return c.below == nil || c.topHas(off, n) }

func (c *Chain) topHas(off, n int64) bool {
	first, count := blockRange(off, n)
	return c.top.blocks.all(first, count, data)
}

// readAt reads all of p.
func (c *Chain) readAt(p []byte, off int64) error {
	if c.has(off, int64(len(p))) {
		return c.top.readAt(p, off)
	}
	for len(p) > 0 {
		block, count := blockRange(off, int64(len(p)))
		st, n := c.top.blocks.run(block, count)
		part := p[:min(int64(len(p)), (block+n)*blockSize-off)]
		if err := c.readRun(part, off, st); err != nil {
			return err
		}
		p, off = p[len(part):], off+int64(len(part))
	}
	return nil
}

// readRun reads a range whose blocks are all in state st.
func (c *Chain) readRun(p []byte, off int64, st state) error {
	switch st {
	case data:
		return c.top.readAt(p, off)
	case zero:
		clear(p)
		return nil
	}
	if c.sink != nil {
		return c.sink.inner.readAt(p, off)
	}
	return c.below.readAt(p, off)
}

// writeAt stores p.
func (c *Chain) writeAt(p []byte, off int64) error {
	if err := c.Failed(); err != nil {
		return err
	}
	if c.sink != nil {
		return c.sinkingWrite(p, off)
	}
	if c.has(off, int64(len(p))) {
		if err := c.top.afford(off, int64(len(p))); err != nil {
			return err
		}
		_, err := c.top.data.WriteAt(p, off)
		return ioError("write", err)
	}
	if err := c.top.budget.take(int64(len(p))); err != nil {
		return err
	}
	return c.writeNew(p, off)
}

// writeNew stores p where the top does not have all of the blocks yet. They are
// marked after they are whole, so that a reader, or a power cut, finds them as they
// were or as they are now.
func (c *Chain) writeNew(p []byte, off int64) error {
	n := int64(len(p))
	set, alone := stripesOf(off, n), c.ragged(off, n)
	c.top.stripes.lock(set, alone)
	defer c.top.stripes.unlock(set, alone)
	if alone {
		if err := c.bringRest(off, n); err != nil {
			return err
		}
	}
	if _, err := c.top.data.WriteAt(p, off); err != nil {
		return ioError("write", err)
	}
	first, count := blockRange(off, n)
	c.top.blocks.mark(first, count, data)
	return nil
}

// ragged says whether [off, off+n) covers its first or its last block in part.
func (c *Chain) ragged(off, n int64) bool {
	end := off + n
	return off%blockSize != 0 || end%blockSize != 0 && end != c.top.Size()
}

// bringRest copies what [off, off+n) leaves out of its first and its last block
// from below, for those that the top does not have.
func (c *Chain) bringRest(off, n int64) error {
	first, end := off/blockSize*blockSize, off+n
	last := (end - 1) / blockSize * blockSize
	if err := c.bring(first, first, off); err != nil {
		return err
	}
	if last != first {
		if err := c.bring(last, last, max(last, off)); err != nil {
			return err
		}
	}
	return c.bring(last, end, min(last+blockSize, c.top.Size()))
}

// bring copies [off, end) of the block at start up, if the top does not have it.
func (c *Chain) bring(start, off, end int64) error {
	if off >= end {
		return nil
	}
	st, _ := c.top.blocks.run(start/blockSize, 1)
	if st == data {
		return nil
	}
	buf := make([]byte, end-off)
	if st == absent {
		if err := c.below.readAt(buf, off); err != nil {
			return err
		}
	}
	_, err := c.top.data.WriteAt(buf, off)
	return ioError("write", err)
}

// writeFUA stores p, and says whether it is durable already: with one system call
// where the top has the blocks, and has had them for a flush.
func (c *Chain) writeFUA(p []byte, off int64) (durable bool, err error) {
	if err := c.Failed(); err != nil {
		return false, err
	}
	n := int64(len(p))
	first, count := blockRange(off, n)
	if c.sink != nil && c.top.blocks.all(first, count, absent) {
		return c.sink.inner.writeFUA(p, off)
	}
	if c.sink != nil || !c.has(off, n) || c.below != nil && c.top.blocks.unsaved(first, count) {
		return false, c.writeAt(p, off)
	}
	if err := c.top.afford(off, n); err != nil {
		return false, err
	}
	err = c.top.data.WriteSync(p, off)
	if err != nil && !full(err) {
		return false, c.top.fail("durable write", err)
	}
	return true, ioError("durable write", err)
}

// zeroAt makes [off, off+n) zeros.
func (c *Chain) zeroAt(off, n int64) error {
	if err := c.Failed(); err != nil {
		return err
	}
	if c.sink != nil {
		return c.sinkingZero(off, n)
	}
	if c.below == nil {
		return ioError("zero", c.top.data.Punch(off, n))
	}
	end := off + n
	from, to := blocksOf(off)*blockSize, end/blockSize*blockSize
	if end == c.top.Size() {
		to = end
	}
	if from >= to {
		return c.zeroPart(off, n)
	}
	if err := c.zeroPart(off, from-off); err != nil {
		return err
	}
	if err := c.zeroPart(to, end-to); err != nil {
		return err
	}
	return c.zeroBlocks(from, to-from)
}

// zeroPart writes zeros over a part of one block, or of two.
func (c *Chain) zeroPart(off, n int64) error {
	if n == 0 {
		return nil
	}
	return c.writeAt(make([]byte, n), off)
}

// zeroBlocks makes whole blocks zeros. Those that the top has become holes of the
// data file; the others are marked, so that what is below does not show.
func (c *Chain) zeroBlocks(off, n int64) error {
	set := stripesOf(off, n)
	c.top.stripes.lock(set, false)
	defer c.top.stripes.unlock(set, false)
	if err := c.top.data.Punch(off, n); err != nil {
		return ioError("zero", err)
	}
	first, count := blockRange(off, n)
	c.top.blocks.mark(first, count, zero)
	return nil
}

// extents appends what [off, off+n) holds to out.
func (c *Chain) extents(off, n int64, out *extentList) error {
	for end := off + n; off < end && !out.full(); {
		block, count := blockRange(off, end-off)
		st, run := data, count
		if c.below != nil {
			st, run = c.top.blocks.run(block, count)
		}
		to := min(end, (block+run)*blockSize)
		var err error
		switch st {
		case data:
			err = out.addFile(c.top, off, to-off)
		case zero:
			out.add(off, to-off, false)
		default:
			err = c.extentsBelow(off, to-off, out)
		}
		if err != nil {
			return err
		}
		off = to
	}
	return nil
}

// extentsBelow is extents of what the top does not have.
func (c *Chain) extentsBelow(off, n int64, out *extentList) error {
	if c.sink != nil {
		return c.sink.inner.extents(off, n, out)
	}
	return c.below.pieces(off, n, out.addPiece)
}

// errEnough ends a search for extents early.
var errEnough = errors.New("enough extents")

// extentList joins extents of one kind; it takes one more than limit, so that the
// last of those is whole.
type extentList struct {
	limit int // < 1: none
	list  []blockdev.Extent
}

func (e *extentList) full() bool { return e.limit > 0 && len(e.list) > e.limit }

func (e *extentList) add(off, n int64, data bool) {
	if n <= 0 || e.full() {
		return
	}
	if last := len(e.list) - 1; last >= 0 && e.list[last].Data == data {
		e.list[last].Len += n
		return
	}
	e.list = append(e.list, blockdev.Extent{Off: off, Len: n, Data: data})
}

func (e *extentList) addPiece(p piece) error {
	if p.from == nil {
		e.add(p.off, p.n, false)
		return nil
	}
	return e.addFile(p.from, p.off, p.n)
}

// addFile adds what the layer's data file holds in [off, off+n).
func (e *extentList) addFile(l *Layer, off, n int64) error {
	end := off + n
	err := l.ranges(off, n, func(from, to int64) error {
		e.add(off, from-off, false)
		e.add(from, to-from, true)
		off = to
		if e.full() {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	e.add(off, end-off, false)
	return err
}

// result is the extents, at most limit of them.
func (e *extentList) result() []blockdev.Extent {
	if e.full() {
		return e.list[:e.limit]
	}
	return e.list
}
