package mirror

import (
	"context"

	"twinlun/blockdev"
)

// target is the target's device as the Mirror sees it: every failure of it, on
// whatever way, breaks the mirror.
type target struct {
	blockdev.Device
	m *Mirror
}

// WriteAt implements blockdev.Device.
func (t *target) WriteAt(ctx context.Context, p []byte, off int64) error {
	return t.check(ctx, t.Device.WriteAt(ctx, p, off))
}

// WriteFUA implements blockdev.FUAWriter.
func (t *target) WriteFUA(ctx context.Context, p []byte, off int64) error {
	t.m.flushing.RLock()
	defer t.m.flushing.RUnlock()
	return t.check(ctx, blockdev.WriteFUA(ctx, t.Device, p, off))
}

// ZeroAt implements blockdev.Zeroer.
func (t *target) ZeroAt(ctx context.Context, off, n int64) error {
	return t.check(ctx, blockdev.Zero(ctx, t.Device, off, n))
}

// Flush implements blockdev.Device. It cannot be given up: its result must be
// known before the log may be cleared.
func (t *target) Flush(ctx context.Context) error {
	t.m.flushing.RLock()
	defer t.m.flushing.RUnlock()
	ctx = context.WithoutCancel(ctx)
	return t.check(ctx, t.Device.Flush(ctx))
}

// check breaks the mirror, unless the caller gave up.
func (t *target) check(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil {
		t.m.lose(t, err)
	}
	return err
}

// apply does to the target what a host does to the source. What a host gives up
// on is still done here.
func (t *target) apply(ctx context.Context, c blockdev.Change) error {
	ctx = context.WithoutCancel(ctx)
	switch {
	case c.Op == blockdev.OpFlush:
		return t.Flush(ctx)
	case c.Op == blockdev.OpWrite && c.FUA:
		return t.WriteFUA(ctx, c.Data, c.Off)
	case c.Op == blockdev.OpWrite:
		return t.WriteAt(ctx, c.Data, c.Off)
	}
	err := t.ZeroAt(ctx, c.Off, c.Len)
	if err == nil && c.FUA {
		err = t.Flush(ctx)
	}
	return err
}
