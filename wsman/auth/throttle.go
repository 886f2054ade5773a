package auth

import (
	"container/list"
	"sync"
	"time"
)

// After this many failures attempts have to wait, longer with each failure more.
const (
	freePerUser   = 5  // of one remote address for one user
	freePerRemote = 50 // of one remote address in all
	throttleMax   = time.Minute
	throttleKeep  = 15 * time.Minute
	throttleSize  = 4096
)

// attempt is whose failures are counted together; user is empty for all of a
// remote address.
type attempt struct{ remote, user string }

// throttle counts failed attempts in a table of bounded size: the oldest entry
// makes place for a new one. Safe for concurrent use.
type throttle struct {
	mu      sync.Mutex // guards what follows
	entries map[attempt]*list.Element
	order   *list.List // of *failures, the one that failed last in front
}

type failures struct {
	who   attempt
	count int
	last  time.Time
}

func newThrottle() *throttle {
	return &throttle{entries: map[attempt]*list.Element{}, order: list.New()}
}

// wait is how long the remote address must wait before a password of the user
// is looked at again; 0 is not at all.
func (t *throttle) wait(remote, user string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(t.waitLocked(attempt{remote, user}, freePerUser, now),
		t.waitLocked(attempt{remote, ""}, freePerRemote, now))
}

func (t *throttle) waitLocked(who attempt, free int, now time.Time) time.Duration {
	el := t.entries[who]
	if el == nil {
		return 0
	}
	f := el.Value.(*failures)
	if now.Sub(f.last) > throttleKeep {
		t.dropLocked(el)
		return 0
	}
	if f.count < free {
		return 0
	}
	pause := min(time.Second<<min(f.count-free, 10), throttleMax)
	return max(0, f.last.Add(pause).Sub(now))
}

// failed counts a failure.
func (t *throttle) failed(remote, user string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.countLocked(attempt{remote, user}, now)
	t.countLocked(attempt{remote, ""}, now)
}

func (t *throttle) countLocked(who attempt, now time.Time) {
	el := t.entries[who]
	if el == nil {
		if t.order.Len() >= throttleSize {
			t.dropLocked(t.order.Back())
		}
		el = t.order.PushFront(&failures{who: who})
		t.entries[who] = el
	}
	f := el.Value.(*failures)
	if now.Sub(f.last) > throttleKeep {
		f.count = 0
	}
	f.count++
	f.last = now
	t.order.MoveToFront(el)
}

// succeeded forgets the failures for the user.
func (t *throttle) succeeded(remote, user string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if el := t.entries[attempt{remote, user}]; el != nil {
		t.dropLocked(el)
	}
}

func (t *throttle) dropLocked(el *list.Element) {
	delete(t.entries, el.Value.(*failures).who)
	t.order.Remove(el)
}
