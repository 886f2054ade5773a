package pool_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs"
	"twinlun/blockdev/vfs/memfs"
)

// countingFS counts how often files are measured.
type countingFS struct {
	vfs.FS
	measured atomic.Int64
}

func (f *countingFS) Allocated(name string) (int64, error) {
	f.measured.Add(1)
	return f.FS.Allocated(name)
}

// TestMeasuredInTurn: Info does not measure all layers of a pool that has very many in
// use, and knows what each takes in the end.
func TestMeasuredInTurn(t *testing.T) {
	const many, most = 1200, 512 + 16
	fs := &countingFS{FS: memfs.New(1)}
	p, err := pool.Open(t.Context(), pool.Config{FS: fs, Name: "p", Meta: noMeta{}})
	require.NoError(t, err)
	defer p.Close()
	all := make([]blockdev.Device, many)
	for i := range all {
		all[i] = pooltest.Open(t, p, pooltest.Create(t, p, fmt.Sprint("v", i), 1<<20).ID)
	}
	info := func() (pool.Info, int64) {
		at := fs.measured.Load()
		i, err := p.Info(t.Context())
		require.NoError(t, err)
		require.NoError(t, p.Recount())
		return i, fs.measured.Load() - at
	}
	before, _ := info()
	for _, d := range all {
		pooltest.Write(t, d, []byte{1}, 0)
	}
	want := before.Allocated + many*blockdev.BlockSize
	require.Eventually(t, func() bool {
		got, files := info()
		require.LessOrEqual(t, files, int64(2*most), "a data file and perhaps sums")
		return got.Allocated == want
	}, time.Minute, time.Millisecond)
	pooltest.Write(t, all[7], []byte{1}, blockdev.BlockSize)
	require.NoError(t, all[7].Close())
	require.Eventually(t, func() bool { // its layer is closed later
		got, _ := info()
		return got.Allocated == want+blockdev.BlockSize
	}, time.Minute, time.Millisecond)
}

// TestMeasuredOnce: a volume that nobody uses is measured once, and again when it
// was in use.
func TestMeasuredOnce(t *testing.T) {
	dir, err := vfs.OpenDir(t.TempDir())
	require.NoError(t, err)
	defer dir.Close()
	fs := &countingFS{FS: dir}
	p, err := pool.Open(t.Context(), pool.Config{FS: fs, Name: "p", Meta: pooltest.NewMeta()})
	require.NoError(t, err)
	defer p.Close()
	v, err := p.Create(t.Context(), pool.Spec{Name: "v", Size: 1 << 20})
	require.NoError(t, err)
	get := func() int64 {
		v, err := p.Get(t.Context(), v.ID)
		require.NoError(t, err)
		return v.Allocated
	}
	before := get()
	for range 3 {
		require.Eventually(t, func() bool {
			at := fs.measured.Load()
			require.Equal(t, before, get())
			return at == fs.measured.Load()
		}, time.Minute, time.Millisecond, "it is not remembered")

		d, err := p.Open(t.Context(), v.ID)
		require.NoError(t, err)
		err = d.WriteAt(t.Context(), make([]byte, 64<<10), before)
		require.NoError(t, err)
		require.GreaterOrEqual(t, get(), before+64<<10, "while it is in use")
		require.NoError(t, d.Close())
		info, err := p.Info(t.Context())
		require.NoError(t, err)
		require.Equal(t, get(), info.Allocated)
		require.GreaterOrEqual(t, info.Allocated, before+64<<10)
		before = get()
	}
}
