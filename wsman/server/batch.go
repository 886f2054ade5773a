package server

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// envelopeTail is at least what follows the last item of an answer.
const envelopeTail = 256

// batch is one answer's share of an enumeration.
type batch struct {
	cursor *cursor
	items  []item // that are there to be sent
	ended  bool   // there will be no others
	// wrapper is the element in n: that holds the batch, prefix that of Items and
	// EndOfSequence: Enumerate and Pull differ (DSP0226 section 8.2.3).
	wrapper, prefix string
	// always writes an empty EnumerationContext where there is none, as Windows does.
	always bool
	most   int // items; 0 sends none, and is never the end
	room   int // bytes of the whole answer
	chars  int // characters of the items (MaxCharacters); 0: as many as fit
	// again says that the client knows the context, so that it can go on after a
	// fault.
	again bool
	// expires writes when the enumeration ends, or is nil.
	expires func(*soap.Writer)
	// keep is set where there is more to come.
	keep bool
}

// write writes as many of the items as fit. One that alone does not fit is an
// EncodingLimit fault and stays: the client may allow more.
func (b *batch) write(w *soap.Writer) error {
	n := min(len(b.items), b.most)
	// The context comes before the items, but depends on whether they are the
	// last. To say that there is more is never wrong.
	last := b.most > 0 && b.ended && n == len(b.items) && n*b.cursor.itemSize < b.room*3/4
	start := w.Mark()
	written, size := b.writeAs(w, n, last)
	if written < n && last {
		last = false
		w.Rewind(start)
		written, size = b.writeAs(w, n, last)
	}
	if written == 0 && n > 0 {
		b.keep = b.again
		return b.tooLarge()
	}
	b.keep = !last
	b.cursor.drop(written, size)
	return nil
}

func (b *batch) tooLarge() error {
	limit := "MaxEnvelopeSize"
	if b.chars > 0 {
		limit += " or MaxCharacters"
	}
	return wsman.EncodingLimit(wsman.DetailMaxEnvelopeExceeded, "the next item is larger than %s allows", limit)
}

// writeAs writes up to n items and says how many, and their bytes.
func (b *batch) writeAs(w *soap.Writer, n int, last bool) (written, size int) {
	w.Start("n", b.wrapper)
	if !last {
		if b.expires != nil {
			b.expires(w)
		}
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
	from, chars := w.Len(), b.chars
	for ; written < n; written++ {
		before, at := w.Mark(), w.Len()
		b.cursor.source.write(w, b.items[written])
		if b.chars > 0 {
			chars -= utf8.RuneCount(w.Bytes()[at:])
		}
		if w.Len()+envelopeTail > b.room || chars < 0 {
			w.Rewind(before)
			break
		}
	}
	return written, w.Len() - from
}

// takeBatch makes the answer that sends a batch. The enumeration, in use by the
// caller, is given back when the answer is written or fails, and before it is
// sent: the client may ask for more as soon as it has it.
func (s *Server) takeBatch(ctx context.Context, rq *request, e *contextEntry, b *batch) (a *answer, err error) {
	giveBack := func() { s.contexts.put(e, b.keep, s.config.Time()) }
	defer func() {
		if a == nil {
			giveBack()
		}
	}()
	b.most = min(b.most, s.config.Limits.Batch)
	b.room = s.config.Limits.Answer
	if limit := rq.maxAnswer(); limit > 0 {
		b.room = int(min(limit, int64(s.config.Limits.Body)))
	}
	if err := b.collect(ctx); err != nil {
		return nil, err
	}
	return &answer{sized: true, body: b.write, header: s.estimate(ctx, rq, e.cursor.source), done: giveBack}, nil
}

// collect waits for one item more than is sent, to know whether it is the last; and
// at least for one, so that what is wrong with the request shows at once. When the
// time is up, what has come is sent. If that is nothing it is a fault, and the
// enumeration goes on if its client knows it.
func (b *batch) collect(ctx context.Context) (err error) {
	b.items, b.ended, err = b.cursor.fill(ctx, b.most+1)
	switch {
	case err != nil || b.ended || len(b.items) > b.most:
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && (len(b.items) > 0 || b.most == 0):
		return nil
	}
	b.keep = b.again
	return context.Cause(ctx)
}

// expiresAt writes when an enumeration that begins now ends, if the client asked.
func expiresAt(x expiry, now time.Time) func(*soap.Writer) {
	if !x.asked {
		return nil
	}
	return func(w *soap.Writer) { writeExpires(w, x.clock, x.until, now) }
}
