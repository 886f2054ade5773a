package replication

import (
	"context"
	"fmt"
	"testing"
	"time"

	"twinlun/replication/pairstate"
)

// heavy is a Service whose book holds a group relationship of n pairs, which copy.
func heavy(n int, listens bool) (*Service, GroupRelationship) {
	c := Config{}
	if listens {
		c.Events = func(Event) {}
	}
	s := &Service{book: newBook(newEvents(c.Events, time.Now))}
	t := GroupRelationship{ID: "tie", Name: "tie", Source: "g", Target: "h", Type: pairstate.Clone}
	s.book.change(func() {
		for i := range n {
			id := fmt.Sprintf("%032x", i)
			t.Pairs = append(t.Pairs, id)
			s.book.addPairLocked(newPair(pairRecord{Relationship: Relationship{
				ID: id, Group: t.ID, Type: t.Type, State: copying(), WhenActivated: time.Unix(int64(i), 0), WhenSynchronized: time.Unix(int64(i), 0),
			}}))
		}
		s.book.putTieLocked(t)
		s.book.rememberLocked()
	})
	return s, t
}

func copying() pairstate.State {
	return pairstate.State{Copy: pairstate.Unsynchronized, Requested: pairstate.Synchronized, Progress: pairstate.Synchronizing}
}

func copied() pairstate.State {
	return pairstate.State{Copy: pairstate.Synchronized, Requested: pairstate.NotApplicable, Progress: pairstate.Completed}
}

var groupSizes = []int{1, 100, 1024}

func BenchmarkLookAtGroup(b *testing.B) {
	for _, n := range groupSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, t := heavy(n, false)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.GroupRelationship(context.Background(), t.ID); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkChangeInGroup changes the state of one pair after the other.
func BenchmarkChangeInGroup(b *testing.B) {
	eachLoad(b, func(s *Service, t GroupRelationship, i int) {
		r, _ := s.book.record(t.Pairs[i%len(t.Pairs)])
		r.State = copying()
		if i/len(t.Pairs)%2 == 0 {
			r.State, r.WhenSynchronized = copied(), r.WhenSynchronized.Add(time.Hour)
		}
		s.book.change(func() { s.book.showPairsLocked([]pairRecord{r}) })
	})
}

// BenchmarkPercentInGroup moves the copy of one pair after the other.
func BenchmarkPercentInGroup(b *testing.B) {
	eachLoad(b, func(s *Service, t GroupRelationship, i int) {
		s.book.setPercent(t.Pairs[i%len(t.Pairs)], uint16(1+i/len(t.Pairs)%99))
	})
}

// eachLoad measures f without and with somebody who listens.
func eachLoad(b *testing.B, f func(s *Service, t GroupRelationship, i int)) {
	for _, listens := range []bool{false, true} {
		for _, n := range groupSizes {
			b.Run(fmt.Sprintf("%d/listens=%v", n, listens), func(b *testing.B) {
				s, t := heavy(n, listens)
				s.book.told.events.start()
				defer s.book.told.events.stop()
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					f(s, t, i)
				}
			})
		}
	}
}
