package layer

import (
	"sync"
	"sync/atomic"
)

const (
	guardSize  = 64 << 10 // bytes of a volume that one guard stands for
	guardCount = 128
)

// guards count the writes in each part of a volume, and keep them out of where
// somebody wants none: a read that one of them came into the way of, because some
// filesystems let it see a write half-way within a sector (ext4 copies into a page
// that is being read), and whoever quiesces the volume. Several may shut the same
// part. Writes enter without a lock where nobody has.
//
// A write that finds a guard shut leaves all that it has entered before it waits, so
// those who shut guards wait for nothing but the writes that are under way.
type guards struct {
	of [guardCount]atomic.Uint64

	mu      sync.Mutex
	changed sync.Cond // a guard that is shut was left, or one is open again
}

// What a guard counts, each in some bits of its word. The count of those that came may
// overflow: it is only looked at whether it has changed during one read.
const (
	guardInside = 1       // writes that are under way, or just looking
	guardShut   = 1 << 20 // those who want none
	guardCame   = 1 << 40 // writes that ever entered

	guardInsideBits = guardShut - guardInside
	guardShutBits   = guardCame - guardShut
)

func (g *guards) init() { g.changed.L = &g.mu }

// guardsOf gives the guards of [off, off+n): count of them from first on, the first
// following the last.
func guardsOf(off, n int64) (first, count uint) {
	from, to := uint64(off)/guardSize, uint64(off+n-1)/guardSize
	return uint(from % guardCount), uint(min(to-from+1, guardCount))
}

// everywhere is all of them.
func everywhere() (first, count uint) { return 0, guardCount }

// at is the i-th guard, counted on from the last at the first again.
func (g *guards) at(i uint) *atomic.Uint64 { return &g.of[i%guardCount] }

// enter is called before a range is written.
func (g *guards) enter(first, count uint) {
	for i := first; i < first+count; i++ {
		if g.at(i).Add(guardCame+guardInside)&guardShutBits != 0 {
			g.leave(first, i+1-first)
			g.waitOpen(i)
			i = first - 1 // begin again
		}
	}
}

// leave is called after it was.
func (g *guards) leave(first, count uint) {
	awaited := uint64(0)
	for i := first; i < first+count; i++ {
		awaited |= g.at(i).Add(^uint64(guardInside-1)) & guardShutBits
	}
	if awaited != 0 {
		g.ring()
	}
}

// ring wakes all who wait for a guard.
func (g *guards) ring() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changed.Broadcast()
}

// waitOpen returns when nobody has shut the i-th guard.
func (g *guards) waitOpen(i uint) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.at(i).Load()&guardShutBits != 0 {
		g.changed.Wait()
	}
}

// shut returns when no write is in a range, and lets none in until open.
func (g *guards) shut(first, count uint) { g.shutUntil(first, count, nil) }

// shutUntil is shut that gives up, and says so, when a write is still in the range when
// late says true. Whoever makes that so calls ring.
func (g *guards) shutUntil(first, count uint, late func() bool) bool {
	for i := first; i < first+count; i++ {
		g.at(i).Add(guardShut)
	}
	if g.drain(first, count, late) {
		return true
	}
	g.open(first, count)
	return false
}

// drain returns when no write is in a range any more, or it is late.
func (g *guards) drain(first, count uint, late func() bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := first; i < first+count; i++ {
		for g.at(i).Load()&guardInsideBits != 0 {
			if late != nil && late() {
				return false
			}
			g.changed.Wait()
		}
	}
	return true
}

// open ends shut.
func (g *guards) open(first, count uint) {
	for i := first; i < first+count; i++ {
		g.at(i).Add(^uint64(guardShut - 1))
	}
	g.ring()
}

// came tells by its bits guardInsideBits whether a write is in a range. As long as it
// stays the same none has come.
func (g *guards) came(first, count uint) (sum uint64) {
	for i := first; i < first+count; i++ {
		sum += g.at(i).Load() &^ guardShutBits
	}
	return sum
}
