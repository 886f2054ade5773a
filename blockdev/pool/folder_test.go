package pool_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
)

// reopen opens a pool in dir with the records of meta.
func reopen(t *testing.T, dir string, meta pool.Meta) (*pool.LayerPool, error) {
	t.Helper()
	return pool.Open(t.Context(), pool.Config{Dir: dir, Name: "p", Meta: meta})
}

func layersIn(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.data"))
	require.NoError(t, err)
	return names
}

// TestForeignFolder: a store that knows nothing of a folder does not take the
// layers in it for orphans.
func TestForeignFolder(t *testing.T) {
	dir := t.TempDir()
	p, err := reopen(t, dir, pooltest.NewMeta())
	require.NoError(t, err)
	_, err = p.Create(t.Context(), pool.Spec{Name: "v", Size: 1 << 20})
	require.NoError(t, err)
	require.NoError(t, p.Close())
	before := layersIn(t, dir)
	require.Len(t, before, 1)

	_, err = reopen(t, dir, pooltest.NewMeta())
	require.True(t, blockdev.Is(err, blockdev.KindExists), "%v", err)
	require.ErrorContains(t, err, "another data dir")
	require.Equal(t, before, layersIn(t, dir), "nothing is touched")
}

// TestFolderNotMounted: where the pool's filesystem is not mounted the pool is not
// opened, and nothing is written to what is there instead.
func TestFolderNotMounted(t *testing.T) {
	root := t.TempDir()
	dir, away, meta := filepath.Join(root, "pool"), filepath.Join(root, "away"), pooltest.NewMeta()
	p, err := reopen(t, dir, meta)
	require.NoError(t, err)
	v, err := p.Create(t.Context(), pool.Spec{Name: "v", Size: 1 << 20})
	require.NoError(t, err)
	require.NoError(t, p.Close())

	require.NoError(t, os.Rename(dir, away))
	_, err = reopen(t, dir, meta)
	require.True(t, blockdev.Is(err, blockdev.KindIO), "%v", err)
	require.ErrorContains(t, err, "mounted")
	require.Empty(t, layersIn(t, dir))

	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.Rename(away, dir))
	p, err = reopen(t, dir, meta)
	require.NoError(t, err)
	_, err = p.Get(t.Context(), v.ID)
	require.NoError(t, err)
	require.NoError(t, p.Close())
}
