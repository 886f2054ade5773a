package pool_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs/memfs"
)

// openDir opens a pool on a real folder until the test ends.
func openDir(t testing.TB, dir string, meta pool.Meta) *pool.LayerPool {
	t.Helper()
	p, err := pool.Open(t.Context(), pool.Config{Dir: dir, Name: "main", Meta: meta})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func TestPoolOnDisk(t *testing.T) {
	pooltest.Run(t, func(t *testing.T) pool.Pool { return openDir(t, t.TempDir(), pooltest.NewMeta()) })
}

func TestPoolInMemory(t *testing.T) {
	pooltest.Run(t, func(t *testing.T) pool.Pool {
		p, err := pool.Open(t.Context(), pool.Config{FS: memfs.New(1), Name: "main", Meta: pooltest.NewMeta()})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, p.Close()) })
		return p
	})
}

func TestNewID(t *testing.T) {
	id, err := pool.NewID(bytes.NewReader(bytes.Repeat([]byte{0xAB}, 13)))
	require.NoError(t, err)
	require.Equal(t, pool.VolumeID("602544cbabababababababababababab"), id)
	require.NoError(t, pool.ValidID(id))
	_, err = pool.NewID(bytes.NewReader(nil))
	require.Error(t, err)
}

func TestValidName(t *testing.T) {
	for _, name := range []string{"a", "db 01", "Größe", strings.Repeat("x", 200), "a/b", "x.data"} {
		require.NoError(t, pool.ValidName(name), name)
	}
	for _, name := range []string{"", " a", "a ", "a\nb", "a\x00", "\xff", strings.Repeat("x", 201), "a\u202eb"} {
		err := pool.ValidName(name)
		require.Truef(t, blockdev.Is(err, blockdev.KindInvalid), "%q: %v", name, err)
	}
}

func TestOpenRefusesNonsense(t *testing.T) {
	meta := pooltest.NewMeta()
	for name, cfg := range map[string]pool.Config{
		"no name":   {Dir: t.TempDir(), Meta: meta},
		"slash":     {Dir: t.TempDir(), Meta: meta, Name: "a/b"},
		"no folder": {Name: "a", Meta: meta},
		"no meta":   {Name: "a", Dir: t.TempDir()},
	} {
		_, err := pool.Open(t.Context(), cfg)
		require.True(t, blockdev.Is(err, blockdev.KindInvalid), name)
	}
}

func TestOneAtATime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pool")
	p := openDir(t, dir, pooltest.NewMeta())
	_, err := pool.Open(t.Context(), pool.Config{Dir: dir, Name: "main", Meta: pooltest.NewMeta()})
	require.True(t, blockdev.Is(err, blockdev.KindBusy), "%v", err)
	st, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), st.Mode().Perm())
	pooltest.Create(t, p, "v", 1<<20)
	files, err := filepath.Glob(dir + "/*.data")
	require.NoError(t, err)
	require.Len(t, files, 1)
	st, err = os.Stat(files[0])
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
}

func TestReopen(t *testing.T) {
	dir, meta := t.TempDir(), pooltest.NewMeta()
	p := openDir(t, dir, meta)
	v := pooltest.Create(t, p, "v", 1<<20)
	d := pooltest.Open(t, p, v.ID)
	pooltest.Write(t, d, pooltest.Fill(1, 9000), 100)
	s := pooltest.Snap(t, p, v.ID, "s")
	pooltest.Write(t, d, pooltest.Fill(2, 700), 5000)
	require.NoError(t, p.Close())
	require.NoError(t, p.Close())
	require.True(t, blockdev.Is(d.WriteAt(t.Context(), []byte{1}, 0), blockdev.KindClosed))
	require.True(t, blockdev.Is(d.ReadAt(t.Context(), []byte{1}, 0), blockdev.KindClosed))
	_, err := p.List(t.Context())
	require.True(t, blockdev.Is(err, blockdev.KindClosed))
	_, err = p.Open(t.Context(), v.ID)
	require.True(t, blockdev.Is(err, blockdev.KindClosed))

	require.NoError(t, os.WriteFile(filepath.Join(dir, strings.Repeat("0a", 16)+".data"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "README"), nil, 0o600))
	p = openDir(t, dir, meta)
	require.NoFileExists(t, filepath.Join(dir, strings.Repeat("0a", 16)+".data"))
	require.FileExists(t, filepath.Join(dir, "lost", strings.Repeat("0a", 16)+".data"))
	require.FileExists(t, filepath.Join(dir, "README"))
	pooltest.Holds(t, pooltest.Open(t, p, s.ID), pooltest.Fill(1, 9000), 100)
	want := pooltest.Fill(1, 9000)
	copy(want[4900:], pooltest.Fill(2, 700))
	pooltest.Holds(t, pooltest.Open(t, p, v.ID), want, 100)
}

// TestUnflushedSurvivesClose: a volume that nobody uses is closed; what was written
// must be there when it is opened again.
func TestUnflushedSurvivesClose(t *testing.T) {
	p := openDir(t, t.TempDir(), pooltest.NewMeta())
	v := pooltest.Create(t, p, "v", 1<<20)
	pooltest.Snap(t, p, v.ID, "s")
	for i := range 20 {
		d, err := p.Open(t.Context(), v.ID)
		require.NoError(t, err)
		pooltest.Write(t, d, pooltest.Fill(byte(i), 600), int64(i)*5000)
		require.NoError(t, d.Close())
	}
	d := pooltest.Open(t, p, v.ID)
	for i := range 20 {
		pooltest.Holds(t, d, pooltest.Fill(byte(i), 600), int64(i)*5000)
	}
}

// layers counts the layers in a folder.
func layers(t testing.TB, dir string) int {
	t.Helper()
	files, err := filepath.Glob(dir + "/*.data")
	require.NoError(t, err)
	return len(files)
}

func TestDeletingMerges(t *testing.T) {
	for name, order := range map[string]func(i, n int) int{
		"forwards":  func(i, n int) int { return i },
		"backwards": func(i, n int) int { return n - 1 - i },
		"mixed":     func(i, n int) int { return i * 7 % n },
	} {
		t.Run(name, func(t *testing.T) {
			dir, ctx := t.TempDir(), context.Background()
			p := openDir(t, dir, pooltest.NewMeta())
			v := pooltest.Create(t, p, "v", 1<<20)
			d := pooltest.Open(t, p, v.ID)
			want := make([]byte, 1<<20)
			const n = 20
			var ids []pool.VolumeID
			for i := range n {
				off := i * 40000
				copy(want[off:], pooltest.Fill(byte(i), 50000))
				pooltest.Write(t, d, pooltest.Fill(byte(i), 50000), int64(off))
				require.NoError(t, blockdev.Zero(ctx, d, int64(off/2), 9000))
				clear(want[off/2 : off/2+9000])
				ids = append(ids, pooltest.Snap(t, p, v.ID, string(rune('A'+i))).ID)
			}
			require.Equal(t, 2*n+1, layers(t, dir))
			for i := range n {
				require.NoError(t, p.Delete(ctx, ids[order(i, n)]))
			}
			require.NoError(t, p.WaitIdle(ctx))
			require.Equal(t, 1, layers(t, dir))
			maps, err := filepath.Glob(dir + "/*.map")
			require.NoError(t, err)
			require.Empty(t, maps)
			pooltest.Holds(t, d, want, 0)
		})
	}
}
