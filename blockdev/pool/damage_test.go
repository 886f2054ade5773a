package pool_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs/memfs"
)

// damage is how much is known to be damaged of the pool and of its volumes by name.
func (p *summedPool) damage(t *testing.T) (all int64, of map[string]int64) {
	t.Helper()
	info, err := p.Info(t.Context())
	require.NoError(t, err)
	list, err := p.List(t.Context())
	require.NoError(t, err)
	of = map[string]int64{}
	for _, v := range list {
		of[v.Name] = v.Damaged
	}
	return info.Damaged, of
}

// TestDamageIsKnown: as long as the content is there, told of once, of the volumes that
// may read it, and no longer when it is right again.
func TestDamageIsKnown(t *testing.T) {
	p := newSummedPool(t, true)
	pooltest.Create(t, p, "other", 1<<20)
	file := p.frozen(t) + ".data"
	p.flip(t, file, 5000)
	p.flip(t, file, 100)
	d := pooltest.Open(t, p, p.s.ID)
	for range 3 {
		require.Error(t, d.ReadAt(t.Context(), make([]byte, 512), 4096))
	}
	require.Len(t, p.found, 1, "what is known is no news")
	for range 2 {
		_, err := p.Scrub(t.Context(), pool.ScrubOptions{})
		require.NoError(t, err)
		all, of := p.damage(t)
		require.EqualValues(t, 8192, all)
		require.Equal(t, map[string]int64{"a": 8192, "s": 8192, "other": 0}, of)
	}
	p.flip(t, file, 100)
	_, err := p.Scrub(t.Context(), pool.ScrubOptions{})
	require.NoError(t, err)
	all, _ := p.damage(t)
	require.EqualValues(t, 4096, all, "the disk gave the right bytes again")
	require.NoError(t, d.Close())
	require.NoError(t, p.writer.Close())
	require.NoError(t, p.Delete(t.Context(), p.s.ID))
	require.NoError(t, p.Delete(t.Context(), p.a.ID))
	require.NoError(t, p.WaitIdle(t.Context()))
	all, of := p.damage(t)
	require.Zero(t, all, "it is gone")
	require.Equal(t, map[string]int64{"other": 0}, of)
}

// TestLimitIsNamed: whoever goes beyond the limit learns how far.
func TestLimitIsNamed(t *testing.T) {
	p, err := pool.Open(t.Context(), pool.Config{FS: memfs.New(1), Name: "w", Meta: pooltest.NewMeta(), MaxProvisioned: 3 << 20})
	require.NoError(t, err)
	defer p.Close()
	v := pooltest.Create(t, p, "v", 2<<20)
	want := &pool.LimitError{Pool: "w", Limit: 3 << 20, Provisioned: 2 << 20, More: 2 << 20}
	_, made := p.Create(t.Context(), pool.Spec{Name: "more", Size: 2 << 20})
	_, grown := p.Update(t.Context(), v.ID, func(v *pool.Volume) error { v.Size = 4 << 20; return nil })
	_, taken := p.Snapshot(t.Context(), []pool.Copy{{Source: v.ID, Target: pool.Spec{Name: "s"}}})
	for _, err := range []error{made, grown, taken} {
		var got *pool.LimitError
		require.ErrorAs(t, err, &got)
		require.Equal(t, want, got)
		require.True(t, blockdev.Is(err, blockdev.KindNoSpace))
	}
}

// TestReclaimable: what merges give back is not more than is said.
func TestReclaimable(t *testing.T) {
	p, err := pool.Open(t.Context(), pool.Config{FS: memfs.New(1), Name: "w", Meta: pooltest.NewMeta(), MergeRate: 1})
	require.NoError(t, err)
	defer p.Close()
	v := pooltest.Create(t, p, "v", 8<<20)
	d := pooltest.Open(t, p, v.ID)
	pooltest.Write(t, d, pooltest.Fill(1, 4<<20), 0)
	require.NoError(t, d.Flush(t.Context()))
	s := pooltest.Snap(t, p, v.ID, "s")
	pooltest.Write(t, d, pooltest.Fill(2, 3<<20), 0)
	require.NoError(t, d.Flush(t.Context()))
	info, err := p.Info(t.Context())
	require.NoError(t, err)
	require.Zero(t, info.Reclaimable)
	require.NoError(t, p.Delete(t.Context(), s.ID))
	info, err = p.Info(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, info.Reclaimable, int64(3<<20))
	require.LessOrEqual(t, info.Reclaimable, info.Allocated)
	require.Equal(t, 1, info.Merging)
}

// TestMissingFile: a layer that lacks a file is damage of the volumes that stand on it,
// from the start on, and no reason not to tell of the rest of the pool.
func TestMissingFile(t *testing.T) {
	for _, kind := range []string{"data", "map"} {
		t.Run(kind, func(t *testing.T) {
			p := newSummedPool(t, false)
			other := pooltest.Create(t, p, "other", 1<<20)
			d := pooltest.Open(t, p, other.ID)
			pooltest.Write(t, d, pooltest.Fill(2, 4096), 0)
			require.NoError(t, d.Close())
			require.NoError(t, p.writer.Close())
			require.NoError(t, p.LayerPool.Close())
			file, want := p.frozen(t)+".data", map[string]int64{"a": 1 << 20, "s": 1 << 20, "other": 0}
			if kind == "map" { // the one of the snapshot, or of its source
				file, want = p.filesOf(t, "map")[0], nil
			}
			require.NoError(t, p.fs.Remove(file))

			p.reopen(t, true)
			all, of := p.damage(t)
			require.EqualValues(t, 1<<20, all)
			require.Zero(t, of["other"])
			if want == nil {
				require.EqualValues(t, 1<<20, of["a"]+of["s"], "one of them")
			} else {
				require.Equal(t, want, of)
			}
			require.Len(t, p.found, 1, "it is told of")
			_, _ = p.Scrub(t.Context(), pool.ScrubOptions{})
			again, _ := p.damage(t)
			require.Equal(t, all, again)
			info, err := p.Info(t.Context())
			require.NoError(t, err)
			require.Positive(t, info.Allocated)
			d = pooltest.Open(t, p, other.ID)
			got := make([]byte, 4096)
			require.NoError(t, d.ReadAt(t.Context(), got, 0))
			require.Equal(t, pooltest.Fill(2, 4096), got)
			require.NoError(t, d.Close())
		})
	}
}
