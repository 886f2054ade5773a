package eventing

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"twinlun/cim"
)

// record is a subscription as the store keeps it.
type record struct {
	ID      string
	User    string
	Expires time.Time
	Request Request
}

func (r *record) encode() ([]byte, error) { return json.Marshal(r) }

// subscription is a record with what waits for its subscriber.
type subscription struct {
	id, user string
	request  Request // not changed
	filter   cim.Filter
	ctx      context.Context // ends with the subscription
	cancel   context.CancelFunc
	wake     chan struct{} // has room for one: there may be something to do
	saving   sync.Mutex    // held while the record is written or deleted

	mu      sync.Mutex // guards what follows
	expires time.Time
	queue   fifo
	dropped int64     // events lost that the subscriber was not told of
	unsure  bool      // and an unknown number more: the service was down
	since   time.Time // when the oldest of a batch came
	busy    bool      // a Pull is under way
}

func newSubscription(r *record, filter cim.Filter) *subscription {
	s := &subscription{
		id: r.ID, user: r.User, request: r.Request, filter: filter, expires: r.Expires,
		wake: make(chan struct{}, 1),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func (s *subscription) record(expires time.Time) *record {
	return &record{ID: s.id, User: s.user, Expires: expires, Request: s.request}
}

// wants says whether the filter selects an indication.
func (s *subscription) wants(in *cim.Instance) bool {
	return in.Class.IsA(s.filter.Class().Name) && s.filter.Match(in)
}

// offer puts an event into the queue, at the cost of the oldest, and says how many
// were dropped for it.
func (s *subscription) offer(e *event, l Limits, now time.Time) (dropped int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue.n == 0 {
		s.since = now
	}
	s.queue.push(e)
	dropped, _ = s.queue.trim(l.Queue, l.QueueBytes)
	s.dropped += int64(dropped)
	s.signal()
	return dropped
}

func (s *subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// loss is how many events the subscriber must be told that it has lost, -1 where
// nobody knows.
func (s *subscription) lossLocked() int64 {
	if s.unsure {
		return unknownLoss
	}
	return s.dropped
}

// unknownLoss stands for a number of lost events that is not known.
const unknownLoss = -1

// hasSomething says whether there is an event or a loss to tell.
func (s *subscription) hasSomething() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.n > 0 || s.lossLocked() != 0
}

// take takes up to n events out of the queue, and the loss before them. What is not
// delivered must be given back.
func (s *subscription) take(n int) *parcel {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &parcel{lost: s.lossLocked(), dropped: s.dropped}
	s.dropped, s.unsure = 0, false
	for s.queue.n > 0 && len(p.events) < n {
		p.events = append(p.events, s.queue.pop())
	}
	return p
}

// giveBack puts events that were taken in front of the others again, oldest first
// in the slice.
func (s *subscription) giveBack(events []*event, l Limits) (dropped int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(events) - 1; i >= 0; i-- {
		s.queue.unshift(events[i])
	}
	dropped, _ = s.queue.trim(l.Queue, l.QueueBytes)
	s.dropped += int64(dropped)
	s.signal()
	return dropped
}

// tellAgain takes back that the subscriber was told of a loss.
func (s *subscription) tellAgain(p *parcel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped += p.dropped
	s.unsure = s.unsure || p.lost == unknownLoss
}

// parcel is what was taken out of a queue.
type parcel struct {
	events  []*event
	lost    int64 // to be told before them; unknownLoss; 0
	dropped int64 // of lost, those that are known
}

func (p *parcel) empty() bool { return len(p.events) == 0 && p.lost == 0 }

func (s *subscription) expiry() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.expires
}

func (s *subscription) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.n
}
