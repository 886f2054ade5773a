package pool

import (
	"cmp"
	"slices"
	"sync"
)

// maxSpans bounds how many ranges of one layer are remembered as damaged; what is
// beyond is counted only.
const maxSpans = 4096

// span is the bytes [off, end).
type span struct{ off, end int64 }

// spans is a set of bytes: ranges that are sorted and do not touch.
type spans struct {
	list  []span
	extra int64 // bytes of ranges for which there was no place
}

// add puts [off, off+n) into the set and says whether any of it was not there.
func (s *spans) add(off, n int64) bool {
	in := span{off, off + n}
	first, _ := slices.BinarySearchFunc(s.list, in.off, func(have span, off int64) int { return cmp.Compare(have.end, off) })
	last := first
	for last < len(s.list) && s.list[last].off <= in.end {
		last++
	}
	if last == first+1 && s.list[first].off <= in.off && s.list[first].end >= in.end {
		return false
	}
	if first == last && len(s.list) >= maxSpans {
		s.extra += n
		return false
	}
	for _, have := range s.list[first:last] {
		in = span{min(in.off, have.off), max(in.end, have.end)}
	}
	s.list = slices.Replace(s.list, first, last, in)
	return true
}

func (s *spans) addAll(other spans) {
	for _, have := range other.list {
		s.add(have.off, have.end-have.off)
	}
	s.extra += other.extra
}

// below is how many bytes of the set are below end.
func (s *spans) below(end int64) (sum int64) {
	for _, have := range s.list {
		sum += max(0, min(have.end, end)-have.off)
	}
	return sum + s.extra
}

func (s *spans) clone() spans { return spans{list: slices.Clone(s.list), extra: s.extra} }

// damages is what is known to be damaged of a layer. All methods may be called at the
// same time.
type damages struct {
	mu  sync.Mutex
	all spans
	// kept came with content that was copied from damaged layers. New sums match it,
	// so that no scrub finds it again.
	kept spans
}

// add notes damage and says whether any of it is news.
func (d *damages) add(off, n int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all.add(off, n)
}

// replace notes what a verification of the whole layer found: these ranges, of bad
// bytes together with those that it did not list.
func (d *damages) replace(found []Damage, bad int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = d.kept.clone()
	for _, f := range found {
		d.all.add(f.Off, f.Len)
		bad -= f.Len
	}
	d.all.extra += bad
}

// inherit notes the damage of a layer whose content was copied into this one. It may
// have been written over there; it is kept all the same.
func (d *damages) inherit(from *damages) {
	from.mu.Lock()
	set := from.all.clone()
	from.mu.Unlock()
	if len(set.list) == 0 && set.extra == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept.addAll(set)
	d.all.addAll(set)
}

// keep says that the layer loses its sums: its next ones match what is damaged.
func (d *damages) keep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept = d.all.clone()
}

// any says whether there is any.
func (d *damages) any() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.all.list) > 0 || d.all.extra > 0
}

// below is how many bytes below end are damaged.
func (d *damages) below(end int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all.below(end)
}

// damagedBelow is what is known to be damaged of what a volume stands on.
func (p *LayerPool) damagedBelow(v *volume) (sum int64) {
	for _, n := range p.tree.chain(v) {
		sum += n.damage.below(v.rec.Size)
	}
	return sum
}
