package copier

import (
	"context"
	"sync"

	"twinlun/blockdev"
	"twinlun/replication/bitmap"
)

// Range is a part of a device, in bytes.
type Range struct{ Off, Len int64 }

// Work hands out what is to be copied and hears what is done. Run calls its
// methods from several goroutines.
type Work interface {
	// Next is the next range to copy; false: there is none now.
	Next() (Range, bool)
	// Copied: the target holds the range, not yet durably. The range is
	// still locked.
	Copied(Range)
	// Flushed: the target holds the ranges durably. Its error ends the copy.
	Flushed(context.Context, []Range) error
	// Left is how many bytes were not yet Copied.
	Left() int64
}

// extentsAtOnce bounds how many extents a device is asked for.
const extentsAtOnce = 1024

// Walk calls fn for what [off, off+n) of a device holds, in order; a device that
// is no blockdev.Extenter holds data everywhere.
func Walk(ctx context.Context, d blockdev.Device, off, n int64, fn func(blockdev.Extent) error) error {
	x, ok := d.(blockdev.Extenter)
	if !ok {
		return fn(blockdev.Extent{Off: off, Len: n, Data: true})
	}
	for end := off + n; off < end; {
		list, err := x.Extents(ctx, off, end-off, extentsAtOnce)
		if err != nil {
			return err
		}
		from := off
		for _, e := range list {
			if err := fn(e); err != nil {
				return err
			}
			off = e.Off + e.Len
		}
		if off <= from {
			return blockdev.Errorf(blockdev.KindInternal, "extents", "none for %d+%d", off, end-off)
		}
	}
	return nil
}

// Plan is a Work of whole regions: those with data of a full copy, or those of a
// Log. It can be run again after a failure and goes on.
type Plan struct {
	region, size int64
	log          *bitmap.Log // told what is done; nil: nobody is

	mu     sync.Mutex
	cursor int64
	left   *bitmap.Bits
}

// Full plans a copy of all of src, which nobody may write to meanwhile. With fresh
// the target reads as zeros already and regions without data are left out.
func Full(ctx context.Context, src blockdev.Device, fresh bool) (*Plan, error) {
	const region = bitmap.DefaultRegion
	p := &Plan{region: region, size: src.Size()}
	p.left = bitmap.NewBits((p.size + region - 1) / region)
	if !fresh {
		p.left.Set(0, p.left.Len())
		return p, nil
	}
	err := Walk(ctx, src, 0, p.size, func(e blockdev.Extent) error {
		if e.Data {
			p.left.Set(e.Off/region, (e.Off+e.Len+region-1)/region)
		}
		return nil
	})
	if err != nil {
		return nil, &Error{Side: Source, Op: "extents", Len: p.size, Err: err}
	}
	return p, nil
}

// Delta plans a copy of the regions that are dirty in the log now, of a device of
// this size. They are cleared in the log when they are durable on the target, so
// nobody may write to them meanwhile.
func Delta(log *bitmap.Log, size int64) *Plan {
	return &Plan{region: log.Region(), size: size, log: log, left: log.Dirty()}
}

// Next implements Work.
func (p *Plan) Next() (Range, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.left.Next(p.cursor)
	if !ok {
		p.cursor = 0 // for another Run
		return Range{}, false
	}
	p.cursor = r + 1
	off := r * p.region
	return Range{Off: off, Len: max(0, min(p.region, p.size-off))}, true
}

// Copied implements Work.
func (p *Plan) Copied(r Range) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left.Clear(r.Off/p.region, r.Off/p.region+1)
}

// Flushed implements Work.
func (p *Plan) Flushed(ctx context.Context, done []Range) error {
	if p.log == nil {
		return nil
	}
	for _, r := range done {
		p.log.Clear(r.Off/p.region, r.Off/p.region+1)
	}
	return p.log.Sync(ctx)
}

// Left implements Work.
func (p *Plan) Left() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left.Count() * p.region
}
