package bitmap

import "math/bits"

// Bits is a set of small numbers, one bit each. Numbers outside of its length
// are never in it. It has no lock of its own.
type Bits struct {
	words []uint64
	n     int64 // length
	count int64 // how many are in
}

// NewBits makes an empty set of the numbers below n.
func NewBits(n int64) *Bits { return &Bits{words: make([]uint64, (n+63)/64), n: n} }

// Len is the length.
func (b *Bits) Len() int64 { return b.n }

// Count is how many numbers are in the set.
func (b *Bits) Count() int64 { return b.count }

// Grow makes room for the numbers below n.
func (b *Bits) Grow(n int64) {
	if n <= b.n {
		return
	}
	b.n = n
	if more := int((n+63)/64) - len(b.words); more > 0 {
		b.words = append(b.words, make([]uint64, more)...)
	}
}

// Has says whether i is in.
func (b *Bits) Has(i int64) bool {
	return i >= 0 && i < b.n && b.words[i/64]>>(i%64)&1 == 1
}

// Set puts [from, to) in and says whether anything was new.
func (b *Bits) Set(from, to int64) bool {
	before := b.count
	b.each(from, to, func(w *uint64, mask uint64) {
		b.count += int64(bits.OnesCount64(mask &^ *w))
		*w |= mask
	})
	return b.count != before
}

// Clear takes [from, to) out.
func (b *Bits) Clear(from, to int64) {
	b.each(from, to, func(w *uint64, mask uint64) {
		b.count -= int64(bits.OnesCount64(mask & *w))
		*w &^= mask
	})
}

// HasAll says whether all of [from, to) is in.
func (b *Bits) HasAll(from, to int64) bool {
	all := to <= b.n
	b.each(from, to, func(w *uint64, mask uint64) { all = all && *w&mask == mask })
	return all
}

// each visits the words of [from, to) with the bits that belong to it.
func (b *Bits) each(from, to int64, f func(w *uint64, mask uint64)) {
	from, to = max(from, 0), min(to, b.n)
	for from < to {
		end := min(to, (from/64+1)*64)
		mask := ^uint64(0) >> (64 - (end - from)) << (from % 64)
		f(&b.words[from/64], mask)
		from = end
	}
}

// Next is the first number from i on that is in.
func (b *Bits) Next(i int64) (int64, bool) {
	i = max(i, 0)
	for i < b.n {
		if w := b.words[i/64] >> (i % 64); w != 0 {
			return i + int64(bits.TrailingZeros64(w)), true
		}
		i = (i/64 + 1) * 64
	}
	return 0, false
}

// NextRun is the first run of at most limit numbers that are in, from i on.
func (b *Bits) NextRun(i, limit int64) (from, to int64, ok bool) {
	from, ok = b.Next(i)
	if !ok {
		return 0, 0, false
	}
	to = from + 1
	for to < b.n && to-from < limit && b.Has(to) {
		to++
	}
	return from, to, true
}

// Or puts in what is in o.
func (b *Bits) Or(o *Bits) {
	b.Grow(o.n)
	for i, w := range o.words {
		b.count += int64(bits.OnesCount64(w &^ b.words[i]))
		b.words[i] |= w
	}
}

// AndNot takes out what is in o.
func (b *Bits) AndNot(o *Bits) {
	for i := range min(len(b.words), len(o.words)) {
		b.count -= int64(bits.OnesCount64(b.words[i] & o.words[i]))
		b.words[i] &^= o.words[i]
	}
}

// Clone is a copy.
func (b *Bits) Clone() *Bits {
	c := *b
	c.words = append([]uint64(nil), b.words...)
	return &c
}
