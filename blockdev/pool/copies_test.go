package pool_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
	"twinlun/blockdev/pool/pooltest"
)

// TestCopiesStopAtDamage: neither a merge nor a Hydrate makes sound what the disk has
// changed. It is told once, and the volumes go on as before.
func TestCopiesStopAtDamage(t *testing.T) {
	mib := func(n int) []byte { return pooltest.Fill(9, n<<20) }
	for name, do := range map[string]func(t *testing.T, p *summedPool){
		"hydrate": func(t *testing.T, p *summedPool) {
			for range 2 {
				err := p.Hydrate(t.Context(), p.s.ID, 0, nil)
				require.True(t, blockdev.Is(err, blockdev.KindIO), "%v", err)
				require.ErrorIs(t, err, layer.ErrDamaged)
			}
		},
		"the layer below is changed": func(t *testing.T, p *summedPool) {
			require.NoError(t, p.Delete(t.Context(), p.s.ID))
		},
		"the layer below goes up": func(t *testing.T, p *summedPool) {
			pooltest.Write(t, p.writer, mib(1)[:900<<10], 100<<10)
			require.NoError(t, p.writer.Flush(t.Context()))
			require.NoError(t, p.Delete(t.Context(), p.s.ID))
		},
		"a frozen layer goes down": func(t *testing.T, p *summedPool) {
			pooltest.Write(t, p.writer, pooltest.Fill(2, 512), 100<<10)
			pooltest.Snap(t, p, p.a.ID, "more")
			pooltest.Snap(t, p, p.a.ID, "most")
			require.NoError(t, p.WaitSummed(t.Context()))
			require.NoError(t, p.Delete(t.Context(), p.s.ID))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newSummedPool(t, false)
			damaged := p.frozen(t)
			p.flip(t, damaged+".data", 5000)
			before := make([]byte, 1<<20)
			do(t, p)
			require.NoError(t, p.writer.ReadAt(t.Context(), before, 0))
			require.NoError(t, p.WaitIdle(t.Context()))
			pooltest.Snap(t, p, p.a.ID, "another") // what waits is tried again, but for what is damaged
			require.NoError(t, p.WaitIdle(t.Context()))
			p.mu.Lock()
			require.Len(t, p.found, 1)
			require.Equal(t, damaged, p.found[0].Layer)
			p.mu.Unlock()
			all, of := p.damage(t)
			require.EqualValues(t, 4096, all)
			require.EqualValues(t, 4096, of["a"])
			require.Contains(t, p.filesOf(t, "data"), damaged+".data")
			require.Contains(t, p.filesOf(t, "sum"), damaged+".sum")
			pooltest.Holds(t, p.writer, before, 0)
		})
	}
}

// TestHiddenDamageStopsNothing: what nobody reads any more need not be sound.
func TestHiddenDamageStopsNothing(t *testing.T) {
	for name, size := range map[string]int{"down": 8192, "up": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			p := newSummedPool(t, false)
			p.flip(t, p.frozen(t)+".data", 5000)
			want := pooltest.Fill(2, size)
			pooltest.Write(t, p.writer, want, 0)
			require.NoError(t, p.writer.Flush(t.Context()))
			require.NoError(t, p.Delete(t.Context(), p.s.ID))
			require.NoError(t, p.WaitIdle(t.Context()))
			require.Len(t, p.filesOf(t, "data"), 1, "they were merged")
			require.Empty(t, p.found)
			pooltest.Holds(t, p.writer, want, 0)
		})
	}
}

// TestDamagedSumsStopNoMerge: where the sums themselves are damaged nothing can be said
// of the content; the layer would never be scrubbed, because it is to go.
func TestDamagedSumsStopNoMerge(t *testing.T) {
	for name, off := range map[string]int64{"header": 20, "sector": 600} {
		t.Run(name, func(t *testing.T) {
			p := newSummedPool(t, false)
			p.flip(t, p.frozen(t)+".sum", off)
			pooltest.Write(t, p.writer, pooltest.Fill(2, 900<<10), 100<<10)
			require.NoError(t, p.writer.Flush(t.Context()))
			require.NoError(t, p.Delete(t.Context(), p.s.ID))
			require.NoError(t, p.WaitIdle(t.Context()))
			pooltest.Create(t, p, "again", 512) // what failed is tried again
			require.NoError(t, p.WaitIdle(t.Context()))
			require.Len(t, p.filesOf(t, "data"), 2)
			require.Empty(t, p.found)
			pooltest.Holds(t, p.writer, pooltest.Fill(1, 9000), 0)
		})
	}
}

// TestProvenCopies: content that is sound is copied, from one layer and from several.
func TestProvenCopies(t *testing.T) {
	p := newSummedPool(t, false)
	want := pooltest.Fill(1, 9000)
	for i := range 4 {
		off := 3000 * i
		copy(want[min(off, 9000):], pooltest.Fill(byte(i+2), 700))
		pooltest.Write(t, p.writer, pooltest.Fill(byte(i+2), min(700, 9000-off)), int64(off))
		pooltest.Snap(t, p, p.a.ID, string(rune('b'+i)))
		if off+700 > 9000 {
			break
		}
	}
	require.NoError(t, p.WaitSummed(t.Context()))
	require.NoError(t, p.Hydrate(t.Context(), p.a.ID, 0, nil))
	pooltest.Holds(t, p.writer, want, 0)
	require.NoError(t, p.WaitIdle(t.Context()))
	require.Empty(t, p.found)
}
