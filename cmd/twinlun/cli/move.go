package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"

	"twinlun/blockdev"
)

const (
	// transferChunk is how much is read or written at once, in bytes.
	transferChunk = 1 << 20
	// transferDepth is how many chunks are under way at once.
	transferDepth = 8
	// extentsAtOnce is how many ranges of a disk are asked for at once.
	extentsAtOnce = 1024
)

// stretches finds the next [from, to) at or behind off that has to be moved; from is the
// end of all where there is none.
type stretches func(ctx context.Context, off int64) (from, to int64, err error)

// move calls chunk for all of total bytes that next finds, for several parts at once.
// The first error ends all.
func (s *session) move(ctx context.Context, what string, total int64, next stretches, chunk func(ctx context.Context, part []byte, off int64) error) error {
	p := s.app.newProgress()
	defer p.end()
	group, under := errgroup.WithContext(ctx)
	buffers := make(chan []byte, transferDepth)
	for range transferDepth {
		buffers <- make([]byte, transferChunk)
	}
	each := func(off, n int64) {
		buf := <-buffers
		group.Go(func() error {
			defer func() { buffers <- buf }()
			return chunk(under, buf[:n], off)
		})
	}
	for off := int64(0); off < total && under.Err() == nil; {
		from, to, err := next(under, off)
		if err != nil {
			group.Go(func() error { return err })
			break
		}
		for ; from < to && under.Err() == nil; from += min(transferChunk, to-from) {
			each(from, min(transferChunk, to-from))
			p.show(what, percentOf(from, total))
		}
		off = from
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil { // nobody was under way when the caller ended it
		return err
	}
	p.show(what, 100)
	return nil
}

// percentOf is how much done is of total, which is not 0.
func percentOf(done, total int64) uint64 { return uint64(float64(done) / float64(total) * 100) }

// upload writes the first n bytes of a file to a disk and leaves out what is
// zero: a new volume reads as zeros.
func (s *session) upload(ctx context.Context, f *os.File, n int64, d disk) error {
	changed := fmt.Errorf("%s changed while it was read", f.Name())
	next := func(_ context.Context, off int64) (from, to int64, err error) {
		from, err = nextData(f, off, n, transferChunk)
		return from, min(from+transferChunk, n), err
	}
	err := s.move(ctx, "import", n, next, func(ctx context.Context, part []byte, off int64) error {
		switch _, err := f.ReadAt(part, off); {
		case errors.Is(err, io.EOF):
			return changed
		case err != nil:
			return fmt.Errorf("%s at %d: %w", f.Name(), off, err)
		}
		for at, run := range runs(padded(part)) {
			if err := d.WriteAt(ctx, run, off+int64(at)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	// What a file no longer has looks like a hole.
	if now, err := contentSize(f); err != nil || now != n {
		return errors.Join(changed, err)
	}
	return d.Flush(ctx)
}

// padded fills the last sector with zeros; part has room for it.
func padded(part []byte) []byte {
	n := len(part)
	whole := (n + blockdev.SectorSize - 1) / blockdev.SectorSize * blockdev.SectorSize
	part = part[:whole]
	clear(part[n:])
	return part
}

// download writes a disk to an empty file and leaves holes where it is zero.
func (s *session) download(ctx context.Context, d disk, f *os.File) error {
	if err := f.Truncate(d.Size()); err != nil {
		return err
	}
	return s.move(ctx, "export", d.Size(), dataOf(d), func(ctx context.Context, part []byte, off int64) error {
		if err := d.ReadAt(ctx, part, off); err != nil {
			return err
		}
		for at, run := range runs(part) {
			if _, err := f.WriteAt(run, off+int64(at)); err != nil {
				return err
			}
		}
		return nil
	})
}

// dataOf finds what a disk has data in, as far as it knows.
func dataOf(d disk) stretches {
	e, ok := d.(blockdev.Extenter)
	if !ok {
		return func(_ context.Context, off int64) (from, to int64, err error) { return off, d.Size(), nil }
	}
	var known []blockdev.Extent
	return func(ctx context.Context, off int64) (from, to int64, err error) {
		for off < d.Size() {
			if len(known) == 0 {
				if known, err = e.Extents(ctx, off, d.Size()-off, extentsAtOnce); err != nil {
					return 0, 0, err
				}
			}
			x := known[0]
			known = known[1:]
			if x.Data {
				return x.Off, x.Off + x.Len, nil
			}
			off = x.Off + x.Len
		}
		return off, off, nil
	}
}
