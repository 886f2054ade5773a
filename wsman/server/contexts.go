package server

import (
	"sync"
	"time"

	"twinlun/wsman"
)

// contexts are the enumerations under way, by their context id. An entry is either
// used by one request or idle; idle ones expire.
type contexts struct {
	limit, perUser int
	idle           time.Duration

	mu     sync.Mutex // guards what follows
	byID   map[string]*contextEntry
	byUser map[string]int
}

type contextEntry struct {
	cursor  *cursor
	user    string
	busy    bool
	gone    bool      // not in the table any more
	expires time.Time // if not busy
}

func newContexts(l Limits) *contexts {
	return &contexts{
		limit: l.Contexts, perUser: l.ContextsPerUser, idle: l.ContextIdle,
		byID: map[string]*contextEntry{}, byUser: map[string]int{},
	}
}

// add takes in a new enumeration, in use by the caller, who must put it back. It
// fails with QuotaLimit and closes the cursor where there are too many.
func (t *contexts) add(c *cursor, user string, now time.Time) (*contextEntry, error) {
	t.sweep(now)
	if e := t.insert(c, user); e != nil {
		return e, nil
	}
	c.close()
	return nil, wsman.QuotaLimit("there are too many enumerations under way")
}

func (t *contexts) insert(c *cursor, user string) *contextEntry {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.byID) >= t.limit || t.byUser[user] >= t.perUser {
		return nil
	}
	e := &contextEntry{cursor: c, user: user, busy: true}
	t.byID[c.id] = e
	t.byUser[user]++
	return e
}

// take finds an enumeration for its user, who must put it back. It fails with
// InvalidEnumerationContext, and with Concurrency while another request has it.
func (t *contexts) take(id, user string, now time.Time) (*contextEntry, error) {
	t.sweep(now)
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byID[id]
	switch {
	case e == nil || e.user != user:
		return nil, wsman.InvalidEnumerationContext("there is no such enumeration: it has ended, was released or has expired")
	case e.busy:
		return nil, wsman.Concurrency("another request uses this enumeration")
	}
	e.busy = true
	return e, nil
}

// put gives an enumeration back. With keep it stays for the next request, unless
// it was removed meanwhile; else it ends.
func (t *contexts) put(e *contextEntry, keep bool, now time.Time) {
	if !t.restore(e, keep, now) {
		e.cursor.close()
	}
}

func (t *contexts) restore(e *contextEntry, keep bool, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.busy = false
	if keep && !e.gone {
		e.expires = now.Add(t.idle)
		return true
	}
	t.removeLocked(e)
	return false
}

// sweep ends what has expired.
func (t *contexts) sweep(now time.Time) {
	t.endIf(func(e *contextEntry) bool { return !e.busy && !now.Before(e.expires) })
}

// closeAll ends everything. What a request uses is cancelled and ends with it.
func (t *contexts) closeAll() {
	t.endIf(func(*contextEntry) bool { return true })
}

// endIf ends the enumerations that f picks. Those in use are cancelled and closed
// by who uses them. Sources run while they are closed, so not under the lock.
func (t *contexts) endIf(f func(*contextEntry) bool) {
	for _, e := range t.pick(f) {
		e.cursor.close()
	}
}

// pick takes entries out of the table and returns the idle ones.
func (t *contexts) pick(f func(*contextEntry) bool) []*contextEntry {
	t.mu.Lock()
	defer t.mu.Unlock()
	var idle []*contextEntry
	for _, e := range t.byID {
		if !f(e) {
			continue
		}
		t.removeLocked(e)
		e.cursor.cancel()
		if !e.busy {
			idle = append(idle, e)
		}
	}
	return idle
}

func (t *contexts) removeLocked(e *contextEntry) {
	if e.gone {
		return
	}
	e.gone = true
	delete(t.byID, e.cursor.id)
	if t.byUser[e.user]--; t.byUser[e.user] == 0 {
		delete(t.byUser, e.user)
	}
}

func (t *contexts) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byID)
}
