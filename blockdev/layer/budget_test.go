package layer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
)

// TestHolesAskTheBudget: a write into a hole of a block that the top has takes space,
// and so does one over zeros; what is left for others is not for them. A top has such
// holes when zeros are written while it goes down.
func TestHolesAskTheBudget(t *testing.T) {
	s := newStack(t, 1, 0, 16*blockSize)
	s.push()
	s.push()
	s.push()
	c, _, _ := s.sinkingChain()
	block := make([]byte, blockSize)
	block[0] = 1
	for i := range int64(4) {
		require.NoError(t, s.chain().writeAt(block, i*blockSize))
	}
	require.NoError(t, s.chain().zeroAt(5*blockSize, blockSize))
	require.NoError(t, c.zeroAt(0, blockSize))
	free := int64(0)
	for _, l := range s.layers {
		l.SetBudget(NewBudget(func() (int64, int64, error) { return 1 << 30, free, nil }, blockSize))
	}
	for name, c := range map[string]*Chain{"sinking": c, "again at rest": s.chain()} {
		refused := func(off int64) {
			t.Helper()
			require.True(t, blockdev.Is(c.writeAt(block, off), blockdev.KindNoSpace), name)
			_, err := c.writeFUA(block, off)
			require.True(t, blockdev.Is(err, blockdev.KindNoSpace), name)
		}
		refused(0)
		refused(5 * blockSize)
		refused(7 * blockSize)
		require.NoError(t, c.writeAt(block, blockSize), "it has its space")
		_, err := c.writeFUA(block, 2*blockSize)
		require.NoError(t, err)
	}
	free = 64 << 20
	require.NoError(t, c.writeAt(block, 0))
}
