package faultdev

import (
	"context"

	"twinlun/blockdev"
)

// Wrap gives a device that does what d does, except where the plan says
// otherwise. It has those optional interfaces of blockdev that d has.
func Wrap(d blockdev.Device) (blockdev.Device, *Plan) {
	p := &Plan{}
	base := &device{Device: d, plan: p}
	return withOptional(base, d), p
}

// withOptional adds to base the optional interfaces that d has.
func withOptional(base *device, d blockdev.Device) blockdev.Device {
	f, hasFUA := d.(blockdev.FUAWriter)
	z, hasZero := d.(blockdev.Zeroer)
	e, hasExtents := d.(blockdev.Extenter)
	fua, zero, extents := &fuaWriter{f, base.plan}, &zeroer{z, base.plan}, &extenter{e, base.plan}
	switch {
	case hasFUA && hasZero && hasExtents:
		return struct {
			*device
			*fuaWriter
			*zeroer
			*extenter
		}{base, fua, zero, extents}
	case hasFUA && hasZero:
		return struct {
			*device
			*fuaWriter
			*zeroer
		}{base, fua, zero}
	case hasFUA && hasExtents:
		return struct {
			*device
			*fuaWriter
			*extenter
		}{base, fua, extents}
	case hasZero && hasExtents:
		return struct {
			*device
			*zeroer
			*extenter
		}{base, zero, extents}
	case hasFUA:
		return struct {
			*device
			*fuaWriter
		}{base, fua}
	case hasZero:
		return struct {
			*device
			*zeroer
		}{base, zero}
	case hasExtents:
		return struct {
			*device
			*extenter
		}{base, extents}
	}
	return base
}

// device is the part that every wrapped device has.
type device struct {
	blockdev.Device
	plan *Plan
}

// ReadAt reads through the plan.
func (d *device) ReadAt(ctx context.Context, p []byte, off int64) error {
	return d.plan.run(ctx, OpRead, off, int64(len(p)), func(int64) error {
		return d.Device.ReadAt(ctx, p, off)
	})
}

// WriteAt writes through the plan.
func (d *device) WriteAt(ctx context.Context, p []byte, off int64) error {
	return d.plan.run(ctx, OpWrite, off, int64(len(p)), func(m int64) error {
		return d.Device.WriteAt(ctx, p[:m], off)
	})
}

// Flush flushes through the plan.
func (d *device) Flush(ctx context.Context) error {
	return d.plan.run(ctx, OpFlush, 0, 0, func(int64) error { return d.Device.Flush(ctx) })
}

// Close closes through the plan.
func (d *device) Close() error {
	return d.plan.run(context.Background(), OpClose, 0, 0, func(int64) error { return d.Device.Close() })
}

// fuaWriter adds blockdev.FUAWriter.
type fuaWriter struct {
	to   blockdev.FUAWriter
	plan *Plan
}

// WriteFUA writes through the plan.
func (w *fuaWriter) WriteFUA(ctx context.Context, p []byte, off int64) error {
	return w.plan.run(ctx, OpFUA, off, int64(len(p)), func(m int64) error {
		return w.to.WriteFUA(ctx, p[:m], off)
	})
}

// zeroer adds blockdev.Zeroer.
type zeroer struct {
	to   blockdev.Zeroer
	plan *Plan
}

// ZeroAt zeroes through the plan.
func (z *zeroer) ZeroAt(ctx context.Context, off, n int64) error {
	return z.plan.run(ctx, OpZero, off, n, func(m int64) error { return z.to.ZeroAt(ctx, off, m) })
}

// extenter adds blockdev.Extenter.
type extenter struct {
	to   blockdev.Extenter
	plan *Plan
}

// Extents lists through the plan.
func (e *extenter) Extents(ctx context.Context, off, n int64, limit int) ([]blockdev.Extent, error) {
	var list []blockdev.Extent
	err := e.plan.run(ctx, OpExtents, off, n, func(int64) (err error) {
		list, err = e.to.Extents(ctx, off, n, limit)
		return err
	})
	return list, err
}
