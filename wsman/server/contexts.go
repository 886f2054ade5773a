package server

import (
	"maps"
	"slices"
	"sync"
	"time"

	"twinlun/wsman"
)

// contexts are the enumerations under way, by their context id. An entry is either
// used by one request or idle; idle ones expire.
type contexts struct {
	limit, perUser int
	idle           time.Duration

	mu      sync.Mutex // guards what follows
	byID    map[string]*contextEntry
	live    map[*cursor]bool // whose sources have not returned
	byUser  map[string]int   // how many of them a user has
	soonest time.Time        // nothing expires before
}

type contextEntry struct {
	cursor  *cursor
	user    string
	busy    bool
	gone    bool // not in the table any more
	life    expiry
	expires time.Time // if not busy
}

func newContexts(l Limits) *contexts {
	return &contexts{
		limit: l.Contexts, perUser: l.ContextsPerUser, idle: l.ContextIdle,
		byID: map[string]*contextEntry{}, live: map[*cursor]bool{}, byUser: map[string]int{},
	}
}

// add takes in a new enumeration, in use by the caller, who must put it back. It
// closes the cursor and fails, with QuotaLimit where the user has too many and
// with EndpointUnavailable where all have.
func (t *contexts) add(c *cursor, user string, life expiry, now time.Time) (*contextEntry, error) {
	t.sweep(now)
	e, err := t.insert(c, user, life)
	if err != nil {
		c.close()
	}
	return e, err
}

func (t *contexts) insert(c *cursor, user string, life expiry) (*contextEntry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.byUser[user] >= t.perUser:
		return nil, wsman.QuotaLimit("a user may have %d enumerations under way", t.perUser)
	case len(t.live) >= t.limit:
		return nil, wsman.EndpointUnavailable("there are %d enumerations under way, which is the limit of the service", t.limit)
	}
	e := &contextEntry{cursor: c, user: user, busy: true, life: life}
	t.byID[c.id] = e
	t.live[c] = true
	t.byUser[user]++
	c.left = func() { t.leave(c, user) }
	return e, nil
}

// leave counts a source out that has returned.
func (t *contexts) leave(c *cursor, user string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.live, c)
	if t.byUser[user]--; t.byUser[user] == 0 {
		delete(t.byUser, user)
	}
}

// take finds an enumeration for its user, who must put it back. It fails with
// InvalidEnumerationContext, and with Concurrency while another request has it.
func (t *contexts) take(id, user string, now time.Time) (*contextEntry, error) {
	t.sweep(now)
	t.mu.Lock()
	defer t.mu.Unlock()
	e, err := t.findLocked(id, user)
	switch {
	case err != nil:
		return nil, err
	case e.busy:
		return nil, wsman.Concurrency("another request uses this enumeration")
	}
	e.busy = true
	return e, nil
}

// findLocked finds an enumeration of a user. Those of others are not there.
func (t *contexts) findLocked(id, user string) (*contextEntry, error) {
	if e := t.byID[id]; e != nil && e.user == user {
		return e, nil
	}
	return nil, wsman.InvalidEnumerationContext("there is no such enumeration: it has ended, was released or has expired")
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
		t.expireLocked(e, now)
		return true
	}
	t.removeLocked(e)
	return false
}

// expireLocked sets when an enumeration expires that is idle from now on.
func (t *contexts) expireLocked(e *contextEntry, now time.Time) {
	e.expires = e.life.end(now, t.idle)
	if t.soonest.IsZero() || e.expires.Before(t.soonest) {
		t.soonest = e.expires
	}
}

// look calls f with an enumeration of a user, also while a request uses it, and
// returns when it expires if nothing else happens. f may give it another life, which
// it says: that begins now.
func (t *contexts) look(id, user string, now time.Time, f func(*contextEntry) (renewed bool, err error)) (expires time.Time, err error) {
	t.sweep(now)
	t.mu.Lock()
	defer t.mu.Unlock()
	e, err := t.findLocked(id, user)
	if err != nil {
		return time.Time{}, err
	}
	renewed, err := f(e)
	switch {
	case err != nil:
		return time.Time{}, err
	case renewed:
		t.expireLocked(e, now)
	case e.busy:
		return e.life.end(now, t.idle), nil
	}
	return e.expires, nil
}

// sweep ends what has expired.
func (t *contexts) sweep(now time.Time) {
	if t.due(now) {
		t.endIf(func(e *contextEntry) bool { return !e.busy && !now.Before(e.expires) })
	}
}

// due says whether something can have expired.
func (t *contexts) due(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !now.Before(t.soonest)
}

// closeAll ends everything and waits until all sources have returned.
func (t *contexts) closeAll() {
	t.endIf(func(*contextEntry) bool { return true })
	for _, c := range t.running() {
		c.close()
		<-c.returned
	}
}

func (t *contexts) running() []*cursor {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.live))
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
	t.soonest = time.Time{}
	var idle []*contextEntry
	for _, e := range t.byID {
		switch {
		case !f(e):
			if !e.busy && (t.soonest.IsZero() || e.expires.Before(t.soonest)) {
				t.soonest = e.expires
			}
			continue
		case !e.busy:
			idle = append(idle, e)
		}
		t.removeLocked(e)
		e.cursor.cancel()
	}
	return idle
}

func (t *contexts) removeLocked(e *contextEntry) {
	e.gone = true
	delete(t.byID, e.cursor.id)
}

func (t *contexts) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byID)
}
