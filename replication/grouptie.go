package replication

import (
	"slices"
	"time"

	"twinlun/replication/pairstate"
)

// tie is a group relationship with the sums over its pairs. They are kept as pairs
// come, change and go, so that a look at a group of many pairs and a change of one of
// them take no longer than in a group of one. It is guarded by book.mu.
type tie struct {
	rec GroupRelationship // as stored; Pairs is never changed

	pairs    int                     // that are there
	states   map[pairstate.State]int // how many have each state; none is 0
	percents int                     // sum
	unsynced int                     // that were never synchronized

	activated, synchronized peak
}

func newTie(r GroupRelationship) *tie {
	r.Pairs = slices.Clip(r.Pairs)
	return &tie{rec: r, states: map[pairstate.State]int{}}
}

// add counts a pair in.
func (t *tie) add(r *Relationship) {
	t.pairs++
	t.states[r.State]++
	t.percents += int(r.Percent)
	if r.WhenSynchronized.IsZero() {
		t.unsynced++
	}
	t.activated.add(r.WhenActivated)
	t.synchronized.add(r.WhenSynchronized)
}

// drop counts a pair out that was counted in like this.
func (t *tie) drop(r *Relationship) {
	t.pairs--
	if t.states[r.State]--; t.states[r.State] == 0 {
		delete(t.states, r.State)
	}
	t.percents -= int(r.Percent)
	if r.WhenSynchronized.IsZero() {
		t.unsynced--
	}
	t.activated.drop(r.WhenActivated)
	t.synchronized.drop(r.WhenSynchronized)
}

// show is the group relationship as users see it. The tie must be settled.
func (t *tie) show() GroupRelationship {
	r := t.rec
	if t.pairs == 0 {
		return r
	}
	r.State = t.state()
	r.Percent = uint16(t.percents / t.pairs)
	r.WhenActivated = latest(r.WhenActivated, t.activated.at)
	r.WhenSynchronized = time.Time{}
	if t.unsynced == 0 {
		r.WhenSynchronized = t.synchronized.at
	}
	return r
}

// state is the common state of the pairs. There are as many to blend as the state
// machine has, not as there are pairs.
func (t *tie) state() (s pairstate.State) {
	first := true
	for one := range t.states {
		if first {
			s, first = one, false
		}
		s = blend(s, one)
	}
	return s
}

// blend is the common state of pairs, Mixed where they differ. The order in which
// states are blended does not matter.
func blend(a, b pairstate.State) pairstate.State {
	if a.Copy != b.Copy {
		a.Copy = pairstate.Mixed
	}
	if a.Progress != b.Progress {
		a.Progress = pairstate.Mixing
	}
	if a.Requested != b.Requested {
		a.Requested = pairstate.NotApplicable
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// settled says whether the peaks are known.
func (t *tie) settled() bool { return t.pairs == 0 || t.activated.n > 0 && t.synchronized.n > 0 }

// peak is the latest of some times. When the last pair that had it has it no more,
// it is not known: n is 0, and no pair is later than at.
type peak struct {
	at time.Time
	n  int // how many pairs have it
}

func (p *peak) add(at time.Time) {
	switch {
	case at.After(p.at):
		*p = peak{at, 1}
	case at.Equal(p.at):
		p.n++
	}
}

func (p *peak) drop(at time.Time) {
	if at.Equal(p.at) {
		p.n--
	}
}
