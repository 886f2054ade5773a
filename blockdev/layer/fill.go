package layer

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

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

// Pace is told of every n bytes that a copy has been through, copied or skipped,
// and may wait, or end the copy with an error.
type Pace func(ctx context.Context, scanned, copied int64) error

// ranges calls fn for the parts of [off, off+n) that the data file may have data
// in, in order. Beyond the layer's size there are none.
func (l *Layer) ranges(off, n int64, fn func(from, to int64) error) error {
	for end := min(off+n, l.Size()); off < end; {
		from, to, err := l.data.NextData(off)
		if errors.Is(err, io.EOF) || err == nil && from >= end {
			return nil
		}
		if err != nil {
			return ioError("find data", err)
		}
		from, to = max(from, off), min(to, end)
		if err := fn(from, to); err != nil {
			return err
		}
		off = to
	}
	return nil
}

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

// Fill brings into the layer what it does not have and below shows. The layer may
// be the top of a volume that is in use, or frozen: what it shows together with
// below does not change. When Fill has returned nil, everything is durable; and if
// below is grounded, also nothing but what the layer has is left in its data file,
// so that it can be opened as grounded from then on.
//
// Blocks that the layer has are skipped, so a Fill that was interrupted can be
// called again. There must be one at a time for a layer.
func (l *Layer) Fill(ctx context.Context, below *View, pace Pace) error {
	for _, from := range below.layers {
		if err := from.source(); err != nil {
			return err
		}
	}
	m := &mover{into: l, pace: pace, sparse: below.grounded, keep: true}
	none := func(int64) int64 { return 0 }
	return m.run(ctx, l.Size(), none, func(off, n int64) error { return m.fillPiece(below, off, n) })
}

// run moves piece after piece of size bytes and makes them durable. skip says how
// much need not be looked at from a place on.
func (m *mover) run(ctx context.Context, size int64, skip func(off int64) int64, move func(off, n int64) error) error {
	piece := int64(copyPiece)
	for off := int64(0); off < size; {
		skipped, before := skip(off), m.copied
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

// fillPiece fills one range; nobody else brings blocks into it meanwhile. What is to be
// copied is compared with its sums before anybody has to wait.
func (m *mover) fillPiece(below *View, off, n int64) error {
	if err := m.proveBelow(below, off, n); err != nil {
		return err
	}
	set := stripesOf(off, n)
	m.into.stripes.lock(set, true)
	defer m.into.stripes.unlock(set, true)
	for end := off + n; off < end; {
		block, count := blockRange(off, end-off)
		st, run := m.into.blocks.run(block, count)
		to := min(end, (block+run)*blockSize)
		var err error
		switch {
		case st == absent:
			err = below.pieces(off, to-off, m.bring)
		case st == zero && below.grounded:
			err = m.clean(off, to)
		}
		if err != nil {
			return err
		}
		off = to
	}
	return nil
}

// proveBelow proves what the layer does not have.
func (m *mover) proveBelow(below *View, off, n int64) error {
	if !slices.ContainsFunc(below.layers, func(l *Layer) bool { return l.proved.Load() != nil }) {
		return nil
	}
	for end := off + n; off < end; {
		block, count := blockRange(off, end-off)
		st, run := m.into.blocks.run(block, count)
		to := min(end, (block+run)*blockSize)
		if st == absent {
			err := below.pieces(off, to-off, func(p piece) error { return m.prove(p.from, p.off, p.n) })
			if err != nil {
				return err
			}
		}
		off = to
	}
	return nil
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

// source readies a frozen layer for being copied and then forgotten: what was lost
// must not look as if it were there, and a loss that nobody was told of yet would never
// be told, because only a sync of the layer tells it.
func (l *Layer) source() error {
	if err := l.settle(); err != nil {
		return err
	}
	return l.Failed()
}

// Sink moves everything that l has down into below, on which l stands, and which
// nothing else stands on or reads. l must be frozen and is not changed, so nobody
// sees the difference; afterwards below alone shows what both did. grounded says
// that below stands on nothing. When Sink has returned nil, everything is durable.
// It can be interrupted and called again.
func (l *Layer) Sink(ctx context.Context, below *Layer, grounded bool, pace Pace) error {
	if err := l.source(); err != nil {
		return err
	}
	if err := below.Grow(l.Size()); err != nil {
		return err
	}
	m := &mover{into: below, pace: pace, sparse: grounded, keep: !grounded}
	return m.run(ctx, l.Size(), l.emptyFrom, func(off, n int64) error { return m.sinkPiece(l, off, n) })
}

// emptyFrom is how many bytes from off on, which begins a block, the layer has
// nothing of.
func (l *Layer) emptyFrom(off int64) int64 {
	block, count := blockRange(off, l.Size()-off)
	st, n := l.blocks.run(block, count)
	if st != absent {
		return 0
	}
	return min(n*blockSize, l.Size()-off)
}

func (m *mover) sinkPiece(from *Layer, off, n int64) error {
	for end := off + n; off < end; {
		block, count := blockRange(off, end-off)
		st, run := from.blocks.run(block, count)
		to := min(end, (block+run)*blockSize)
		var err error
		switch st {
		case data:
			if err = m.prove(from, off, to-off); err == nil {
				err = m.copyFile(from, off, to)
			}
		case zero:
			err = m.bring(piece{off: off, n: to - off})
		}
		if err != nil {
			return err
		}
		off = to
	}
	return nil
}
