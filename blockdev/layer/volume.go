package layer

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"twinlun/blockdev"
)

const (
	// writePiece is the largest part of a write that is made at once; between
	// the parts a snapshot may be taken. Bytes.
	writePiece = 16 << 20
	// zeroPiece is the same for ZeroAt.
	zeroPiece = 1 << 30
)

// Volume is a chain that is in use. Its handles keep working when the chain is
// exchanged for another.
type Volume struct {
	chain  atomic.Pointer[Chain]
	size   atomic.Int64
	closed atomic.Bool
	zeros  bool       // writes of zeros are made like ZeroAt
	guards guards     // all of them shut, nothing is written
	quiet  sync.Mutex // of who quiesces
	hooks  *Hooks
	// revision counts the replacements of the content; see Replace.
	revision atomic.Uint64
}

// NewVolume puts chain in use as a volume of size bytes; its top is at least as long.
func NewVolume(chain *Chain, size int64) *Volume {
	v := &Volume{hooks: NewHooks()}
	v.guards.init()
	v.chain.Store(chain)
	v.size.Store(size)
	return v
}

// DetectZeros has writes of whole blocks that are nothing but zeros take no space. It
// comes before the first write.
func (v *Volume) DetectZeros() { v.zeros = true }

// SetHooks has changes pass h, which may have hooks already. It comes before the first
// handle.
func (v *Volume) SetHooks(h *Hooks) { v.hooks = h }

// allZero looks at whole words; len(p) is a multiple of blockSize.
func allZero(p []byte) bool {
	for ; len(p) > 0; p = p[8:] {
		if binary.NativeEndian.Uint64(p) != 0 {
			return false
		}
	}
	return true
}

// Quiesce returns when no write is in a layer, and lets none in until Resume.
// Writes, zeroing and durable writes wait; reads and flushes go on. Hooks are
// outside: a change can be in a hook all the time.
func (v *Volume) Quiesce() { QuiesceAll(v) }

// Resume ends Quiesce, or QuiesceAll for one of the volumes.
func (v *Volume) Resume() {
	v.guards.open(everywhere())
	v.quiet.Unlock()
}

// Chain is the present chain. It stays as long as the caller keeps others from
// exchanging it.
func (v *Volume) Chain() *Chain { return v.chain.Load() }

// Swap exchanges the chain. The volume must be quiesced, and the new chain show the
// same unless the content is to be replaced. The old one is returned, to be
// retired.
func (v *Volume) Swap(chain *Chain) *Chain { return v.chain.Swap(chain) }

// Replace notes that the next Swap replaces the content: handles tell of it by their
// Revision. The volume must be quiesced.
func (v *Volume) Replace() { v.revision.Add(1) }

// Grow shows a new, larger size. The top must have it already.
func (v *Volume) Grow(size int64) { v.size.Store(max(size, v.size.Load())) }

// Shut makes all handles fail with KindClosed. No write is under way: there are no
// handles.
func (v *Volume) Shut() { v.closed.Store(true) }

// Close makes all handles fail with KindClosed and waits for the writes that are
// under way below the hooks.
func (v *Volume) Close() {
	v.closed.Store(true)
	v.quiet.Lock()
	v.guards.shut(everywhere())
	v.Resume()
}

// usable says whether the volume and ctx allow one more operation.
func (v *Volume) usable(ctx context.Context, op string) error {
	if v.closed.Load() {
		return closedError(op)
	}
	return ctx.Err()
}

func closedError(op string) error {
	return blockdev.Wrap(blockdev.KindClosed, op, errPoolClosed)
}

// reading runs fn on the present chain, which lasts until fn returns.
func (v *Volume) reading(fn func(*Chain) error) error {
	c, err := v.enter()
	if err != nil {
		return err
	}
	defer c.use.leave()
	return fn(c)
}

// enter gives the present chain, which stays until the caller leaves it.
func (v *Volume) enter() (*Chain, error) {
	for {
		c := v.chain.Load()
		if c.use.enter() {
			return c, nil
		}
		if v.closed.Load() && v.chain.Load() == c { // nothing replaced the chain
			return nil, closedError("use volume")
		}
	}
}

