package pool_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs/memfs"
)

// du is what the files of a folder take, in bytes.
func du(t *testing.T, dir string) (sum int64) {
	t.Helper()
	require.NoError(t, filepath.Walk(dir, func(_ string, st os.FileInfo, err error) error {
		if err == nil && st.Mode().IsRegular() {
			sum += st.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	}))
	return sum
}

// figures requires that the pool's figures add up and agree with the folder.
func figures(t *testing.T, p *pool.LayerPool, dir string) (info pool.Info) {
	t.Helper()
	require.NoError(t, p.WaitIdle(t.Context()))
	require.NoError(t, p.WaitSummed(t.Context()))
	for range 8 { // each measures some layers anew
		var err error
		info, err = p.Info(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, p.Recount())
	require.Equal(t, du(t, dir), info.Allocated+info.Lost)
	own := int64(0)
	list, err := p.List(t.Context())
	require.NoError(t, err)
	for _, v := range list {
		require.Equal(t, v.Dependent, v.Shared > 0, "volume %s", v.Name)
		own += v.Allocated
	}
	require.Equal(t, info.Allocated, own+info.Shared)
	return info
}

// TestFiguresAgreeWithTheFolder: what the pool says that it takes is what its files
// take, and what it says that a volume takes is there when it is deleted.
func TestFiguresAgreeWithTheFolder(t *testing.T) {
	dir := t.TempDir()
	p, err := pool.Open(t.Context(), pool.Config{Dir: dir, Name: "main", Meta: pooltest.NewMeta(), Checksums: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	figures(t, p, dir)
	v := pooltest.Create(t, p, "v", 8<<20)
	d := pooltest.Open(t, p, v.ID)
	pooltest.Write(t, d, pooltest.Fill(1, 2<<20), 0)
	require.NoError(t, d.Flush(t.Context()))
	require.Zero(t, figures(t, p, dir).Shared)
	for i, name := range []string{"a", "b", "c"} {
		pooltest.Snap(t, p, v.ID, name)
		pooltest.Write(t, d, pooltest.Fill(byte(i), 1<<20), int64(i)<<18)
		require.NoError(t, d.Flush(t.Context()))
		require.GreaterOrEqual(t, figures(t, p, dir).Shared, int64(2<<20))
	}
	s := pooltest.Open(t, p, named(t, p, "b").ID)
	pooltest.Write(t, s, pooltest.Fill(9, 1<<20), 4<<20)
	require.NoError(t, s.Close())
	for _, name := range []string{"b", "a", "c"} {
		before, gone := figures(t, p, dir), named(t, p, name)
		require.NoError(t, p.Delete(t.Context(), gone.ID))
		require.LessOrEqual(t, figures(t, p, dir).Allocated, before.Allocated-gone.Allocated)
	}
	after := figures(t, p, dir)
	require.Zero(t, after.Shared)
	require.Zero(t, after.Merging)
}

func named(t *testing.T, p pool.Pool, name string) pool.Volume {
	t.Helper()
	list, err := p.List(t.Context())
	require.NoError(t, err)
	for _, v := range list {
		if v.Name == name {
			return v
		}
	}
	require.Fail(t, "there is no volume "+name)
	return pool.Volume{}
}

func openMem(t *testing.T, cfg pool.Config) (*pool.LayerPool, *memfs.FS) {
	t.Helper()
	m := memfs.New(1)
	cfg.FS, cfg.Name, cfg.Meta = m, "m", pooltest.NewMeta()
	p, err := pool.Open(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p, m
}

func noSpace(t *testing.T, err error) {
	t.Helper()
	require.True(t, blockdev.Is(err, blockdev.KindNoSpace), "%v", err)
}

// fillUp writes block after block until there is no space, and says how many.
func fillUp(t *testing.T, d blockdev.Device) (blocks int64) {
	t.Helper()
	for ; ; blocks++ {
		err := d.WriteAt(t.Context(), pooltest.Fill(1, blockdev.BlockSize), blocks*blockdev.BlockSize)
		if err != nil {
			noSpace(t, err)
			return blocks
		}
	}
}

// TestFullPool fills a pool up to the reserve: new blocks are refused, everything
// else works, merges included, and writes go on when there is space again.
func TestFullPool(t *testing.T) {
	const reserve = 40 * blockdev.BlockSize
	p, m := openMem(t, pool.Config{Reserve: reserve})
	m.SetCapacity(400 * blockdev.BlockSize)
	v := pooltest.Create(t, p, "v", 4<<20)
	d := pooltest.Open(t, p, v.ID)
	pooltest.Write(t, d, pooltest.Fill(7, 16*blockdev.BlockSize), 0)
	s := pooltest.Snap(t, p, v.ID, "s")
	n := fillUp(t, d)
	require.Greater(t, n, int64(300))
	_, free, err := m.Space()
	require.NoError(t, err)
	require.GreaterOrEqual(t, free, int64(reserve-2*blockdev.BlockSize), "maps are not data")

	require.NoError(t, d.Flush(t.Context()))
	pooltest.Holds(t, d, pooltest.Fill(1, blockdev.BlockSize), (n-1)*blockdev.BlockSize)
	pooltest.Write(t, d, pooltest.Fill(2, blockdev.BlockSize), 0) // has its space
	require.NoError(t, blockdev.WriteFUA(t.Context(), d, pooltest.Fill(2, blockdev.BlockSize), blockdev.BlockSize))
	noSpace(t, blockdev.WriteFUA(t.Context(), d, pooltest.Fill(2, blockdev.BlockSize), n*blockdev.BlockSize))
	_, err = p.Snapshot(t.Context(), []pool.Copy{{Source: v.ID, Target: pool.Spec{Name: "x"}}})
	noSpace(t, err)
	_, err = p.Create(t.Context(), pool.Spec{Name: "x", Size: 512})
	noSpace(t, err)

	require.NoError(t, p.Delete(t.Context(), s.ID))
	require.NoError(t, p.WaitIdle(t.Context()))
	info, err := p.Info(t.Context())
	require.NoError(t, err)
	require.Zero(t, info.Merging)
	require.EqualValues(t, reserve, info.Reserve)
	require.Greater(t, fillUp(t, d), n, "what the snapshot had is free")
	pooltest.Write(t, d, pooltest.Fill(3, blockdev.BlockSize), 0) // over what the only layer has
	noSpace(t, d.WriteAt(t.Context(), []byte{1}, 4<<20-1))
	require.NoError(t, blockdev.Zero(t.Context(), d, 0, 64*blockdev.BlockSize))
	pooltest.Write(t, d, []byte{1}, 4<<20-1)
	noSpace(t, d.WriteAt(t.Context(), pooltest.Fill(3, 2<<20), 2<<20))
	m.SetCapacity(0)
	pooltest.Write(t, d, pooltest.Fill(3, 2<<20), 2<<20)
}

// TestMaxProvisioned: what goes beyond the limit is refused, and named.
func TestMaxProvisioned(t *testing.T) {
	p, _ := openMem(t, pool.Config{MaxProvisioned: 4 << 20})
	v := pooltest.Create(t, p, "v", 2<<20)
	w := pooltest.Create(t, p, "w", 1<<20)
	grow := func(v pool.Volume, size int64) error {
		_, err := p.Update(t.Context(), v.ID, func(v *pool.Volume) error { v.Size = size; return nil })
		return err
	}
	_, err := p.Create(t.Context(), pool.Spec{Name: "x", Size: 1<<20 + 512})
	noSpace(t, err)
	require.ErrorContains(t, err, "limit of 4194304")
	_, err = p.Snapshot(t.Context(), []pool.Copy{{Source: v.ID, Target: pool.Spec{Name: "x"}}})
	noSpace(t, err)
	noSpace(t, grow(w, 2<<20+512))
	_, err = p.Resize(t.Context(), w.ID, 2<<20+512, true)
	noSpace(t, err)
	_, err = p.Snapshot(t.Context(), []pool.Copy{{Source: w.ID, Into: v.ID}})
	require.NoError(t, err, "it makes no volume")
	require.NoError(t, grow(w, 2<<20))
	info, err := p.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int64{4 << 20, 4 << 20}, []int64{info.Provisioned, info.MaxProvisioned})
	require.NoError(t, p.Delete(t.Context(), v.ID))
	pooltest.Create(t, p, "x", 2<<20)
}

// TestDetectZeros: writes of zeros take no space and give it back.
func TestDetectZeros(t *testing.T) {
	for _, detect := range []bool{false, true} {
		p, _ := openMem(t, pool.Config{DetectZeros: detect})
		v := pooltest.Create(t, p, "v", 4<<20)
		d := pooltest.Open(t, p, v.ID)
		pooltest.Write(t, d, pooltest.Fill(1, 1<<20), 0)
		allocated := func() int64 {
			got, err := p.Get(t.Context(), v.ID)
			require.NoError(t, err)
			return got.Allocated
		}
		pooltest.Write(t, d, make([]byte, 2<<20), 0)
		require.NoError(t, blockdev.WriteFUA(t.Context(), d, make([]byte, 1<<20), 2<<20))
		pooltest.Holds(t, d, make([]byte, 4<<20), 0)
		require.Equal(t, detect, allocated() == 0)
		last := make([]byte, 1<<20)
		last[len(last)-1] = 1
		pooltest.Write(t, d, last, 0)
		pooltest.Holds(t, d, last, 0)
		pooltest.Write(t, d, make([]byte, 512), 1<<20-512) // a part of a block
		pooltest.Holds(t, d, make([]byte, 4<<20), 0)
	}
}

// TestResize: down only where nothing is lost, or by force; what comes back is
// zeros, whatever the layers below have, also when they are merged.
func TestResize(t *testing.T) {
	for _, snapshots := range []int{0, 1, 3} {
		p, _ := openMem(t, pool.Config{})
		v := pooltest.Create(t, p, "v", 4<<20)
		d, err := p.Open(t.Context(), v.ID)
		require.NoError(t, err)
		pooltest.Write(t, d, pooltest.Fill(1, 3<<20), 0)
		for i := range snapshots {
			pooltest.Snap(t, p, v.ID, string(rune('a'+i)))
		}
		resize := func(size int64, force bool) error {
			_, err := p.Resize(t.Context(), v.ID, size, force)
			return err
		}
		require.True(t, blockdev.Is(resize(3<<20, false), blockdev.KindBusy))
		require.NoError(t, d.Close())
		require.NoError(t, resize(3<<20, false), "nothing is there")
		err = resize(1<<20+512, false)
		require.True(t, blockdev.Is(err, blockdev.KindInvalid), "%v", err)
		require.ErrorContains(t, err, "has data at 1049088")
		require.True(t, blockdev.Is(resize(777, true), blockdev.KindInvalid))
		require.NoError(t, resize(1<<20+512, true))
		after := pooltest.Snap(t, p, v.ID, "after")
		require.EqualValues(t, 1<<20+512, after.Size)
		for i := range snapshots {
			id := named(t, p, string(rune('a'+i))).ID
			s, err := p.Open(t.Context(), id)
			require.NoError(t, err)
			pooltest.Holds(t, s, pooltest.Fill(1, 3<<20), 0)
			require.NoError(t, s.Close())
			require.NoError(t, p.Delete(t.Context(), id))
		}
		require.NoError(t, p.WaitIdle(t.Context()))
		require.NoError(t, p.Delete(t.Context(), after.ID))
		require.NoError(t, resize(4<<20, false))
		require.NoError(t, p.WaitIdle(t.Context()))
		pooltest.Holds(t, pooltest.Open(t, p, v.ID), append(pooltest.Fill(1, 1<<20+512), make([]byte, 3<<20-512)...), 0)
		_, err = p.Resize(context.Background(), "nobody", 512, false)
		require.True(t, blockdev.Is(err, blockdev.KindNotFound), "%v", err)
	}
}

// TestResizeThenMerge: what was cut off does not come back where the layer that hides
// it merges with a top that is shorter than what is below.
func TestResizeThenMerge(t *testing.T) {
	p, _ := openMem(t, pool.Config{})
	v := pooltest.Create(t, p, "v", 4<<20)
	write := func(seed byte, n int) {
		d, err := p.Open(t.Context(), v.ID)
		require.NoError(t, err)
		pooltest.Write(t, d, pooltest.Fill(seed, n), 0)
		require.NoError(t, d.Close())
	}
	write(1, 4<<20)
	pooltest.Snap(t, p, v.ID, "stays")
	_, err := p.Resize(t.Context(), v.ID, 1<<20, true)
	require.NoError(t, err)
	goes := pooltest.Snap(t, p, v.ID, "goes")
	write(2, 1<<20)
	require.NoError(t, p.Delete(t.Context(), goes.ID))
	require.NoError(t, p.WaitIdle(t.Context()))
	_, err = p.Resize(t.Context(), v.ID, 4<<20, false)
	require.NoError(t, err)
	pooltest.Holds(t, pooltest.Open(t, p, v.ID), append(pooltest.Fill(2, 1<<20), make([]byte, 3<<20)...), 0)
}
