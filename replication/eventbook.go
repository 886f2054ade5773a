package replication

import "slices"

// told is what listeners know of the records that are compared as a whole: how they
// were when an event told of them last. It is guarded by book.mu.
type told struct {
	events *events
	groups map[string]Group
	ties   map[string]toldTie
	// scratch is what the pairs of a group are summed up in, kept because large
	// groups are summed up often.
	scratch []pairRecord
}

// toldTie is a group relationship as the last event showed it.
type toldTie struct {
	shown GroupRelationship
	sum   int // of the percentages of its pairs
}

func newTold(e *events) told {
	return told{events: e, groups: map[string]Group{}, ties: map[string]toldTie{}}
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
		b.told.ties[id] = b.sumTieLocked(t)
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

// tellPair tells of a pair that changed, if it did so in what is shown.
func (b *book) tellPair(before, after Relationship) {
	if b.told.events.on() && before != after {
		b.told.events.add(Event{Relationship: Change[Relationship]{&before, &after}})
	}
}

// showPairsLocked takes over records that have been stored.
func (b *book) showPairsLocked(recs []pairRecord) {
	ties := map[string]bool{}
	for _, r := range recs {
		p := b.pairs.byID[r.ID]
		if p == nil {
			continue
		}
		before := p.showLocked().Relationship
		p.showNewLocked(r)
		b.tellPair(before, p.showLocked().Relationship)
		ties[r.Group] = true
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
	var c Change[GroupRelationship]
	if old, was := b.told.ties[id]; was {
		c.Before = copyTie(old.shown)
	}
	delete(b.told.ties, id)
	if t, is := b.ties.byID[id]; is {
		now := b.sumTieLocked(t)
		b.told.ties[id] = now
		c.After = copyTie(now.shown)
	}
	if c.Kind() != Unchanged && (c.Kind() != Modified || !sameTie(c.Before, c.After)) {
		b.told.events.add(Event{GroupRelationship: c})
	}
}

// sumTieLocked is a group relationship as it is shown now.
func (b *book) sumTieLocked(t GroupRelationship) toldTie {
	recs, sum := b.told.scratch[:0], 0
	for _, id := range t.Pairs {
		if p := b.pairs.byID[id]; p != nil {
			recs = append(recs, p.showLocked())
			sum += int(recs[len(recs)-1].Percent)
		}
	}
	b.told.scratch = recs
	return toldTie{shown: sumOf(t, recs), sum: sum}
}

func copyTie(t GroupRelationship) *GroupRelationship {
	t.Pairs = slices.Clone(t.Pairs)
	return &t
}

func sameTie(a, b *GroupRelationship) bool {
	return a.Name == b.Name && a.Source == b.Source && a.Target == b.Target && slices.Equal(a.Pairs, b.Pairs) &&
		a.Type == b.Type && a.Mode == b.Mode && a.Consistency == b.Consistency && a.State == b.State && a.Percent == b.Percent &&
		a.WhenActivated.Equal(b.WhenActivated) && a.WhenSynchronized.Equal(b.WhenSynchronized)
}

// tellPercentLocked tells that the copy of a pair moved, and of its group
// relationship, whose percentage is summed up anew only when it moves too.
func (b *book) tellPercentLocked(before, after Relationship) {
	b.tellPair(before, after)
	t, ok := b.told.ties[after.Group]
	if !ok {
		return
	}
	t.sum += int(after.Percent) - int(before.Percent)
	b.told.ties[after.Group] = t
	if n := len(t.shown.Pairs); n > 0 && t.sum/n != int(t.shown.Percent) {
		b.tellTieLocked(after.Group)
	}
}
