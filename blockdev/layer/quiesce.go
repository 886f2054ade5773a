package layer

import (
	"sync/atomic"
	"time"
)

// A write can be in the kernel for long, while the filesystem commits its journal. It
// must not keep all others waiting: who quiesces waits for it a little, lets the others
// write for as long, and waits again, longer.
const (
	firstPatience = time.Millisecond
	lastPatience  = 64 * time.Millisecond // then until it ends
)

// QuiesceAll is Quiesce for several volumes at one instant. Whoever calls it must always
// have them in one order.
func QuiesceAll(all ...*Volume) {
	for patience := firstPatience; patience <= lastPatience; patience *= 2 {
		if quiesceWithin(all, patience) {
			return
		}
		time.Sleep(patience)
	}
	for _, v := range all {
		v.quiet.Lock()
		v.guards.shut(everywhere())
	}
}

// quiesceWithin quiesces all of them, or none: then a write was still under way.
func quiesceWithin(all []*Volume, patience time.Duration) bool {
	end := time.Now().Add(patience)
	for i, v := range all {
		v.quiet.Lock()
		if !v.guards.shutBefore(end) {
			v.quiet.Unlock()
			for _, v := range all[:i] {
				v.Resume()
			}
			return false
		}
	}
	return true
}

// shutBefore shuts all guards if no write is under way any more at end.
func (g *guards) shutBefore(end time.Time) bool {
	var late atomic.Bool
	alarm := time.AfterFunc(time.Until(end), func() {
		late.Store(true)
		g.ring()
	})
	defer alarm.Stop()
	first, count := everywhere()
	return g.shutUntil(first, count, late.Load)
}
