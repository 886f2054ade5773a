package replication

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/replication/pairstate"
)

// recount is what a group relationship shows, worked out of all its pairs.
func recount(t GroupRelationship, recs []pairRecord) GroupRelationship {
	if len(recs) == 0 {
		return t
	}
	t.State, t.WhenSynchronized = recs[0].State, recs[0].WhenSynchronized
	percent := 0
	for _, r := range recs {
		percent += int(r.Percent)
		t.State = blend(t.State, r.State)
		t.WhenActivated = latest(t.WhenActivated, r.WhenActivated)
		if !t.WhenSynchronized.IsZero() {
			t.WhenSynchronized = latest(t.WhenSynchronized, r.WhenSynchronized)
		}
		if r.WhenSynchronized.IsZero() {
			t.WhenSynchronized = time.Time{}
		}
	}
	t.Percent = uint16(percent / len(recs))
	return t
}

// sums is what a group relationship has of its pairs.
type sums struct {
	state                   pairstate.State
	percent                 uint16
	activated, synchronized time.Time
}

func summed(t GroupRelationship) sums {
	return sums{t.State, t.Percent, t.WhenActivated.Round(0).UTC(), t.WhenSynchronized.Round(0).UTC()}
}

// wrongTies lists what is shown that is not what a recount finds.
func (b *book) wrongTies() (wrong []string) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for id, t := range b.ties.byID {
		shown, want := t.show(), recount(t.rec, b.listLocked(t.rec.Pairs))
		if summed(shown) != summed(want) {
			wrong = append(wrong, fmt.Sprintf("%s: shown %s, but it is %s", id, textOf(shown), textOf(want)))
		}
		if n := b.atPeak(t); t.pairs > 0 && n != [2]int{t.activated.n, t.synchronized.n} {
			wrong = append(wrong, fmt.Sprintf("%s: %v pairs have the latest times, not %v", id, n, t))
		}
	}
	return wrong
}

// atPeak is how many pairs have the latest times.
func (b *book) atPeak(t *tie) (n [2]int) {
	for _, r := range b.listLocked(t.rec.Pairs) {
		if r.WhenActivated.Equal(t.activated.at) {
			n[0]++
		}
		if r.WhenSynchronized.Equal(t.synchronized.at) {
			n[1]++
		}
	}
	return n
}

// TestPairIsCountedOnce: should two group relationships name it, the last one has it.
func TestPairIsCountedOnce(t *testing.T) {
	s, one := heavy(2, false)
	b, other := s.book, one
	other.ID = "other"
	b.change(func() { b.putTieLocked(other) })
	require.Zero(t, b.ties.byID[one.ID].pairs)
	require.Empty(t, b.ties.byID[one.ID].states)
	b.change(func() { b.dropTieLocked(one.ID) })
	b.setPercent(one.Pairs[0], 50)
	shown, ok := b.shownTie(other.ID)
	require.True(t, ok)
	require.EqualValues(t, 25, shown.Percent)
}

// TestBlendHasNoOrder: the states of pairs are counted, their order is not kept.
func TestBlendHasNoOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		states := make([]pairstate.State, 1+rnd.IntN(5))
		for i := range states {
			states[i] = anyState(rnd)
		}
		want := states[0]
		for _, s := range states {
			want = blend(want, s)
		}
		rnd.Shuffle(len(states), func(i, j int) { states[i], states[j] = states[j], states[i] })
		got := states[0]
		for _, s := range states {
			got = blend(got, s)
		}
		require.Equal(t, want, got)
	}
}

// anyState is one of a few, so that pairs often have the same; some are such as a
// blend would be.
func anyState(rnd *rand.Rand) pairstate.State {
	one := func(s ...pairstate.CopyState) pairstate.CopyState { return s[rnd.IntN(len(s))] }
	progress := []pairstate.ProgressStatus{pairstate.Completed, pairstate.Dormant, pairstate.Synchronizing, pairstate.Mixing}
	return pairstate.State{
		Copy:      one(pairstate.Unsynchronized, pairstate.Synchronized, pairstate.Broken, pairstate.Mixed),
		Requested: one(pairstate.Synchronized, pairstate.NotApplicable),
		Progress:  progress[rnd.IntN(len(progress))],
	}
}

// shuffler changes a book at random.
type shuffler struct {
	b     *book
	rnd   *rand.Rand
	made  int
	ties  []GroupRelationship
	words []string // what was done
}

// TestSumsAreThoseOfARecount does all that happens to pairs and group relationships
// in any order, with clocks that go back, and compares after each what is kept with
// what a recount finds, and what a listener knows with both.
func TestSumsAreThoseOfARecount(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			l := newLedger()
			e := newEvents(l.take, time.Now)
			e.start()
			x := &shuffler{b: newBook(e), rnd: rand.New(rand.NewPCG(seed, 7))}
			for range 250 {
				x.act()
				if wrong := x.b.wrongTies(); len(wrong)+len(x.b.loose) > 0 {
					t.Fatal(wrong, "after", x.words[max(0, len(x.words)-8):])
				}
			}
			e.stop()
			require.NoError(t, errorsOf(l))
			for id, tie := range x.b.ties.byID {
				require.Equal(t, textOf(tie.show()), l.objects["group_relationship "+id])
			}
			for _, e := range l.events {
				if c := e.GroupRelationship; c.Kind() == Modified {
					require.NotEqual(t, textOf(*c.Before), textOf(*c.After), "an event without a change")
				}
			}
		})
	}
}

