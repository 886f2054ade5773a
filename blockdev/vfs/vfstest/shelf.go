package vfstest

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/vfs"
)

func shelf(t *testing.T, fsys vfs.FS) {
	empty, err := fsys.Shelved()
	require.NoError(t, err)
	require.Empty(t, empty)
	require.NoError(t, fsys.SyncDir())
	f := create(t, fsys, "a", 3*block)
	write(t, f, 7, block, block)
	require.NoError(t, f.Sync())

	require.ErrorIs(t, fsys.Shelve("b"), fs.ErrNotExist)
	require.ErrorIs(t, fsys.Unshelve("a"), fs.ErrNotExist)
	require.NoError(t, fsys.Shelve("a"))
	require.NoError(t, fsys.SyncDir())
	_, err = fsys.Open("a")
	require.ErrorIs(t, err, fs.ErrNotExist)
	names, err := fsys.List()
	require.NoError(t, err)
	require.Empty(t, names)
	list, err := fsys.Shelved()
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "a", list[0].Name)
	require.EqualValues(t, 3*block, list[0].Size)
	require.GreaterOrEqual(t, list[0].Allocated, int64(block))

	create(t, fsys, "a", 0) // the name is free, but not on the shelf
	require.ErrorIs(t, fsys.Shelve("a"), fs.ErrExist)
	require.NoError(t, fsys.Unshelve("a"))
	require.NoError(t, fsys.Shelve("a"))
	list, err = fsys.Shelved()
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Zero(t, list[0].Size, "what was on the shelf is gone")
}
