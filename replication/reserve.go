package replication

import (
	"strings"
	"sync"
)

// claims keeps what requests that are under way have set aside: volumes, names,
// groups, relationships. A claim is granted at once or refused, never waited
// for, so that two requests cannot wait for each other.
type claims struct {
	mu       sync.Mutex
	held     map[claimKey]int // >0: so many share it; -1: one has it alone
	released chan struct{}    // closed at the next release
}

// claimKey names a thing that can be claimed.
type claimKey struct{ kind, space, name string }

func volumeClaim(v VolumeRef) claimKey { return claimKey{"volume", v.Pool, string(v.ID)} }
func nameClaim(pool, name string) claimKey {
	return claimKey{"volume name", pool, strings.ToLower(name)}
}
func groupClaim(id string) claimKey       { return claimKey{"group", "", id} }
func groupNameClaim(name string) claimKey { return claimKey{"group name", "", strings.ToLower(name)} }
func tieNameClaim(name string) claimKey {
	return claimKey{"relationship name", "", strings.ToLower(name)}
}

// hold is what one request has claimed; it is used by one goroutine at a time.
type hold struct {
	c      *claims
	shared []claimKey
	alone  []claimKey
}

func newClaims() *claims { return &claims{held: map[claimKey]int{}, released: make(chan struct{})} }

// freed is closed when something is given back next.
func (c *claims) freed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.released
}

// hold begins an empty set of claims. The caller must release it.
func (c *claims) hold() *hold { return &hold{c: c} }

// share claims k together with others that share it, and says whether it could.
func (h *hold) share(k claimKey) bool {
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	if h.c.held[k] < 0 {
		return false
	}
	h.c.held[k]++
	h.shared = append(h.shared, k)
	return true
}

// take claims k for this hold alone, and says whether it could.
func (h *hold) take(k claimKey) bool {
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	if h.c.held[k] != 0 {
		return false
	}
	h.c.held[k] = -1
	h.alone = append(h.alone, k)
	return true
}

// release gives everything back. A second call does nothing.
func (h *hold) release() {
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	for _, k := range h.shared {
		if h.c.held[k]--; h.c.held[k] == 0 {
			delete(h.c.held, k)
		}
	}
	for _, k := range h.alone {
		delete(h.c.held, k)
	}
	h.shared, h.alone = nil, nil
	close(h.c.released)
	h.c.released = make(chan struct{})
}