// writing runs fn, which changes [off, off+n), on the present chain, which is not
// exchanged until fn returns.
func (v *Volume) writing(ctx context.Context, op string, off, n int64, fn func(*Chain) error) error {
	first, count := guardsOf(off, n)
	v.guards.enter(first, count)
	defer v.guards.leave(first, count)
	if err := v.usable(ctx, op); err != nil {
		return err
	}
	return fn(v.chain.Load())
}

// do makes a change below the hooks.
func (v *Volume) do(ctx context.Context, c *blockdev.Change) error {
	switch c.Op {
	case blockdev.OpWrite:
		if v.zeros && c.Off%blockSize == 0 && c.Len%blockSize == 0 && allZero(c.Data) {
			return v.zero(ctx, c)
		}
		return v.write(ctx, c)
	case blockdev.OpZero:
		return v.zero(ctx, c)
	}
	return v.Flush(ctx)
}

func (v *Volume) write(ctx context.Context, c *blockdev.Change) error {
	durable := true
	for p, off := c.Data, c.Off; len(p) > 0; {
		part := p[:min(len(p), writePiece)]
		done, err := v.writePart(ctx, part, off, c.FUA)
		if err != nil {
			return err
		}
		durable = durable && done
		p, off = p[len(part):], off+int64(len(part))
	}
	if durable {
		return nil
	}
	return v.Flush(ctx) // nobody who quiesces waits for it
}

// writePart writes p, and says whether no flush is needed any more.
func (v *Volume) writePart(ctx context.Context, p []byte, off int64, fua bool) (done bool, err error) {
	first, count := guardsOf(off, int64(len(p)))
	v.guards.enter(first, count)
	if err = v.usable(ctx, "write"); err == nil {
		if c := v.chain.Load(); fua {
			done, err = c.writeFUA(p, off)
		} else {
			done, err = true, c.writeAt(p, off)
		}
	}
	v.guards.leave(first, count)
	return done, err
}

func (v *Volume) zero(ctx context.Context, c *blockdev.Change) error {
	for off, n := c.Off, c.Len; n > 0; {
		part := min(n, zeroPiece)
		err := v.writing(ctx, "zero", off, part, func(ch *Chain) error { return ch.zeroAt(off, part) })
		if err != nil {
			return err
		}
		off, n = off+part, n-part
	}
	if c.FUA {
		return v.Flush(ctx)
	}
	return nil
}

// Flush makes durable what was written before, below the hooks.
func (v *Volume) Flush(ctx context.Context) error {
	if err := v.usable(ctx, "flush"); err != nil {
		return err
	}
	return v.reading((*Chain).Flush)
}

// Drain is Flush after Close.
func (v *Volume) Drain() error { return v.reading((*Chain).Flush) }

// Settle makes durable what had been written when the top was put over it, without
// what came since.
func (v *Volume) Settle(ctx context.Context) error {
	if err := v.usable(ctx, "flush"); err != nil {
		return err
	}
	return v.reading((*Chain).settle)
}

// read reads all of p.
func (v *Volume) read(ctx context.Context, p []byte, off int64) error {
	if err := v.usable(ctx, "read"); err != nil {
		return err
	}
	c, err := v.enter()
	if err != nil {
		return err
	}
	first, count := guardsOf(off, int64(len(p)))
	before := v.guards.came(first, count)
	quiet := before&guardInsideBits == 0
	if quiet {
		err = c.readAt(p, off)
	}
	if !quiet || err == nil && v.guards.came(first, count) != before {
		v.guards.shut(first, count)
		err = c.readAt(p, off)
		v.guards.open(first, count)
	}
	c.use.leave()
	return err
}

// extents lists what a range holds.
func (v *Volume) extents(ctx context.Context, off, n int64, limit int) ([]blockdev.Extent, error) {
	if err := v.usable(ctx, "extents"); err != nil {
		return nil, err
	}
	out := &extentList{limit: limit}
	err := v.reading(func(c *Chain) error { return c.extents(off, n, out) })
	return out.result(), err
}
