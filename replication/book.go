package replication

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"twinlun/replication/store"
)

// book is what the store holds, in memory, for reading. It is changed only after
// the store is.
type book struct {
	mu       sync.RWMutex
	pairs    shelf[*pair]
	groups   shelf[Group]
	ties     shelf[*tie]
	requests map[string]request
	of       index[VolumeRef]     // pairs of a volume
	to       map[VolumeRef]string // the pair that a volume is the target of
	memberOf index[VolumeRef]     // groups of a volume
	tiedBy   index[string]        // group relationships of a group
	told     told
	loose    map[*tie]bool // to be settled before mu is given back
}

// pair is one relationship at run time.
type pair struct {
	// step is held while a change of state is decided and stored. Nothing
	// that waits for writes to end may happen under it.
	step sync.Mutex

	id string

	rec     pairRecord // guarded by book.mu
	percent uint16     // guarded by book.mu; of the copy that runs
	tie     *tie       // guarded by book.mu; what it is counted in; nil: nothing

	early atomic.Bool // a host has written to the target
	live  live        // guarded by itself
}

func newPair(r pairRecord) *pair { return &pair{id: r.ID, rec: r} }

func newBook(e *events) *book {
	return &book{
		pairs: newShelf[*pair](), groups: newShelf[Group](), ties: newShelf[*tie](),
		requests: map[string]request{}, of: index[VolumeRef]{}, to: map[VolumeRef]string{},
		memberOf: index[VolumeRef]{}, tiedBy: index[string]{}, told: newTold(e),
		loose: map[*tie]bool{},
	}
}

// load reads everything from the store into an empty book.
func (b *book) load(tx store.Tx) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := scan(tx, bucketPairs, func(_ string, r pairRecord) { b.addPairLocked(newPair(r)) })
	if err == nil {
		err = scan(tx, bucketGroups, func(_ string, g Group) { b.putGroupLocked(g) })
	}
	if err == nil {
		err = scan(tx, bucketTies, func(_ string, t GroupRelationship) { b.putTieLocked(t) })
	}
	if err == nil {
		err = scan(tx, bucketRequests, func(id string, r request) { b.requests[id] = r })
	}
	b.rememberLocked()
	return err
}

// change applies f, which may change everything in the book.
func (b *book) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	b.settleAllLocked()
}

// setPercent notes how far the copy of a pair is, and says whether that is news.
func (b *book) setPercent(id string, percent uint16) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pairs.byID[id]
	if p == nil || p.percent == percent {
		return false
	}
	b.alterLocked(p, func() { p.percent = percent })
	if p.tie != nil {
		b.tellTieLocked(p.tie.rec.ID)
	}
	return true
}

// alterLocked changes a pair, what is counted of it, and tells of the pair.
func (b *book) alterLocked(p *pair, f func()) {
	before := p.showLocked()
	f()
	after := p.showLocked()
	b.recountLocked(p, &before.Relationship, &after.Relationship)
	b.tellPairLocked(&before.Relationship, &after.Relationship)
}

// addPairLocked enters a pair; its group relationship is put afterwards.
func (b *book) addPairLocked(p *pair) {
	b.pairs.put(p.rec.ID, p)
	b.to[p.rec.Target] = p.rec.ID
	b.of.add(p.rec.ID, p.rec.Source, p.rec.Target)
}

func (b *book) dropPairLocked(id string) {
	p := b.pairs.byID[id]
	if p == nil {
		return
	}
	b.untieLocked(p)
	b.pairs.drop(id)
	delete(b.to, p.rec.Target)
	b.of.drop(id, p.rec.Source, p.rec.Target)
}

func (b *book) putGroupLocked(g Group) {
	b.memberOf.drop(g.ID, b.groups.byID[g.ID].Members...)
	b.groups.put(g.ID, g)
	b.memberOf.add(g.ID, g.Members...)
}

func (b *book) dropGroupLocked(id string) {
	b.memberOf.drop(id, b.groups.byID[id].Members...)
	b.groups.drop(id)
}

// pair finds a relationship's run-time part; nil if there is none.
func (b *book) pair(id string) *pair {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.pairs.byID[id]
}

// record is a copy of a relationship's record.
func (b *book) record(id string) (pairRecord, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	p := b.pairs.byID[id]
	if p == nil {
		return pairRecord{}, false
	}
	return p.showLocked(), true
}

// showNewLocked takes over a record that has been stored.
func (p *pair) showNewLocked(r pairRecord) {
	p.rec = r
	if r.State.Idle() {
		p.percent = 0
	}
}

// showLocked is the record with the percentage and the name of the group relationship
// as they are now.
func (p *pair) showLocked() pairRecord {
	r := p.rec
	r.GroupName = ""
	if p.tie != nil {
		r.GroupName = p.tie.rec.Name
	}
	if !r.State.Idle() {
		r.Percent = max(r.Percent, p.percent)
	}
	return r
}

// records lists all relationships by ID.
func (b *book) records() []pairRecord {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.listLocked(b.pairs.order())
}

// inOrder is the IDs of one kind of record.
func inOrder[T any](b *book, s *shelf[T]) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return s.order()
}

// recordsOf lists those with v as source or target by ID.
func (b *book) recordsOf(v VolumeRef) []pairRecord {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.listLocked(b.of.of(v))
}

// recordTo finds the one with v as target.
func (b *book) recordTo(v VolumeRef) (pairRecord, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	p := b.pairs.byID[b.to[v]]
	if p == nil {
		return pairRecord{}, false
	}
	return p.showLocked(), true
}

// recordsBy lists the given ones, leaving out those that are gone.
func (b *book) recordsBy(ids []string) []pairRecord {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.listLocked(ids)
}

// ahead lists those that show more than is stored of how far their copies are.
func (b *book) ahead() (ids []string) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for id, p := range b.pairs.byID {
		if p.showLocked().Percent > p.rec.Percent {
			ids = append(ids, id)
		}
	}
	return ids
}

func (b *book) listLocked(ids []string) []pairRecord {
	l := make([]pairRecord, 0, len(ids))
	for _, id := range ids {
		if p := b.pairs.byID[id]; p != nil {
			l = append(l, p.showLocked())
		}
	}
	return l
}

// group and request find one record.
func (b *book) group(id string) (Group, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	g, ok := b.groups.byID[id]
	g.Members = slices.Clone(g.Members)
	return g, ok
}

func (b *book) request(id string) (request, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	r, ok := b.requests[id]
	return r, ok
}

// groupNamed and tieNamed say whether a name is taken, regardless of case.
func (b *book) groupNamed(name string) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, g := range b.groups.byID {
		if strings.EqualFold(g.Name, name) {
			return true
		}
	}
	return false
}

func (b *book) tieNamed(name string) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, t := range b.ties.byID {
		if strings.EqualFold(t.rec.Name, name) {
			return true
		}
	}
	return false
}

// tiesOf lists the IDs of the group relationships that stand on a group.
func (b *book) tiesOf(group string) []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.tiedBy.of(group)
}

// groupsOf lists the groups that have v as a member, by ID.
func (b *book) groupsOf(v VolumeRef) []Group {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var l []Group
	for _, id := range b.memberOf.of(v) {
		g := b.groups.byID[id]
		g.Members = slices.Clone(g.Members)
		l = append(l, g)
	}
	return l
}
