package layer

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/vfs/memfs"
)

// TestWritten compares Written with the states of each block, over several leaves, and
// stops it early.
func TestWritten(t *testing.T) {
	const size = 3*leafBlocks*blockSize + 5*512
	r := rand.New(rand.NewPCG(1, 6))
	for range 30 {
		fs := memfs.New(1)
		var layers []*Layer
		want := make([]bool, blocksOf(size))
		for i := range r.IntN(4) {
			l, err := Create(fs, fmt.Sprint(i), size, false)
			require.NoError(t, err)
			defer l.Close()
			for range 1 + r.IntN(40) {
				block := r.Int64N(int64(len(want)))
				n := min(1+r.Int64N(1+r.Int64N(leafBlocks)), int64(len(want))-block)
				l.blocks.mark(block, n, []state{zero, data}[r.IntN(2)])
				for b := range n {
					want[block+b] = true
				}
			}
			layers = append(layers, l)
		}
		off := r.Int64N(size)
		n := r.Int64N(size - off)
		at, limit := off, r.IntN(30)
		Written(layers, off, n, func(from, n int64) bool {
			require.True(t, from > at || at == off)
			for ; at < from; at++ {
				require.False(t, want[at/blockSize])
				at += blockSize - at%blockSize - 1
			}
			require.Equal(t, from, at)
			for end := from + n; at < end; at = min(end, (at/blockSize+1)*blockSize) {
				require.True(t, want[at/blockSize])
			}
			limit--
			require.GreaterOrEqual(t, limit, -1)
			return limit >= 0
		})
		for ; limit >= 0 && at < off+n; at = (at/blockSize + 1) * blockSize {
			require.False(t, want[at/blockSize])
		}
	}
}
