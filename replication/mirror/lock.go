package mirror

import (
	"context"
	"slices"
	"sync"
)

// rangeLocks lets one at a time into each range of bytes, in the order of coming.
// Few are in at the same time (the queue depth of the hosts), so a list will do.
type rangeLocks struct {
	mu    sync.Mutex
	holds []*hold // those who are in and those who wait
}

// hold is one who is in, or waits for those who came before and overlap.
type hold struct {
	off, end int64
	before   int           // how many it waits for
	ready    chan struct{} // closed when it may go in; nil: at once
	after    []*hold       // who waits for it
}

// lock returns when nobody else is in [off, off+n), or ctx's error.
func (l *rangeLocks) lock(ctx context.Context, off, n int64) (unlock func(), err error) {
	h := l.enter(off, off+n)
	unlock = func() { l.leave(h) }
	if h.ready == nil {
		return unlock, nil
	}
	select {
	case <-h.ready:
		return unlock, nil
	case <-ctx.Done():
		unlock()
		return nil, ctx.Err()
	}
}

func (l *rangeLocks) enter(off, end int64) *hold {
	h := &hold{off: off, end: end}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.holds {
		if o.off < end && off < o.end {
			o.after = append(o.after, h)
			h.before++
		}
	}
	if h.before > 0 {
		h.ready = make(chan struct{})
	}
	l.holds = append(l.holds, h)
	return h
}

// leave lets those in who waited for h only. One that gives up waiting leaves
// too: who came after it waits for the same ones that it did.
func (l *rangeLocks) leave(h *hold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.holds, h)
	last := len(l.holds) - 1
	l.holds[i], l.holds[last] = l.holds[last], nil
	l.holds = l.holds[:last]
	for _, w := range h.after {
		if w.before--; w.before == 0 {
			close(w.ready)
		}
	}
}

// each calls fn for every range that somebody is in or waits for.
func (l *rangeLocks) each(fn func(off, n int64)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.holds {
		fn(h.off, h.end-h.off)
	}
}
