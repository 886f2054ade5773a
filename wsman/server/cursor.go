package server

import (
	"context"
	"errors"
	"iter"

	"twinlun/cim"
	"twinlun/wsman/soap"
)

// item is one entry of an enumeration: an instance, or a class.
type item struct {
	instance *cim.Instance
	class    *cim.Class
}

// source is where the items of an enumeration come from and how one is written.
type source struct {
	// items yields until yield fails or ctx ends.
	items func(ctx context.Context, yield func(item) error) error
	write func(*soap.Writer, item)
}

// cursor is an enumeration under way. The source runs only while a request asks
// for items, in its goroutine, and stands still between requests; at most a batch
// of items is held. It is for one goroutine at a time; cancel is for all.
type cursor struct {
	id     string
	source *source
	cancel context.CancelFunc
	next   func() (item, error, bool)
	stop   func()

	pending  []item // taken from the source, not yet sent
	ended    bool   // the source has no more
	itemSize int    // bytes that an item has had on average
}

// errStopped ends a source whose cursor was closed.
var errStopped = errors.New("enumeration closed")

// newCursor makes a cursor, which must be closed. It keeps the values of ctx but
// not its end.
func newCursor(ctx context.Context, id string, src *source) *cursor {
	c := &cursor{id: id, source: src}
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.next, c.stop = iter.Pull2(func(yield func(item, error) bool) {
		stopped := false
		err := src.items(ctx, func(it item) error {
			if stopped || !yield(it, nil) {
				stopped = true
				return errStopped
			}
			return ctx.Err()
		})
		if err != nil && !stopped {
			yield(item{}, err)
		}
	})
	return c
}

// close ends the source.
func (c *cursor) close() {
	c.cancel()
	c.stop()
	c.pending = nil
}

// fill takes items from the source until n are pending or there are no more. When
// ctx ends so does the whole enumeration, with ctx's cause.
func (c *cursor) fill(ctx context.Context, n int) error {
	defer context.AfterFunc(ctx, c.cancel)()
	for len(c.pending) < n && !c.ended {
		it, err, ok := c.next()
		switch {
		case !ok:
			c.ended = true
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		default:
			c.pending = append(c.pending, it)
		}
	}
	return nil
}

// drop forgets the first n pending items, which were sent in size bytes.
func (c *cursor) drop(n, size int) {
	if n > 0 {
		c.itemSize = size / n
	}
	left := copy(c.pending, c.pending[n:])
	clear(c.pending[left:])
	c.pending = c.pending[:left]
}
