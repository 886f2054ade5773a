package iscsi

import (
	"sync"

	"twinlun/blockdev/iscsi/pdu"
)

// outgoing is something on its way to the initiator.
type outgoing interface {
	// send writes it. The sender calls it, in the order of push, and only
	// once.
	send(s *session, w *pdu.Writer) error
	// forget is called instead when nothing can be sent any more.
	forget(s *session)
}

// outboxRoom is how many entries the reader lets wait before it stops reading.
const outboxRoom = 1024

// outbox is the queue between those who answer and the sender.
type outbox struct {
	w       *pdu.Writer
	wake    chan struct{} // has an element when there may be something to do
	drained chan struct{} // closed when the sender has ended

	mu struct {
		sync.Mutex
		queue  []outgoing
		closed bool
		room   *sync.Cond
	}
}

func newOutbox(w *pdu.Writer) *outbox {
	o := &outbox{w: w, wake: make(chan struct{}, 1), drained: make(chan struct{})}
	o.mu.room = sync.NewCond(&o.mu)
	return o
}

// push queues x; false if the outbox is closed, and x is not taken.
func (o *outbox) push(x outgoing) bool {
	o.mu.Lock()
	if o.mu.closed {
		o.mu.Unlock()
		return false
	}
	o.mu.queue = append(o.mu.queue, x)
	first := len(o.mu.queue) == 1
	o.mu.Unlock()
	if first {
		o.signal()
	}
	return true
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// waitRoom holds up the reader while the peer does not take what it asks for.
func (o *outbox) waitRoom() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.mu.queue) > outboxRoom && !o.mu.closed {
		o.mu.room.Wait()
	}
}

// take swaps the queue for the empty slice spare. closed comes with the last
// entries.
func (o *outbox) take(spare []outgoing) (batch []outgoing, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	batch, o.mu.queue = o.mu.queue, spare
	o.mu.room.Broadcast()
	return batch, o.mu.closed
}

// close lets no more in; the sender ends after what is there.
func (o *outbox) close() {
	o.mu.Lock()
	o.mu.closed = true
	o.mu.room.Broadcast()
	o.mu.Unlock()
	o.signal()
}
