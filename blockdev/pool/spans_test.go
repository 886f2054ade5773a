package pool

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSpans compares the set with a map of its bytes.
func TestSpans(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var s spans
		var have [200]bool
		for range 40 {
			off, n := rnd.IntN(180), rnd.IntN(20)+1
			news := false
			for i := off; i < off+n; i++ {
				news = news || !have[i]
				have[i] = true
			}
			require.Equal(t, news, s.add(int64(off), int64(n)), "seed %d", seed)
			end, want := rnd.IntN(201), int64(0)
			for _, in := range have[:end] {
				if in {
					want++
				}
			}
			require.Equal(t, want, s.below(int64(end)), "seed %d", seed)
		}
		for i := 1; i < len(s.list); i++ {
			require.Less(t, s.list[i-1].end, s.list[i].off, "seed %d: ranges that touch are one", seed)
		}
	}
}

// TestSpansAreBounded: a disk that is broken all over does not fill the memory.
func TestSpansAreBounded(t *testing.T) {
	var s spans
	for i := range int64(3 * maxSpans) {
		require.Equal(t, i < maxSpans, s.add(i*10, 5), "what is beyond is no news")
	}
	require.Len(t, s.list, maxSpans)
	require.EqualValues(t, 3*maxSpans*5, s.below(1<<40), "but it counts")
}
