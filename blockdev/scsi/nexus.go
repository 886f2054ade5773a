package scsi

import (
	"maps"
	"math/bits"
	"sync"
	"sync/atomic"
)

// attention is a set of unit attention conditions; of several, the lowest bit is
// reported first (SAM-5 section 5.14.3).
type attention = uint32

const (
	attentionPowerOn attention = 1 << iota
	attentionReset
	attentionCapacity
	attentionContent
)

// attentionSense gives the condition of one bit.
var attentionSense = [...]condition{powerOn, resetOccurred, capacityChanged, mediumMayHaveChanged}

// nexus is what the unit remembers of one initiator.
type nexus struct {
	users   int           // attachments, guarded by nexusTable.mu
	pending atomic.Uint32 // attention

	// Of the device when the nexus last knew it.
	size     atomic.Int64
	revision atomic.Uint64
}

// take removes the first unit attention and returns it, or nil. size and revision
// are those of the device now.
func (n *nexus) take(size int64, revision uint64) error {
	if old := n.size.Load(); size > old && n.size.CompareAndSwap(old, size) {
		n.pending.Or(attentionCapacity)
	}
	if old := n.revision.Load(); revision > old && n.revision.CompareAndSwap(old, revision) {
		n.pending.Or(attentionContent)
	}
	for {
		pending := n.pending.Load()
		if pending == 0 {
			return nil
		}
		first := bits.TrailingZeros32(pending)
		if n.pending.CompareAndSwap(pending, pending&^(1<<first)) {
			return attentionSense[first]
		}
	}
}

// nexusTable holds the nexuses of a unit, and which of them has reserved it.
// Commands only read it, without a lock.
type nexusTable struct {
	list   atomic.Pointer[map[Nexus]*nexus] // replaced, never changed
	holder atomic.Pointer[Nexus]            // of the reservation

	mu sync.Mutex // serialises changes of both
}

// get finds a nexus; nil if it is not attached.
func (t *nexusTable) get(n Nexus) *nexus {
	if list := t.list.Load(); list != nil {
		return (*list)[n]
	}
	return nil
}

// attach adds n, or one user to it, with a POWER ON unit attention.
func (t *nexusTable) attach(n Nexus, size int64, revision uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.get(n)
	if x == nil {
		x = &nexus{}
		t.changeLocked(func(list map[Nexus]*nexus) { list[n] = x })
	}
	x.users++
	x.size.Store(size)
	x.revision.Store(revision)
	x.pending.Or(attentionPowerOn)
}

// detach takes one user off n; the last takes its reservation along.
func (t *nexusTable) detach(n Nexus) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.get(n)
	if x == nil {
		return
	}
	if x.users--; x.users > 0 {
		return
	}
	t.changeLocked(func(list map[Nexus]*nexus) { delete(list, n) })
	t.releaseLocked(n)
}

// changeLocked replaces the list by a changed copy.
func (t *nexusTable) changeLocked(change func(map[Nexus]*nexus)) {
	list := make(map[Nexus]*nexus)
	if old := t.list.Load(); old != nil {
		maps.Copy(list, *old)
	}
	change(list)
	t.list.Store(&list)
}

// reset ends the reservation and gives every nexus a unit attention.
func (t *nexusTable) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.holder.Store(nil)
	if list := t.list.Load(); list != nil {
		for _, x := range *list {
			x.pending.Or(attentionReset)
		}
	}
}

// reservedAgainst says whether another nexus than n has reserved the unit.
func (t *nexusTable) reservedAgainst(n Nexus) bool {
	holder := t.holder.Load()
	return holder != nil && *holder != n
}

// reserve makes n the holder; false if another is, or if n is not attached and
// so could never lose it.
func (t *nexusTable) reserve(n Nexus) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.get(n) == nil || t.reservedAgainst(n) {
		return false
	}
	t.holder.Store(&n)
	return true
}

// release ends n's reservation, if it has one.
func (t *nexusTable) release(n Nexus) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.releaseLocked(n)
}

// releaseLocked is release with the lock held.
func (t *nexusTable) releaseLocked(n Nexus) {
	if holder := t.holder.Load(); holder != nil && *holder == n {
		t.holder.Store(nil)
	}
}
