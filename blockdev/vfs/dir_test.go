package vfs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"twinlun/blockdev/vfs"
	"twinlun/blockdev/vfs/vfstest"
)

func openDir(t *testing.T, path string) *vfs.Dir {
	t.Helper()
	d, err := vfs.OpenDir(path)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func TestDir(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) vfs.FS { return openDir(t, t.TempDir()) })
}

// TestDirOnTmpfs is the same where the filesystem is another.
func TestDirOnTmpfs(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err != nil {
		t.Skip("there is no tmpfs")
	}
	vfstest.Run(t, func(t *testing.T) vfs.FS {
		path, err := os.MkdirTemp("/dev/shm", "twinlun-vfs")
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { os.RemoveAll(path) })
		return openDir(t, path)
	})
}

func TestDirIsLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	d := openDir(t, path)
	_, err := vfs.OpenDir(path)
	require.ErrorIs(t, err, unix.EWOULDBLOCK)
	require.NoError(t, d.Close())
	openDir(t, path)
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), st.Mode().Perm())
}

func TestDirRefusesPaths(t *testing.T) {
	d := openDir(t, t.TempDir())
	for _, name := range []string{"", ".", "..", "../x", "a/b"} {
		_, err := d.Create(name)
		require.ErrorIs(t, err, os.ErrInvalid, name)
		_, err = d.Open(name)
		require.ErrorIs(t, err, os.ErrInvalid, name)
		require.ErrorIs(t, d.Remove(name), os.ErrInvalid, name)
	}
}

func TestDirFollowsNoLinks(t *testing.T) {
	path := t.TempDir()
	d := openDir(t, path)
	require.NoError(t, os.Symlink("/etc/hostname", filepath.Join(path, "link")))
	_, err := d.Open("link")
	require.Error(t, err)
	list, err := d.List()
	require.NoError(t, err)
	require.Empty(t, list)
}
