package server

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// item is one entry of an enumeration: an instance, or a class.
type item struct {
	instance *cim.Instance
	class    *cim.Class
}

// source is where the items of an enumeration come from and how one is written.
type source struct {
	resource wsman.Resource // that the enumeration is of
	ns       string
	// items yields until yield fails or ctx ends.
	items func(ctx context.Context, yield func(item) error) error
	write func(*soap.Writer, item)
	// count says how many items there are, where that is known; nil: never.
	count func(ctx context.Context) (n int, known bool)
}

// cursor is an enumeration under way. The source runs in a goroutine of its own
// while a request asks for items, and stands still between requests: when the time
// of a request is over it ends the item that it is at. At most a batch of items is
// held. One request at a time may use a cursor; close is for all.
type cursor struct {
	id       string
	source   *source
	ctx      context.Context // of the source
	cancel   context.CancelFunc
	more     chan struct{} // capacity 1: want has grown
	returned chan struct{} // closed when the source has returned
	// left is called once, when the source has returned or will never run.
	left func()

	itemSize int // bytes that an item has had on average

	mu      sync.Mutex // guards what follows
	started bool
	closed  bool
	parked  bool          // the source waits for more
	want    int           // the source stands still when so many are pending
	filled  chan struct{} // closed when it does, or has returned; nil: nobody waits
	pending []item        // taken from the source, not yet sent
	ended   bool          // the source has returned
	err     error         // why
}

// errStopped ends a source whose cursor was closed.
var errStopped = errors.New("enumeration closed")

// newCursor makes a cursor, which must be closed. Of ctx it keeps who asks, and
// nothing else: it lives longer than the request.
func newCursor(ctx context.Context, id string, src *source) *cursor {
	c := &cursor{id: id, source: src, more: make(chan struct{}, 1), returned: make(chan struct{}), left: func() {}}
	base := context.Background()
	if who, ok := cim.PrincipalFrom(ctx); ok {
		base = cim.WithPrincipal(base, who)
	}
	c.ctx, c.cancel = context.WithCancel(base)
	return c
}

// close ends the source. It waits until it has returned if it stands still;
// otherwise it is told to, and returned says when it has.
func (c *cursor) close() {
	c.cancel()
	if c.shut() {
		<-c.returned
	}
}

// shut forgets what is pending and says whether the source returns at once.
func (c *cursor) shut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && !c.started {
		close(c.returned)
		c.left()
	}
	c.closed = true
	c.pending = nil
	return c.parked
}

// fill waits until n items are pending, there are no more, or ctx ends, and gives
// those that are; they stay pending. ended says that no others will follow. An
// error is the source's; the end of ctx is none.
func (c *cursor) fill(ctx context.Context, n int) (items []item, ended bool, err error) {
	filled := c.ask(n)
	select {
	case <-filled:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.want, c.filled = 0, nil
	switch {
	case c.ctx.Err() != nil:
		return nil, true, context.Canceled
	case c.err != nil:
		return nil, true, c.err
	}
	return c.pending[:len(c.pending):len(c.pending)], c.ended, nil
}

// ask lets the source run until n items are pending and returns what is closed
// then.
func (c *cursor) ask(n int) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.want, c.filled = n, make(chan struct{})
	filled := c.filled
	switch {
	case c.ended || c.closed || len(c.pending) >= n:
		c.signalLocked()
	case !c.started:
		c.started = true
		go c.run()
	default:
		select {
		case c.more <- struct{}{}:
		default:
		}
	}
	return filled
}

func (c *cursor) signalLocked() {
	if c.filled != nil {
		close(c.filled)
		c.filled = nil
	}
}

// drop forgets the first n pending items, which were sent in size bytes.
func (c *cursor) drop(n, size int) {
	if n == 0 {
		return
	}
	c.itemSize = size / n
	c.mu.Lock()
	defer c.mu.Unlock()
	n = min(n, len(c.pending)) // nothing is pending once it is closed
	// Memory for a batch is not held until the next one.
	c.pending = slices.Clone(c.pending[n:])
}

// run is the goroutine of the source.
func (c *cursor) run() {
	defer close(c.returned)
	defer c.left()
	err := c.produce()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended, c.err = true, err
	c.signalLocked()
}

// produce runs the source. A panic in it is an error like others.
func (c *cursor) produce() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return c.source.items(c.ctx, c.yield)
}

// yield takes an item, then waits until there is a wish for more.
func (c *cursor) yield(it item) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return errStopped
	}
	c.pending = append(c.pending, it)
	for len(c.pending) >= c.want {
		c.signalLocked()
		if !c.parkLocked() {
			return errStopped
		}
	}
	return nil
}

// parkLocked waits without the lock until want may have grown; false when the
// cursor is closed: the source counts as parked then still, for it returns at once.
func (c *cursor) parkLocked() (goOn bool) {
	c.parked = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.parked = !goOn
	}()
	select {
	case <-c.more:
		return c.ctx.Err() == nil
	case <-c.ctx.Done():
		return false
	}
}