func (x *shuffler) act() {
	what := x.rnd.IntN(10)
	if len(x.ties) == 0 {
		what = 0
	}
	x.words = append(x.words, []string{"make", "shrink", "rename", "end", "move", "move", "move", "turn", "turn", "turn"}[what])
	switch what {
	case 0:
		x.make()
	case 1:
		x.shrink()
	case 2:
		x.rename()
	case 3:
		x.end()
	case 4, 5, 6:
		x.move()
	default:
		x.turn()
	}
}

// make enters pairs and their group relationship, which may have none.
func (x *shuffler) make() {
	if len(x.ties) == 4 {
		return
	}
	x.made++
	t := GroupRelationship{ID: fmt.Sprint("t", x.made), Name: "n"}
	x.b.change(func() {
		for i := range x.rnd.IntN(7) {
			r := pairRecord{Relationship: Relationship{ID: fmt.Sprintf("%s-%d", t.ID, i), Group: t.ID}}
			x.alter(&r)
			x.b.addPairLocked(newPair(r))
			t.Pairs = append(t.Pairs, r.ID)
		}
		x.b.putTieLocked(t)
		for _, id := range t.Pairs {
			x.b.tellNewPairLocked(x.b.pairs.byID[id])
		}
		x.b.tellTieLocked(t.ID)
	})
	x.ties = append(x.ties, t)
}

func (x *shuffler) some() (int, GroupRelationship) {
	i := x.rnd.IntN(len(x.ties))
	return i, x.ties[i]
}

// alter changes what a group shows of a pair.
func (x *shuffler) alter(r *pairRecord) {
	at := func() time.Time {
		if n := x.rnd.IntN(6); n > 0 {
			return time.Unix(int64(1000*n), 0)
		}
		return time.Time{}
	}
	r.State, r.Percent = anyState(x.rnd), uint16(x.rnd.IntN(101))
	if x.rnd.IntN(2) == 0 {
		r.WhenActivated = at()
	}
	if x.rnd.IntN(2) == 0 {
		r.WhenSynchronized = at()
	}
}

// turn changes some pairs of all groups together.
func (x *shuffler) turn() {
	var recs []pairRecord
	for _, t := range x.ties {
		for _, r := range x.b.recordsBy(t.Pairs) {
			if x.rnd.IntN(3) == 0 {
				x.alter(&r)
				recs = append(recs, r)
			}
		}
	}
	recs = append(recs, pairRecord{Relationship: Relationship{ID: "gone"}})
	x.b.change(func() { x.b.showPairsLocked(recs) })
}

// move moves the copy of a pair.
func (x *shuffler) move() {
	if _, t := x.some(); len(t.Pairs) > 0 {
		x.b.setPercent(t.Pairs[x.rnd.IntN(len(t.Pairs))], uint16(x.rnd.IntN(100)))
	}
}

// shrink takes pairs out of a group relationship, or only out of the book.
func (x *shuffler) shrink() {
	i, t := x.some()
	if len(t.Pairs) == 0 {
		return
	}
	gone := t.Pairs[x.rnd.IntN(len(t.Pairs))]
	put := x.rnd.IntN(2) == 0
	x.b.change(func() {
		x.b.tellGonePairLocked(gone)
		x.b.dropPairLocked(gone)
		if put {
			t.Pairs = slices.DeleteFunc(slices.Clone(t.Pairs), func(id string) bool { return id == gone })
			x.b.dropTieLocked(t.ID)
			x.b.putTieLocked(t)
		}
		x.b.tellTieLocked(t.ID)
	})
	x.ties[i] = t
}

func (x *shuffler) rename() {
	i, t := x.some()
	t.Name += "'"
	x.b.change(func() { x.b.renameTieLocked(t) })
	x.ties[i] = t
}

// end takes a group relationship out of the book, with its pairs.
func (x *shuffler) end() {
	i, t := x.some()
	x.b.change(func() {
		for _, id := range t.Pairs {
			x.b.tellGonePairLocked(id)
			x.b.dropPairLocked(id)
		}
		x.b.dropTieLocked(t.ID)
		x.b.tellTieLocked(t.ID)
	})
	x.ties = slices.Delete(x.ties, i, i+1)
}

// errorsOf is what a listener found wrong.
func errorsOf(l *ledger) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.errs...)
}

// TestSumsAreRightAtEveryMoment looks while several change the pairs of a group.
func TestSumsAreRightAtEveryMoment(t *testing.T) {
	s, tie := heavy(50, false)
	b := s.book
	var changers, looker sync.WaitGroup
	done := make(chan struct{})
	looker.Go(func() {
		for {
			if wrong := b.wrongTies(); len(wrong) > 0 {
				t.Error(wrong)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for client := range uint64(3) {
		changers.Go(func() {
			rnd := rand.New(rand.NewPCG(client, 3))
			x := &shuffler{b: b, rnd: rnd, ties: []GroupRelationship{tie}}
			for range 200 {
				x.move()
				x.turn()
			}
		})
	}
	changers.Wait()
	close(done)
	looker.Wait()
}
