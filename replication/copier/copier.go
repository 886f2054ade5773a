// Package copier copies ranges of one device to another: all of it or what a log
// of dirty regions says, several ranges at once, at a bounded rate, so that it can
// be stopped and goes on later.
package copier

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"twinlun/blockdev"
)

// Config is one copy.
type Config struct {
	Source, Target blockdev.Device
	Work           Work
	// Lock keeps all others from writing to the range, on both sides, until
	// unlock is called; nil: nobody writes.
	Lock func(context.Context, Range) (unlock func(), err error)
	// Limiter is of the bytes that are read; nil: no limit.
	Limiter *Limiter
	// Parallel is how many ranges are copied at once; default 4.
	Parallel int
	// Batch is how many bytes are copied between flushes of the target;
	// default 64 MiB.
	Batch int64
	// Progress hears how many bytes are copied, of how many, one call after
	// the other; nil: nobody does.
	Progress func(done, total int64)
}

const (
	defaultParallel = 4
	defaultBatch    = 64 << 20
	maxPiece        = 1 << 20 // bytes read at once, and of a buffer
)

// Side is one of the two devices.
type Side string

// The sides.
const (
	Source Side = "source"
	Target Side = "target"
)

// Error says which side failed.
type Error struct {
	Side     Side
	Op       string
	Off, Len int64 // the range that was being copied; 0 for a flush
	Err      error
}

// Error is "side op at off+len: cause".
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s at %d+%d: %v", e.Side, e.Op, e.Off, e.Len, e.Err)
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// Run copies until the Work has no more, and flushes the target. What the source
// does not hold is made zeros on the target. The first failure, *Error or that
// of Lock or Work, stops it; ranges that were Copied stay so.
func Run(ctx context.Context, c Config) error {
	if c.Parallel < 1 {
		c.Parallel = defaultParallel
	}
	if c.Batch < 1 {
		c.Batch = defaultBatch
	}
	r := &runner{Config: c}
	for {
		batch := r.nextBatch()
		if len(batch) == 0 {
			return ctx.Err()
		}
		if err := r.copyAll(ctx, batch); err != nil {
			return err
		}
		if err := c.Target.Flush(ctx); err != nil {
			return &Error{Side: Target, Op: "flush", Err: err}
		}
		if err := c.Work.Flushed(ctx, batch); err != nil {
			return err
		}
	}
}

// runner is a copy under way.
type runner struct {
	Config

	mu   sync.Mutex // guards done and is held for Progress
	done int64
}

// nextBatch takes ranges out of the Work until they are worth a flush.
func (r *runner) nextBatch() (batch []Range) {
	for n := int64(0); n < r.Batch; {
		next, ok := r.Work.Next()
		if !ok {
			break
		}
		batch = append(batch, next)
		n += next.Len
	}
	return batch
}

// copyAll copies the ranges with as many workers as are allowed, and waits for
// them.
func (r *runner) copyAll(ctx context.Context, batch []Range) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan Range, len(batch))
	for _, next := range batch {
		todo <- next
	}
	close(todo)
	var workers sync.WaitGroup
	for range min(r.Parallel, len(batch)) {
		workers.Go(func() {
			if err := r.work(ctx, todo); err != nil {
				cancel(err) // the first one counts
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// work copies ranges until there are none, or ctx ends.
func (r *runner) work(ctx context.Context, todo <-chan Range) error {
	buf := make([]byte, maxPiece)
	for next := range todo {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := r.copyLocked(ctx, next, buf)
		if err != nil {
			return err
		}
		r.progress(next)
		if err := r.Limiter.Wait(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// copyLocked copies one range under its lock and says how many bytes were read.
func (r *runner) copyLocked(ctx context.Context, next Range, buf []byte) (n int64, err error) {
	if r.Lock != nil {
		unlock, err := r.Lock(ctx, next)
		if err != nil {
			return 0, err
		}
		defer unlock()
	}
	if n, err = r.copyRange(ctx, next, buf); err == nil {
		r.Work.Copied(next)
	}
	return n, err
}

// copyRange makes the target's range equal to the source's.
func (r *runner) copyRange(ctx context.Context, next Range, buf []byte) (n int64, err error) {
	err = Walk(ctx, r.Source, next.Off, next.Len, func(e blockdev.Extent) error {
		if e.Data {
			n += e.Len
			return r.copyData(ctx, e, buf)
		}
		return on(Target, "zero", e.Off, e.Len, blockdev.Zero(ctx, r.Config.Target, e.Off, e.Len))
	})
	if _, sided := errors.AsType[*Error](err); !sided {
		err = on(Source, "extents", next.Off, next.Len, err)
	}
	return n, err
}

// copyData copies an extent piece by piece.
func (r *runner) copyData(ctx context.Context, e blockdev.Extent, buf []byte) error {
	for off, end := e.Off, e.Off+e.Len; off < end; off += int64(len(buf)) {
		p := buf[:min(int64(len(buf)), end-off)]
		if err := r.Config.Source.ReadAt(ctx, p, off); err != nil {
			return on(Source, "read", off, int64(len(p)), err)
		}
		if err := r.Config.Target.WriteAt(ctx, p, off); err != nil {
			return on(Target, "write", off, int64(len(p)), err)
		}
	}
	return nil
}

// on is an Error of a side, or nil.
func on(s Side, op string, off, n int64, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Side: s, Op: op, Off: off, Len: n, Err: err}
}

func (r *runner) progress(next Range) {
	if r.Progress == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done += next.Len
	r.Progress(r.done, r.done+r.Work.Left())
}
