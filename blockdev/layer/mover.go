package layer

import (
	"cmp"
	"context"
	"errors"

	"twinlun/blockdev/vfs"
)

const (
	// copyPiece is the largest range that is copied at once; writes to blocks
	// of it that the layer does not have yet wait meanwhile. Bytes.
	copyPiece = 4 << 20
	// clonePiece is that where the last range cost nothing. Bytes.
	clonePiece = 16 << 20
	// commitEvery is how much is copied before it is made durable, so that an
	// interrupted copy does not begin at the start again. Bytes.
	commitEvery = 1 << 30
	// commitSpans bounds what is remembered until then.
	commitSpans = 1 << 16
)

// span is a run of blocks that shall be marked once the data is durable.
type span struct {
	block, n int64
	st       state
}

// mover copies blocks into a layer and marks them after they are durable: until
// then a reader finds them where they were, and a failed sync takes nothing away.
type mover struct {
	into   *Layer
	sparse bool // the layer stands on nothing, or will: holes need no mark
	keep   bool // what was copied is marked, for whoever has to begin again
	pace   Pace
	piece  int64 // how much is moved at once; 0: copyPiece
	done   []span
	copied int64 // since the last commit; what was cloned costs nothing
	copies bool  // the files cannot share blocks
}

// run moves piece after piece of size bytes and makes them durable. skip says how
// much need not be looked at from a place on.
func (m *mover) run(ctx context.Context, size int64, skip func(off int64) int64, move func(off, n int64) error) error {
	piece := int64(copyPiece)
	for off := int64(0); off < size; {
		skipped, before := min(skip(off), size-off), m.copied // what skip knows may have grown
		n := min(cmp.Or(m.piece, piece), size-off-skipped)
		if err := move(off+skipped, n); err != nil {
			return err
		}
		cost := m.copied - before
		if piece = copyPiece; cost == 0 && !m.copies {
			piece = clonePiece
		}
		if err := m.step(ctx, skipped+n, cost); err != nil {
			return err
		}
		off += skipped + n
	}
	m.keep = m.keep && !m.sparse
	return m.commit()
}

// prove compares a range of a layer with its sums, if CheckCopies wants it. It costs
// what a copy costs, and counts as one where the copy itself costs nothing.
func (m *mover) prove(from *Layer, off, n int64) error {
	if from == nil {
		return nil
	}
	read, err := from.prove(off, n)
	if !m.copies {
		m.copied += read
	}
	return err
}

// bring copies one piece of the view.
func (m *mover) bring(p piece) error {
	switch {
	case p.below:
		return nil
	case p.from == nil:
		if !m.sparse {
			m.mark(p.off, p.off+p.n, zero)
		}
		return m.clean(p.off, p.off+p.n)
	}
	return m.copyFile(p.from, p.off, p.off+p.n)
}

// copyFile makes [off, end) of the layer what it is in the data file of from, holes
// included. Ranges of data may begin or end within a block.
func (m *mover) copyFile(from *Layer, off, end int64) error {
	off, err := m.cloneFile(from, off, end)
	if err != nil || off == end {
		return err
	}
	at := off
	err = from.ranges(off, end-off, func(lo, hi int64) error {
		if err := m.clean(at, lo); err != nil {
			return err
		}
		at = hi
		m.copied += hi - lo
		m.mark(lo, hi, data)
		return ioError("copy", m.into.data.CopyFrom(from.data, lo, hi-lo))
	})
	if err == nil {
		err = m.clean(at, end)
	}
	if err == nil && !m.sparse {
		m.mark(off, end, data)
	}
	return err
}

// cloneFile is copyFile for as many whole blocks as the two files can share, and says
// where they end. A layer's file may have more than the layer; that is left out.
func (m *mover) cloneFile(from *Layer, off, end int64) (int64, error) {
	hi := min(end, from.Size()) / blockSize * blockSize
	if m.copies || off >= hi {
		return off, nil
	}
	err := vfs.Clone(m.into.data, from.data, off, hi-off)
	if errors.Is(err, errors.ErrUnsupported) {
		m.copies = true
		return off, nil
	}
	if err == nil {
		m.mark(off, hi, data)
	}
	return hi, ioError("clone", err)
}

// clean takes away what an interrupted write may have left in a range that the
// layer does not have.
func (m *mover) clean(off, end int64) error {
	return m.into.ranges(off, end-off, func(from, to int64) error {
		return ioError("punch", m.into.data.Punch(from, to-from))
	})
}

// mark remembers the blocks of a range.
func (m *mover) mark(off, end int64, st state) {
	first, count := blockRange(off, end-off)
	if last := len(m.done) - 1; last >= 0 && m.done[last].st == st && m.done[last].block+m.done[last].n == first {
		m.done[last].n += count
		return
	}
	m.done = append(m.done, span{first, count, st})
}

// step ends a piece.
func (m *mover) step(ctx context.Context, scanned, copied int64) error {
	if m.pace != nil {
		if err := m.pace(ctx, scanned, copied); err != nil {
			return errors.Join(err, m.commit())
		}
	}
	if err := ctx.Err(); err != nil {
		return errors.Join(err, m.commit())
	}
	if m.copied >= commitEvery || len(m.done) >= commitSpans {
		return m.commit()
	}
	return nil
}

// commit makes what was copied durable, together with what was written to the
// layer; then, to be kept, the map that names it.
func (m *mover) commit() error {
	done := m.done
	m.done, m.copied = nil, 0
	if err := m.into.Flush(); err != nil || !m.keep {
		return err
	}
	for _, s := range done {
		m.into.blocks.mark(s.block, s.n, s.st)
	}
	return m.into.Flush()
}
