// Package faultdev wraps a block device so that a test can make chosen calls
// fail, tear or wait, and count what was called.
package faultdev

import (
	"context"
	"sync"

	"twinlun/blockdev"
)

// Op is a call of a device that a fault can meet.
type Op uint8

// The calls that pass through a plan.
const (
	OpRead Op = iota
	OpWrite
	OpFUA
	OpZero
	OpExtents
	OpFlush
	OpClose
	opCount
)

// Fault changes what happens to the calls that it meets.
type Fault struct {
	// Ops are the calls it meets; none means all.
	Ops []Op
	// Off and Len are the range that a call must touch, in bytes; a Len of 0
	// means any. Flush and Close touch nothing and are met only without one.
	Off, Len int64
	// After calls that would be met pass untouched first.
	After int
	// Times is how many calls are met then; 0 means all that follow.
	Times int

	// Gate runs before the call and may hold it back. What it returns fails
	// the call.
	Gate func(ctx context.Context) error
	// Torn bytes of a write or a zero are carried out before it fails with
	// Err; rounded down to whole sectors.
	Torn int64
	// Err is returned instead of making the call; nil makes it.
	Err error
}

// Plan decides the fate of the calls of a wrapped device and counts them. All
// methods may be called at the same time as the device's.
type Plan struct {
	mu     sync.Mutex // guards all below
	faults []*armed
	counts [opCount]int
}

// armed is a fault and how many calls would have been met so far.
type armed struct {
	Fault
	seen int
}

// Inject adds faults. Where several meet a call, the one injected first acts.
func (p *Plan) Inject(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range faults {
		p.faults = append(p.faults, &armed{Fault: f})
	}
}

// Clear removes all faults. Calls that a gate holds stay held by it.
func (p *Plan) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// Count is how often the calls were made since the beginning, also those that
// failed; without an op it counts all.
func (p *Plan) Count(ops ...Op) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	total := 0
	for op, n := range p.counts {
		if contains(ops, Op(op)) {
			total += n
		}
	}
	return total
}

// meet counts a call and gives the fault that acts on it, if any.
func (p *Plan) meet(op Op, off, n int64) *Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[op]++
	var found *Fault
	for _, a := range p.faults {
		if !a.touches(op, off, n) {
			continue
		}
		a.seen++
		if found == nil && a.seen > a.After && (a.Times == 0 || a.seen <= a.After+a.Times) {
			found = &a.Fault
		}
	}
	return found
}

// touches says whether the fault is about such a call at all.
func (f *Fault) touches(op Op, off, n int64) bool {
	return contains(f.Ops, op) && (f.Len == 0 || off < f.Off+f.Len && f.Off < off+n)
}

// contains says whether op is in ops; an empty list holds all.
func contains(ops []Op, op Op) bool {
	for _, o := range ops {
		if o == op {
			return true
		}
	}
	return len(ops) == 0
}

// run makes a call on [off, off+n) unless a fault stops it. part carries out the
// first m bytes of the call.
func (p *Plan) run(ctx context.Context, op Op, off, n int64, part func(m int64) error) error {
	f := p.meet(op, off, n)
	if f == nil {
		return part(n)
	}
	if f.Gate != nil {
		if err := f.Gate(ctx); err != nil {
			return err
		}
	}
	if f.Err == nil {
		return part(n)
	}
	torn := min(f.Torn, n) &^ (blockdev.SectorSize - 1)
	if torn > 0 && (op == OpWrite || op == OpFUA || op == OpZero) {
		if err := part(torn); err != nil {
			return err
		}
	}
	return f.Err
}
