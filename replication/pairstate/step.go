package pairstate

import "slices"

// Step is what e makes of a relationship of type t that stands at s: the state
// to store, and then the effects to carry out in their order. The slice must not
// be changed. With force, events that lose something are taken too. Everything
// that the table does not have is refused with an *Error, and the state is s.
func Step(t SyncType, s State, e Event, force bool) (State, []Effect, error) {
	needs := false
	for i := range table {
		r := &table[i]
		if !r.matches(t, s, e) {
			continue
		}
		if r.force && !force {
			needs = true
			continue
		}
		return r.next(s), r.effects, nil
	}
	return s, nil, &Error{Type: t, State: s, Event: e, NeedsForce: needs}
}

// matches says whether the row is for this event at this place. A row without
// copy states is for all of a relationship that is there.
func (r *row) matches(t SyncType, s State, e Event) bool {
	if r.event != e || !slices.Contains(r.types, t) || !slices.Contains(r.while, s.Progress) {
		return false
	}
	if r.from == nil {
		return s.Copy != 0
	}
	return slices.Contains(r.from, s.Copy)
}

func (r *row) next(s State) State {
	n := State{Copy: r.to, Requested: r.requested, Progress: r.progress}
	if n.Copy == same {
		n.Copy = s.Copy
	}
	if n.Progress == still {
		n.Progress = s.Progress
	}
	return n
}
