package server

import (
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// envelopeTail is at least what follows the last item of an answer.
const envelopeTail = 256

// batch is one answer's share of an enumeration.
type batch struct {
	cursor *cursor
	// wrapper is the element in n: that holds the batch, prefix that of Items and
	// EndOfSequence: Enumerate and Pull differ (DSP0226 section 8.2.3).
	wrapper, prefix string
	// always writes an empty EnumerationContext where there is none, as Windows does.
	always bool
	most   int // items; 0 sends none, and is never the end
	room   int // bytes of the whole answer
	// retry keeps the enumeration where an instance does not fit: the client
	// knows it and may allow more.
	retry bool
	// keep is set by write: there is more to come.
	keep bool
}

// write writes as many of the pending items as fit. One that alone does not fit
// is an EncodingLimit fault and stays.
func (b *batch) write(w *soap.Writer) error {
	n := min(len(b.cursor.pending), b.most)
	// The context comes before the items, but depends on whether they are the
	// last. To say that there is more is never wrong.
	last := b.most > 0 && b.cursor.ended && n == len(b.cursor.pending) && n*b.cursor.itemSize < b.room*3/4
	start := w.Mark()
	written, size := b.writeAs(w, n, last)
	if written < n && last {
		last = false
		w.Rewind(start)
		written, size = b.writeAs(w, n, last)
	}
	if written == 0 && n > 0 {
		b.keep = b.retry
		return wsman.EncodingLimit(wsman.DetailMaxEnvelopeExceeded, "an instance is larger than MaxEnvelopeSize")
	}
	b.keep = !last
	b.cursor.drop(written, size)
	return nil
}

// writeAs writes up to n items and says how many, and their bytes.
func (b *batch) writeAs(w *soap.Writer, n int, last bool) (written, size int) {
	w.Start("n", b.wrapper)
	if !last {
		w.Element("n", "EnumerationContext", b.cursor.id)
	} else if b.always {
		w.Element("n", "EnumerationContext", "")
	}
	if b.most > 0 {
		w.Start(b.prefix, "Items")
		written, size = b.writeItems(w, n)
		w.End()
	}
	if last {
		w.Element(b.prefix, "EndOfSequence", "")
	}
	w.End()
	return written, size
}

func (b *batch) writeItems(w *soap.Writer, n int) (written, size int) {
	from := w.Len()
	for ; written < n; written++ {
		before := w.Mark()
		b.cursor.source.write(w, b.cursor.pending[written])
		if w.Len()+envelopeTail > b.room {
			w.Rewind(before)
			break
		}
	}
	return written, w.Len() - from
}
