package eventing

import (
	"sort"

	"twinlun/cim"
)

// event is something that happened. It is shared by all that wait for it and not
// changed any more.
type event struct {
	seq  uint64
	in   *cim.Instance
	size int // bytes, about
}

// fifo is a queue of events, oldest first.
type fifo struct {
	ring  []*event // len is the capacity
	head  int      // of the oldest
	n     int
	bytes int
}

func (q *fifo) at(i int) *event { return q.ring[(q.head+i)%len(q.ring)] }

// push appends the latest event.
func (q *fifo) push(e *event) {
	q.grow()
	q.ring[(q.head+q.n)%len(q.ring)] = e
	q.n++
	q.bytes += e.size
}

// unshift puts an event before the oldest.
func (q *fifo) unshift(e *event) {
	q.grow()
	q.head = (q.head + len(q.ring) - 1) % len(q.ring)
	q.ring[q.head] = e
	q.n++
	q.bytes += e.size
}

// pop takes the oldest event; there must be one.
func (q *fifo) pop() *event {
	e := q.ring[q.head]
	q.ring[q.head] = nil
	q.head = (q.head + 1) % len(q.ring)
	q.n--
	q.bytes -= e.size
	if q.n == 0 {
		q.head = 0
	}
	return e
}

// trim takes the oldest events until no more are left than the limits allow, and
// says how many it took and the seq of the last of them.
func (q *fifo) trim(events, bytes int) (taken int, last uint64) {
	for q.n > events || q.n > 0 && q.bytes > bytes {
		last = q.pop().seq
		taken++
	}
	return taken, last
}

func (q *fifo) grow() {
	if q.n < len(q.ring) {
		return
	}
	ring := make([]*event, max(8, 2*len(q.ring)))
	for i := range q.n {
		ring[i] = q.at(i)
	}
	q.ring, q.head = ring, 0
}

// after are the events with a higher seq than this, oldest first.
func (q *fifo) after(seq uint64) []*event {
	from := sort.Search(q.n, func(i int) bool { return q.at(i).seq > seq })
	out := make([]*event, 0, q.n-from)
	for i := from; i < q.n; i++ {
		out = append(out, q.at(i))
	}
	return out
}

// sizeOf is about how many bytes an instance takes.
func sizeOf(in *cim.Instance) int {
	const fixed, each = 256, 16
	size := fixed + each*len(in.Class.Properties)
	for i := range in.Class.Properties {
		size += valueSize(in.At(i))
	}
	return size
}

func valueSize(v cim.Value) int {
	const scalar = 16
	switch v := v.(type) {
	case nil:
		return 0
	case string:
		return len(v)
	case []cim.Value:
		size := scalar * len(v)
		for _, e := range v {
			size += valueSize(e)
		}
		return size
	case *cim.Instance:
		return sizeOf(v)
	case *cim.Path:
		size := scalar + len(v.Namespace) + len(v.Class)
		for _, k := range v.Keys {
			size += scalar + len(k.Name) + valueSize(k.Value)
		}
		return size
	}
	return scalar
}
