package scsi

import (
	"context"
	"sync"
)

// rangeLock keeps commands that change the medium apart where one of them must
// not be disturbed: a shared holder excludes exclusive ones that overlap it, an
// exclusive holder all that overlap it. Who came first goes first. The zero
// value is ready.
type rangeLock struct {
	mu         sync.Mutex // guards all below
	slots      []claim
	free       []int // indices of slots that nobody uses
	next       uint64
	exclusives int           // claims that are exclusive, held or waiting
	waiting    int           // claims that wait
	released   chan struct{} // closed when a claim ends; made when one waits
}

// claim is a range that is held or waited for; n is 0 in a free slot.
type claim struct {
	off, n    int64
	exclusive bool
	ticket    uint64
}

// acquire waits until [off, off+n) can be held, n > 0, and returns the slot to
// release. It fails only when ctx ends.
func (l *rangeLock) acquire(ctx context.Context, off, n int64, exclusive bool) (slot int, err error) {
	l.mu.Lock()
	slot = l.enterLocked(claim{off: off, n: n, exclusive: exclusive})
	for l.blockedLocked(slot) {
		if l.released == nil {
			l.released = make(chan struct{})
		}
		released := l.released
		l.waiting++
		l.mu.Unlock()
		select {
		case <-released:
		case <-ctx.Done():
			err = ctx.Err()
		}
		l.mu.Lock()
		l.waiting--
		if err != nil {
			l.leaveLocked(slot)
			break
		}
	}
	l.mu.Unlock()
	return slot, err
}

// release gives up what acquire gave.
func (l *rangeLock) release(slot int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaveLocked(slot)
}

// enterLocked puts a claim into a slot.
func (l *rangeLock) enterLocked(c claim) int {
	c.ticket = l.next
	l.next++
	if c.exclusive {
		l.exclusives++
	}
	if last := len(l.free) - 1; last >= 0 {
		slot := l.free[last]
		l.free = l.free[:last]
		l.slots[slot] = c
		return slot
	}
	l.slots = append(l.slots, c)
	return len(l.slots) - 1
}

// leaveLocked frees a slot and wakes those who wait.
func (l *rangeLock) leaveLocked(slot int) {
	if l.slots[slot].exclusive {
		l.exclusives--
	}
	l.slots[slot] = claim{}
	l.free = append(l.free, slot)
	if l.waiting > 0 && l.released != nil {
		close(l.released)
		l.released = nil
	}
}

// blockedLocked says whether an earlier claim stands in the way of a slot's.
func (l *rangeLock) blockedLocked(slot int) bool {
	if l.exclusives == 0 {
		return false
	}
	mine := &l.slots[slot]
	for i := range l.slots {
		c := &l.slots[i]
		if c.n > 0 && c.ticket < mine.ticket && (c.exclusive || mine.exclusive) &&
			c.off < mine.off+mine.n && mine.off < c.off+c.n {
			return true
		}
	}
	return false
}
