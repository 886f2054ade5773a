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

// outbox is the queue between those who answer and the one who sends: the sender, or a
// worker whose answer is the only one.
type outbox struct {
	w       *pdu.Writer
	wake    chan struct{} // has an element when there may be something to do
	drained chan struct{} // closed when the sender has ended
	batch   []outgoing    // what is being sent; of the one who sends

	mu struct {
		sync.Mutex
		queue  []outgoing
		busy   bool // somebody sends
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
	first := len(o.mu.queue) == 1 && !o.mu.busy
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

// seize makes the caller the one who sends, if nobody does and nothing waits.
func (o *outbox) seize() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.busy || o.mu.closed || len(o.mu.queue) > 0 {
		return false
	}
	o.mu.busy = true
	return true
}

// await makes the caller the one who sends when there is something to send; false
// when nothing will be any more.
func (o *outbox) await() bool {
	for {
		o.mu.Lock()
		free, some, closed := !o.mu.busy, len(o.mu.queue) > 0, o.mu.closed
		if free && some {
			o.mu.busy = true
		}
		o.mu.Unlock()
		if free && (some || closed) {
			return some
		}
		<-o.wake
	}
}

// release ends what seize or await began; false: there is more to send.
func (o *outbox) release() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.mu.queue) > 0 {
		return false
	}
	o.mu.busy = false
	if o.mu.closed {
		o.signal()
	}
	return true
}

// take makes the queue the batch; false if it is empty. Only the one who sends calls it.
func (o *outbox) take() bool {
	clear(o.batch)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.batch, o.mu.queue = o.mu.queue, o.batch[:0]
	o.mu.room.Broadcast()
	return len(o.batch) > 0
}

// close lets no more in; the sender ends after what is there.
func (o *outbox) close() {
	o.mu.Lock()
	o.mu.closed = true
	o.mu.room.Broadcast()
	o.mu.Unlock()
	o.signal()
}
