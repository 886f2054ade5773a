package eventing

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The queue against a slice, with random steps.
func TestFifo(t *testing.T) {
	for seed := range uint64(15) {
		r := rand.New(rand.NewPCG(seed, 1))
		var q fifo
		var model []*event
		next := uint64(1000)
		first := next
		for range 400 {
			switch r.IntN(5) {
			case 0, 1:
				e := &event{seq: next, size: r.IntN(20)}
				next++
				q.push(e)
				model = append(model, e)
			case 2:
				if len(model) > 0 {
					require.Same(t, model[0], q.pop())
					first = model[0].seq + 1
					model = model[1:]
				}
			case 3:
				if first > 1 {
					first--
					e := &event{seq: first, size: 3}
					q.unshift(e)
					model = append([]*event{e}, model...)
				}
			case 4:
				events, bytes := r.IntN(30), r.IntN(200)
				taken, last := q.trim(events, bytes)
				for range taken {
					first = model[0].seq + 1
					require.LessOrEqual(t, model[0].seq, last)
					model = model[1:]
				}
				require.LessOrEqual(t, q.n, events)
				require.True(t, q.bytes <= bytes || q.n == 0)
			}
			if len(model) == 0 {
				first = next
			}
			size := 0
			for i, e := range model {
				require.Same(t, e, q.at(i))
				size += e.size
			}
			require.Equal(t, len(model), q.n)
			require.Equal(t, size, q.bytes)
			from := first + uint64(r.IntN(5))
			want := 0
			for _, e := range model {
				if e.seq > from {
					want++
				}
			}
			require.Len(t, q.after(from), want)
		}
	}
}

// What was taken is not held on to.
func TestFifoForgets(t *testing.T) {
	var q fifo
	for i := range 20 {
		q.push(&event{seq: uint64(i)})
	}
	q.trim(0, 0)
	for _, e := range q.ring {
		require.Nil(t, e)
	}
}
