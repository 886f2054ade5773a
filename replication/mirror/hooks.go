package mirror

import (
	"context"
	"sync"

	"twinlun/blockdev"
)

// Guard is a hook that refuses every change by a host with KindReadOnly: for the
// targets of mirrors and for targets that a user wants read-only. Flushes pass.
type Guard struct {
	Reason string // what the volume is, such as "target of mirror X"
}

// Apply implements blockdev.Hook.
func (g Guard) Apply(_ context.Context, c blockdev.Change, next func() error) error {
	if c.Op == blockdev.OpFlush {
		return next()
	}
	return blockdev.Errorf(blockdev.KindReadOnly, "write", "%s", g.Reason)
}

// WriteNotify is a hook that calls a function once, before the first change goes
// on; changes that come meanwhile wait for it. Make it with NewWriteNotify.
type WriteNotify struct {
	once sync.Once
	f    func(context.Context)
}

// NewWriteNotify makes a WriteNotify. f gets the context of the write and must
// not detach the hook, which would wait for itself.
func NewWriteNotify(f func(context.Context)) *WriteNotify { return &WriteNotify{f: f} }

// Apply implements blockdev.Hook.
func (w *WriteNotify) Apply(ctx context.Context, c blockdev.Change, next func() error) error {
	if c.Op != blockdev.OpFlush {
		w.once.Do(func() { w.f(ctx) })
	}
	return next()
}

// Gate is a hook that holds changes until it is opened, so that none is lost while
// the content of a volume is replaced. Flushes pass. Make it with NewGate.
type Gate struct {
	opened chan struct{}
	once   sync.Once
	notify *WriteNotify // asked by what passes; nil: nobody is
}

// NewGate makes a Gate that is closed. note, if not nil, is called once, before the
// first change that was held goes on; see NewWriteNotify.
func NewGate(note func(context.Context)) *Gate {
	g := &Gate{opened: make(chan struct{})}
	if note != nil {
		g.notify = NewWriteNotify(note)
	}
	return g
}

// Open lets changes pass from now on. A second call does nothing.
func (g *Gate) Open() { g.once.Do(func() { close(g.opened) }) }

// Apply implements blockdev.Hook.
func (g *Gate) Apply(ctx context.Context, c blockdev.Change, next func() error) error {
	if c.Op == blockdev.OpFlush {
		return next()
	}
	select {
	case <-g.opened:
	case <-ctx.Done():
		return blockdev.Wrap(blockdev.KindClosed, "write", ctx.Err())
	}
	if g.notify != nil {
		return g.notify.Apply(ctx, c, next)
	}
	return next()
}
