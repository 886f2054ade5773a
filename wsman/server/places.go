package server

import (
	"context"
	"sync"
	"time"
)

// places are those for the requests of each user, so that one user does not take
// all there are.
type places struct {
	each int
	wait time.Duration

	mu    sync.Mutex // guards what follows
	users map[string]*userPlaces
}

type userPlaces struct {
	taken chan struct{}
	refs  int // requests that have a place or wait for one
}

func newPlaces(each int, wait time.Duration) *places {
	return &places{each: each, wait: wait, users: map[string]*userPlaces{}}
}

// enter waits for a place, not for long. ok is false where there was none; else the
// caller must leave.
func (p *places) enter(ctx context.Context, user string) (leave func(), ok bool) {
	u := p.find(user)
	if !take(ctx, u.taken, p.wait) {
		p.drop(user, u)
		return nil, false
	}
	return func() { <-u.taken; p.drop(user, u) }, true
}

func (p *places) find(user string) *userPlaces {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.users[user]
	if u == nil {
		u = &userPlaces{taken: make(chan struct{}, p.each)}
		p.users[user] = u
	}
	u.refs++
	return u
}

func (p *places) drop(user string, u *userPlaces) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u.refs--; u.refs == 0 {
		delete(p.users, user)
	}
}

// take waits for room in a channel of taken places; false if there was none in
// time.
func take(ctx context.Context, taken chan<- struct{}, wait time.Duration) bool {
	select {
	case taken <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case taken <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// count is how many users have a place or wait for one.
func (p *places) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.users)
}
