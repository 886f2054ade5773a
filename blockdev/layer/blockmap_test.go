package layer

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMarksOnlyMoveOn(t *testing.T) {
	m := newBlockMap(100)
	for _, c := range []struct{ mark, want state }{{zero, zero}, {data, data}, {zero, data}, {absent, data}} {
		m.mark(5, 3, c.mark)
		st, n := m.run(5, 100)
		require.Equal(t, c.want, st)
		require.EqualValues(t, 3, n)
	}
	st, n := m.run(0, 100)
	require.Equal(t, absent, st)
	require.EqualValues(t, 5, n)
}

// TestBlockMapAgainstModel marks random runs and compares every run with a slice.
func TestBlockMapAgainstModel(t *testing.T) {
	const blocks = 3*leafBlocks + 77
	r := rand.New(rand.NewPCG(1, 1))
	m, model := newBlockMap(10), make([]state, blocks)
	m.grow(blocks)
	for range 400 {
		at := r.Int64N(blocks)
		n := min(blocks-at, 1+r.Int64N(200))
		st := []state{zero, data}[r.IntN(2)]
		m.mark(at, n, st)
		for i := at; i < at+n; i++ {
			model[i] |= st
		}
	}
	for at := int64(0); at < blocks; {
		st, n := m.run(at, blocks-at)
		require.Positive(t, n)
		for i := at; i < at+n; i++ {
			require.Equal(t, model[i], st, "block %d", i)
		}
		require.True(t, m.all(at, n, st))
		at += n
	}
	require.Equal(t, model[0] == data, m.all(0, 1, data))
}

func TestEmptyLeavesAreOneRun(t *testing.T) {
	m := newBlockMap(100 * leafBlocks)
	m.mark(90*leafBlocks+5, 1, data)
	st, n := m.run(7, 100*leafBlocks)
	require.Equal(t, absent, st)
	require.EqualValues(t, 90*leafBlocks-7, n)
	st, n = m.run(91*leafBlocks, 9*leafBlocks)
	require.Equal(t, absent, st)
	require.EqualValues(t, 9*leafBlocks, n)
}

func TestUnsaved(t *testing.T) {
	m := newBlockMap(3 * leafBlocks)
	m.mark(leafBlocks, 1, data)
	require.True(t, m.unsaved(leafBlocks-1, 2))
	require.False(t, m.unsaved(0, leafBlocks))
	require.Len(t, m.take(), 1)
	require.True(t, m.unsaved(leafBlocks, 1), "while it is being saved")
	m.saved(false)
	require.Len(t, m.take(), 1, "it was not saved")
	m.mark(leafBlocks, 1, zero) // changes nothing
	m.saved(true)
	require.False(t, m.unsaved(leafBlocks, 1))
	require.Empty(t, m.take())
}

// TestMarksTogether marks the same words from several goroutines.
func TestMarksTogether(t *testing.T) {
	const blocks = 2 * leafBlocks
	m := newBlockMap(blocks)
	var wg sync.WaitGroup
	for g := range int64(4) {
		wg.Go(func() {
			for b := g; b < blocks; b += 4 {
				m.mark(b, 1, []state{zero, data}[b/4%2])
			}
		})
	}
	wg.Wait()
	for b := range int64(blocks) {
		st, _ := m.run(b, 1)
		require.Equal(t, []state{zero, data}[b/4%2], st)
	}
}
