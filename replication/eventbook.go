package replication

import "slices"

// told is what listeners know of the records that are compared as a whole: how they
// were when an event told of them last. It is guarded by book.mu.
type told struct {
	events *events
	groups map[string]Group
	ties   map[string]GroupRelationship
}

func newTold(e *events) told {
	return told{events: e, groups: map[string]Group{}, ties: map[string]GroupRelationship{}}
}

// rememberLocked takes what is in the book for known: it was told of by an earlier
// run of the daemon, or is found by listing.
func (b *book) rememberLocked() {
	if !b.told.events.on() {
		return
	}
	for id, g := range b.groups.byID {
		b.told.groups[id] = g
	}
	for id, t := range b.ties.byID {
		b.told.ties[id] = t.show()
	}
}

// tellNewPairLocked tells of a pair that was entered.
func (b *book) tellNewPairLocked(p *pair) {
	if b.told.events.on() {
		r := p.showLocked().Relationship
		b.told.events.add(Event{Relationship: Change[Relationship]{After: &r}})
	}
}

// tellGonePairLocked tells of a pair that is about to be taken out.
func (b *book) tellGonePairLocked(id string) {
	if p := b.pairs.byID[id]; p != nil && b.told.events.on() {
		r := p.showLocked().Relationship
		b.told.events.add(Event{Relationship: Change[Relationship]{Before: &r}})
	}
}

// tellPairLocked tells of a pair that changed, if it did so in what is shown.
func (b *book) tellPairLocked(before, after *Relationship) {
	if b.told.events.on() && *before != *after {
		was, is := *before, *after
		b.told.events.add(Event{Relationship: Change[Relationship]{&was, &is}})
	}
}

// showPairsLocked takes over records that have been stored.
func (b *book) showPairsLocked(recs []pairRecord) {
	ties := map[string]bool{}
	for i := range recs {
		p := b.pairs.byID[recs[i].ID]
		if p == nil {
			continue
		}
		b.alterLocked(p, func() { p.showNewLocked(recs[i]) })
		if p.tie != nil {
			ties[p.tie.rec.ID] = true
		}
	}
	for id := range ties {
		b.tellTieLocked(id)
	}
}

// tellGroupLocked tells what has become of a group since it was told of last.
func (b *book) tellGroupLocked(id string) {
	if !b.told.events.on() {
		return
	}
	var c Change[Group]
	if old, was := b.told.groups[id]; was {
		c.Before = copyGroup(old)
	}
	delete(b.told.groups, id)
	if now, is := b.groups.byID[id]; is {
		b.told.groups[id] = now
		c.After = copyGroup(now)
	}
	if c.Kind() != Unchanged && (c.Kind() != Modified || !sameGroup(c.Before, c.After)) {
		b.told.events.add(Event{Group: c})
	}
}

func copyGroup(g Group) *Group {
	g.Members = slices.Clone(g.Members)
	return &g
}

func sameGroup(a, b *Group) bool {
	return a.Name == b.Name && slices.Equal(a.Members, b.Members) && a.Persistent == b.Persistent &&
		a.DeleteOnEmptyElement == b.DeleteOnEmptyElement && a.DeleteOnUnassociated == b.DeleteOnUnassociated &&
		a.ConsistentPointInTime == b.ConsistentPointInTime
}

// tellTieLocked tells what has become of a group relationship since it was told of
// last, in itself or in its pairs.
func (b *book) tellTieLocked(id string) {
	if !b.told.events.on() {
		return
	}
	b.settleAllLocked()
	old, was := b.told.ties[id]
	var now GroupRelationship
	t := b.ties.byID[id]
	if t == nil {
		delete(b.told.ties, id)
	} else if now = t.show(); !was || !sameTie(&old, &now) {
		b.told.ties[id] = now
	} else {
		return
	}
	if c := (Change[GroupRelationship]{copyIf(was, old), copyIf(t != nil, now)}); c.Kind() != Unchanged {
		b.told.events.add(Event{GroupRelationship: c})
	}
}

func copyIf(there bool, t GroupRelationship) *GroupRelationship {
	if !there {
		return nil
	}
	return new(t)
}

func sameTie(a, b *GroupRelationship) bool {
	return a.Name == b.Name && a.Source == b.Source && a.Target == b.Target && sameList(a.Pairs, b.Pairs) &&
		a.Type == b.Type && a.Mode == b.Mode && a.Consistency == b.Consistency && a.State == b.State && a.Percent == b.Percent &&
		a.WhenActivated.Equal(b.WhenActivated) && a.WhenSynchronized.Equal(b.WhenSynchronized)
}

// sameList compares lists that are mostly one and the same.
func sameList(a, b []string) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
}
