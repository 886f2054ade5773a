package layer

import (
	"context"
	"errors"
	"sync/atomic"

	"twinlun/blockdev"
)

// sinking is what a chain has whose top goes down into the layer below while the
// volume is in use. Changes of blocks that the top does not have are made below at
// once, so the top does not grow however fast the volume is written to. Those of
// blocks that it has are made in both, so a block that was copied stays a copy.
//
// Until the top is taken away it hides what it has: nothing that is written below
// in blocks of the top can be seen before, also after a power cut.
type sinking struct {
	inner   *Chain // the layer below as the top it will be
	broken  atomic.Bool
	lifting atomic.Bool // a change that does not reach the layer below fails
}

// matters is err where a change must reach the layer below, otherwise nil. It comes
// after broken is set, so that Lift either finds that or makes err matter.
func (s *sinking) matters(err error) error {
	if s.lifting.Load() {
		return err
	}
	return nil
}

// errBroken ends a Sink some of whose copies could not be kept up to date.
var errBroken = blockdev.Wrap(blockdev.KindIO, "merge layers", errors.New("a write did not reach the layer below"))

// NewSinking puts top over into over below, as a chain whose Sink can be called
// while it is in use. Nothing but top may stand on into, which must be as long as
// top at least, now and at the next start; nil as below means that into stands on
// nothing. The top must not grow while the chain is in use.
func NewSinking(top, into *Layer, below *View) *Chain {
	inner := NewChain(into, below)
	layers := []*Layer{into}
	if inner.below != nil {
		layers = append(layers, inner.below.layers...)
	}
	c := NewChain(top, NewView(layers, true))
	c.sink = &sinking{inner: inner}
	return c
}

// Failed is the error that ended writing to the chain, or nil.
func (c *Chain) Failed() error {
	if err := c.top.Failed(); err != nil || c.sink == nil {
		return err
	}
	return c.sink.inner.top.Failed()
}

// Flush makes everything durable that was written through the chain, and through
// those that it came after, before it was called.
func (c *Chain) Flush() error {
	if err := c.settle(); err != nil {
		return err
	}
	if err := c.top.Flush(); err != nil || c.sink == nil {
		return err
	}
	return c.sink.inner.top.Flush()
}

// Sink brings the top of a chain that NewSinking made down into the layer below.
// When it has returned nil, that layer alone shows what the chain shows, as long as
// Sunk says so, too; what was there when Sink was called is durable in it. It can be
// interrupted and called again, also on a new chain. If another chain takes the place of
// this one meanwhile, it should be interrupted: what it does then is of no use, and no
// harm either.
func (c *Chain) Sink(ctx context.Context, pace Pace) error {
	into := c.sink.inner.top
	grounded := c.sink.inner.below == nil
	m := &mover{into: into, pace: pace, sparse: grounded, keep: !grounded, piece: stripeSize}
	size := min(c.top.Size(), into.Size()) // the top may be in use by another chain, and longer, already
	return m.run(ctx, size, c.top.emptyFrom, func(off, n int64) error {
		if err := c.Sunk(); err != nil {
			return err
		}
		set := stripesOf(off, n)
		into.stripes.lock(set, true)
		defer into.stripes.unlock(set, true)
		return m.sinkPiece(c.top, off, n)
	})
}

// Sinking says that NewSinking made the chain.
func (c *Chain) Sinking() bool { return c.sink != nil }

// Sunk says, as an error, that a copy below is not what the top has.
func (c *Chain) Sunk() error {
	if c.sink.broken.Load() {
		return errBroken
	}
	return nil
}

// Lift says that the layer below is to be the top, with everything that is written
// from now on: a change of which that cannot be said fails. The error is that of Sunk.
// It comes after a Sink that returned nil.
func (c *Chain) Lift() error {
	c.sink.lifting.Store(true)
	return c.Sunk()
}

// Stay takes Lift back.
func (c *Chain) Stay() { c.sink.lifting.Store(false) }

// split calls fn for the runs of blocks in one state of the top.
func (c *Chain) split(off, n int64, fn func(off, n int64, st state) error) error {
	for end := off + n; off < end; {
		block, count := blockRange(off, end-off)
		st, run := c.top.blocks.run(block, count)
		to := min(end, (block+run)*blockSize)
		if err := fn(off, to-off, st); err != nil {
			return err
		}
		off = to
	}
	return nil
}

// sinkingWrite stores p.
func (c *Chain) sinkingWrite(p []byte, off int64) error {
	return c.split(off, int64(len(p)), func(at, n int64, st state) error {
		part := p[at-off:][:n]
		if st == absent {
			return c.sink.inner.writeAt(part, at)
		}
		if err := c.top.affordIn(st, at, n); err != nil {
			return err
		}
		return c.both(at, n, st, func(l *Layer) error {
			_, err := l.data.WriteAt(part, at)
			return ioError("write", err)
		})
	})
}

// sinkingZero makes [off, off+n) zeros.
func (c *Chain) sinkingZero(off, n int64) error {
	return c.split(off, n, func(at, n int64, st state) error {
		switch st {
		case absent:
			return c.sink.inner.zeroAt(at, n)
		case zero:
			return nil
		}
		return c.both(at, n, st, func(l *Layer) error { return ioError("zero", l.data.Punch(at, n)) })
	})
}

// both makes one change of blocks that the top has, which are in state st, there and
// below, with nobody else changing or copying them. Before Lift the top's is what counts:
// if the other fails, only the copy has to begin again.
func (c *Chain) both(off, n int64, st state, change func(*Layer) error) error {
	inner := c.sink.inner
	set := stripesOf(off, n)
	inner.top.stripes.lock(set, true)
	defer inner.top.stripes.unlock(set, true)
	if st == zero {
		if err := c.emptyBelow(off, n); err != nil {
			c.sink.broken.Store(true)
		}
	}
	if err := c.put(off, n, st, change); err != nil {
		c.sink.broken.Store(true) // the top has some of it, perhaps
		return err
	}
	if err := c.Sunk(); err != nil { // the copy below is of no use, and must not be marked
		return c.sink.matters(err)
	}
	if err := change(inner.top); err != nil {
		c.sink.broken.Store(true)
		return c.sink.matters(err)
	}
	if first, count := blockRange(off, n); st == zero && inner.below != nil {
		inner.top.blocks.mark(first, count, data) // a copy may have to mark it zero yet
	}
	return nil
}

// emptyBelow takes away what the layer below has where the top has zeros: the blocks
// will be marked there before the rest of them is copied, and a power cut may forget
// that the top has them.
func (c *Chain) emptyBelow(off, n int64) error {
	first, count := blockRange(off, n)
	end := min((first+count)*blockSize, c.top.Size())
	return c.split(first*blockSize, end-first*blockSize, func(at, n int64, st state) error {
		if st != zero {
			return nil // another was quicker
		}
		return c.sink.inner.top.data.Punch(at, n)
	})
}

// put makes the change in the top.
func (c *Chain) put(off, n int64, st state, change func(*Layer) error) error {
	if st == data {
		return change(c.top)
	}
	if err := c.bringRest(off, n); err != nil { // zeros
		return err
	}
	if err := change(c.top); err != nil {
		return err
	}
	first, count := blockRange(off, n)
	c.top.blocks.mark(first, count, data)
	return nil
}
