package pool_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
)

// TestDamageOutlastsItsSums: damage that is known is not forgotten because the sums that
// told of it cannot be used any more, and new ones match what is damaged.
func TestDamageOutlastsItsSums(t *testing.T) {
	p := newSummedPool(t, false)
	id := p.frozen(t)
	p.flip(t, id+".data", 5000)
	_, err := p.Scrub(t.Context(), pool.ScrubOptions{})
	require.NoError(t, err)
	p.flip(t, id+".sum", 600)
	for range 2 {
		_, err = p.Scrub(t.Context(), pool.ScrubOptions{})
		require.NoError(t, err)
		require.NoError(t, p.WaitSummed(t.Context()))
		all, _ := p.damage(t)
		require.EqualValues(t, 4096, all)
	}
}

// TestDamageGoesDown: a volume whose top goes down in use takes along what is known to be
// damaged of it.
func TestDamageGoesDown(t *testing.T) {
	p := newSummedPool(t, false)
	pooltest.Write(t, p.writer, pooltest.Fill(2, 900<<10), 0)
	s0 := pooltest.Snap(t, p, p.a.ID, "s0")
	require.NoError(t, p.WaitSummed(t.Context()))
	before := p.filesOf(t, "sum")
	pooltest.Write(t, p.writer, pooltest.Fill(3, 8192), 0)
	s1 := pooltest.Snap(t, p, p.a.ID, "s1")
	require.NoError(t, p.WaitSummed(t.Context()))
	for _, name := range p.filesOf(t, "sum") {
		if !slices.Contains(before, name) {
			p.flip(t, name[:32]+".data", 5000)
			_, err := p.Scrub(t.Context(), pool.ScrubOptions{})
			require.NoError(t, err)
			p.flip(t, name, 20) // so that the merge goes on
		}
	}
	pooltest.Write(t, p.writer, pooltest.Fill(4, 64<<10), 100<<10)
	require.NoError(t, p.writer.Flush(t.Context()))
	for _, s := range []pool.Volume{s1, s0} {
		require.NoError(t, p.Delete(t.Context(), s.ID))
		require.NoError(t, p.WaitIdle(t.Context()))
		for range 2 { // what failed is tried again
			v := pooltest.Create(t, p, "again", 512)
			require.NoError(t, p.Delete(t.Context(), v.ID))
			require.NoError(t, p.WaitIdle(t.Context()))
		}
		_, of := p.damage(t)
		require.EqualValues(t, 4096, of["a"])
	}
	require.Len(t, p.filesOf(t, "data"), 3, "they were merged")
}

// TestSumsAfterAFailedMerge: a layer that stays has sums again after a merge that was to
// change it found damage.
func TestSumsAfterAFailedMerge(t *testing.T) {
	p := newSummedPool(t, false)
	p.flip(t, p.frozen(t)+".data", 5000)
	pooltest.Write(t, p.writer, pooltest.Fill(2, 300<<10), 100<<10)
	pooltest.Snap(t, p, p.a.ID, "more")
	require.NoError(t, p.WaitSummed(t.Context()))
	require.Len(t, p.filesOf(t, "sum"), 2)
	require.NoError(t, p.Delete(t.Context(), p.s.ID))
	require.NoError(t, p.WaitIdle(t.Context()))
	require.NotEmpty(t, p.found)
	require.NoError(t, p.WaitSummed(t.Context()))
	require.Len(t, p.filesOf(t, "sum"), 2)
}

// TestHydrateOfAResetVolume: a Hydrate whose volume is reset, after a snapshot of it was
// taken, goes on until the volume stands alone.
func TestHydrateOfAResetVolume(t *testing.T) {
	p := newSummedPool(t, false)
	begun, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- p.Hydrate(t.Context(), p.s.ID, 0, func(int64, int64) {
			select {
			case begun <- struct{}{}:
				<-goOn
			case <-goOn:
			}
		})
	}()
	<-begun
	pooltest.Snap(t, p, p.s.ID, "c")
	_, err := p.Reset(t.Context(), p.s.ID)
	require.NoError(t, err)
	close(goOn)
	require.NoError(t, <-ended)
	v, err := p.Get(t.Context(), p.s.ID)
	require.NoError(t, err)
	require.False(t, v.Dependent)
	pooltest.Holds(t, pooltest.Open(t, p, p.s.ID), pooltest.Fill(1, 9000), 0)
}

// TestFailuresLeaveNoMarks: what cannot be made uses up nothing of the store.
func TestFailuresLeaveNoMarks(t *testing.T) {
	p := newSummedPool(t, false)
	before := p.meta.Len()
	for range 100 {
		_, err := p.Snapshot(t.Context(), []pool.Copy{{Source: p.a.ID, Target: pool.Spec{Name: "s"}}})
		require.True(t, blockdev.Is(err, blockdev.KindExists), "%v", err)
		_, err = p.Create(t.Context(), pool.Spec{Name: "s", Size: 512})
		require.True(t, blockdev.Is(err, blockdev.KindExists), "%v", err)
		_, err = p.Reset(t.Context(), p.a.ID)
		require.True(t, blockdev.Is(err, blockdev.KindInvalid), "%v", err)
	}
	require.Equal(t, before, p.meta.Len())
}
