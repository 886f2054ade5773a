package layer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"twinlun/blockdev"
)

var (
	errPoolClosed   = errors.New("the pool is closed")
	errHandleClosed = errors.New("the handle is closed")
)

// Handle is a blockdev.Device on a volume. It is also a blockdev.FUAWriter, Zeroer,
// Extenter and Revisioner.
type Handle struct {
	vol  *Volume
	raw  bool
	now  atomic.Pointer[hookSet] // a closed handle keeps its last, which nobody enters
	shut func() error
}

// NewHandle opens the volume; raw handles go past the hooks. closed is called once,
// when the handle was closed and nothing runs in it any more; its error is that of
// Close.
func (v *Volume) NewHandle(raw bool, closed func() error) *Handle {
	h := &Handle{vol: v, raw: raw}
	v.hooks.open(h)
	h.shut = closeOnce(h, closed)
	return h
}

// closeOnce gives the first caller the result; later callers get nil at once.
func closeOnce(h *Handle, closed func() error) func() error {
	var once sync.Once
	return func() (err error) {
		once.Do(func() {
			h.vol.hooks.close(h)
			err = closed()
		})
		return err
	}
}

// enter begins an operation, which ends when the set is left.
func (h *Handle) enter(op string) (*hookSet, error) {
	for {
		s := h.now.Load()
		if s.use.enter() {
			return s, nil
		}
		if s == h.now.Load() { // nothing replaced it
			return nil, blockdev.Wrap(blockdev.KindClosed, op, errHandleClosed)
		}
	}
}

// ReadAt fills p from off. Where it leaves what it has entered there is no defer, because
// that costs as much as all counts of who is where: some 15 ns.
func (h *Handle) ReadAt(ctx context.Context, p []byte, off int64) error {
	in, err := h.enter("read")
	if err != nil {
		return err
	}
	err = blockdev.CheckRange("read", off, int64(len(p)), h.vol.size.Load())
	if err == nil && len(p) > 0 {
		err = kinded("read", h.vol.read(ctx, p, off))
	}
	in.use.leave()
	return err
}

// WriteAt stores p at off.
func (h *Handle) WriteAt(ctx context.Context, p []byte, off int64) error {
	return h.change(ctx, "write", blockdev.Change{Op: blockdev.OpWrite, Off: off, Len: int64(len(p)), Data: p})
}

// WriteFUA stores p at off durably.
func (h *Handle) WriteFUA(ctx context.Context, p []byte, off int64) error {
	return h.change(ctx, "write", blockdev.Change{Op: blockdev.OpWrite, Off: off, Len: int64(len(p)), Data: p, FUA: true})
}

// ZeroAt makes [off, off+n) zeros.
func (h *Handle) ZeroAt(ctx context.Context, off, n int64) error {
	return h.change(ctx, "zero", blockdev.Change{Op: blockdev.OpZero, Off: off, Len: n})
}

// Flush makes everything durable that was written before.
func (h *Handle) Flush(ctx context.Context) error {
	return h.change(ctx, "flush", blockdev.Change{Op: blockdev.OpFlush})
}

// change checks c and takes it through the hooks. As ReadAt it leaves without a defer.
func (h *Handle) change(ctx context.Context, op string, c blockdev.Change) error {
	in, err := h.enter(op)
	if err != nil {
		return err
	}
	err = blockdev.CheckRange(op, c.Off, c.Len, h.vol.size.Load())
	switch {
	case err != nil || c.Len == 0 && c.Op != blockdev.OpFlush:
	case len(in.hooks) > 0:
		err = h.hooked(ctx, op, c, in)
	default:
		err = kinded(op, h.vol.do(ctx, &c))
	}
	in.use.leave()
	return err
}

// hooked takes c through the hooks.
func (h *Handle) hooked(ctx context.Context, op string, c blockdev.Change, in *hookSet) error {
	return in.apply(ctx, 0, c, func() error { return kinded(op, h.vol.do(ctx, &c)) })
}

// Extents lists what [off, off+n) holds.
func (h *Handle) Extents(ctx context.Context, off, n int64, limit int) ([]blockdev.Extent, error) {
	in, err := h.enter("extents")
	if err != nil {
		return nil, err
	}
	defer in.use.leave()
	if err := blockdev.CheckRange("extents", off, n, h.vol.size.Load()); err != nil {
		return nil, err
	}
	list, err := h.vol.extents(ctx, off, n, limit)
	return list, kinded("extents", err)
}

// Size is the length in bytes.
func (h *Handle) Size() int64 { return h.vol.size.Load() }

// Revision counts the replacements of the volume's content.
func (h *Handle) Revision() uint64 { return h.vol.revision.Load() }

// Close waits for what runs in the handle. It does not flush.
func (h *Handle) Close() error { return h.shut() }

// kinded gives an error that has no kind one, and keeps its cause.
func kinded(op string, err error) error {
	if err == nil {
		return nil
	}
	return withKind(op, err)
}

func withKind(op string, err error) error {
	if _, ok := errors.AsType[*blockdev.Error](err); ok {
		return err
	}
	return blockdev.Wrap(blockdev.KindInternal, op, err)
}
