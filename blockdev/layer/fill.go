package layer

import (
	"context"
	"errors"
	"io"
	"slices"
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
