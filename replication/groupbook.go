package replication

// tie is a group relationship as it is stored; nobody may change its Pairs.
func (b *book) tie(id string) (GroupRelationship, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	t := b.ties.byID[id]
	if t == nil {
		return GroupRelationship{}, false
	}
	return t.rec, true
}

// shownTie is a group relationship as it is shown; nobody may change its Pairs.
func (b *book) shownTie(id string) (GroupRelationship, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	t := b.ties.byID[id]
	if t == nil {
		return GroupRelationship{}, false
	}
	return t.show(), true
}

// putTieLocked adds or replaces a group relationship, whose Pairs must not be changed
// any more, and counts its pairs.
func (b *book) putTieLocked(r GroupRelationship) {
	b.leaveTieLocked(r.ID)
	t := newTie(r)
	b.ties.put(r.ID, t)
	b.tiedBy.add(r.ID, r.Source, r.Target)
	for _, id := range r.Pairs {
		if p := b.pairs.byID[id]; p != nil {
			b.untieLocked(p)
			b.tieLocked(p, t)
		}
	}
}

// renameTieLocked replaces a group relationship by one with another name, which its
// pairs show too, and tells of them all.
func (b *book) renameTieLocked(r GroupRelationship) {
	before := b.listLocked(r.Pairs)
	b.putTieLocked(r)
	b.tellTieLocked(r.ID)
	for i := range before {
		after := b.pairs.byID[before[i].ID].showLocked()
		b.tellPairLocked(&before[i].Relationship, &after.Relationship)
	}
}

func (b *book) dropTieLocked(id string) {
	b.leaveTieLocked(id)
	b.ties.drop(id)
}

// leaveTieLocked takes a group relationship off its groups and pairs.
func (b *book) leaveTieLocked(id string) {
	t := b.ties.byID[id]
	if t == nil {
		return
	}
	b.tiedBy.drop(id, t.rec.Source, t.rec.Target)
	for _, id := range t.rec.Pairs {
		if p := b.pairs.byID[id]; p != nil && p.tie == t {
			p.tie = nil
		}
	}
}

// tieLocked counts a pair in a group relationship.
func (b *book) tieLocked(p *pair, t *tie) {
	r := p.showLocked()
	p.tie = t
	t.add(&r.Relationship)
}

// untieLocked counts a pair out of the one it is counted in.
func (b *book) untieLocked(p *pair) {
	if p.tie == nil {
		return
	}
	r := p.showLocked()
	p.tie.drop(&r.Relationship)
	b.loosenLocked(p.tie)
	p.tie = nil
}

// recountLocked counts a pair anew that changed. It comes in before it goes out: as
// long as time goes on, the peaks stay known.
func (b *book) recountLocked(p *pair, before, after *Relationship) {
	if p.tie != nil {
		p.tie.add(after)
		p.tie.drop(before)
		b.loosenLocked(p.tie)
	}
}

// loosenLocked has a group relationship settled before anybody looks at it.
func (b *book) loosenLocked(t *tie) {
	if !t.settled() {
		b.loose[t] = true
	}
}

// settleAllLocked finds the peaks that are not known, once for all changes that are
// made together.
func (b *book) settleAllLocked() {
	for t := range b.loose {
		if b.ties.byID[t.rec.ID] == t && !t.settled() {
			b.settleLocked(t)
		}
	}
	clear(b.loose)
}

func (b *book) settleLocked(t *tie) {
	t.activated, t.synchronized = peak{}, peak{}
	for _, id := range t.rec.Pairs {
		if p := b.pairs.byID[id]; p != nil && p.tie == t {
			t.activated.add(p.rec.WhenActivated)
			t.synchronized.add(p.rec.WhenSynchronized)
		}
	}
}
