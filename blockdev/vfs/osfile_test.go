package vfs

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestRest: a transfer goes on after a part and after a signal, and ends with an error
// or where nothing more comes.
func TestRest(t *testing.T) {
	type result struct {
		n   int
		err error
	}
	for _, c := range []struct {
		name  string
		calls []result // the first has been made
		done  int
		err   error
	}{
		{"in parts", []result{{3, nil}, {4, nil}, {3, nil}}, 10, nil},
		{"a signal first", []result{{-1, unix.EINTR}, {10, nil}}, 10, nil},
		{"a signal in between", []result{{4, nil}, {-1, unix.EINTR}, {6, nil}}, 10, nil},
		{"the end", []result{{4, nil}, {0, nil}}, 4, nil},
		{"nothing", []result{{0, nil}}, 0, nil},
		{"an error", []result{{-1, unix.EIO}}, 0, unix.EIO},
		{"an error after a part", []result{{9, nil}, {-1, unix.ENOSPC}}, 9, unix.ENOSPC},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, call := max(0, c.calls[0].n), 0
			done, err := (&osFile{fd: 7}).rest(func(fd int, p []byte, off int64) (int, error) {
				call++
				require.Equal(t, 7, fd)
				require.Len(t, p, 10-at)
				require.EqualValues(t, 100+at, off)
				at += max(0, c.calls[call].n)
				return c.calls[call].n, c.calls[call].err
			}, make([]byte, 10), 100, c.calls[0].n, c.calls[0].err)
			require.Equal(t, c.done, done)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, len(c.calls)-1, call)
		})
	}
}

// TestClosedFile: what comes too late reaches no other file.
func TestClosedFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	raw, err := os.Create(name)
	require.NoError(t, err)
	f, err := newOSFile(raw)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	other, err := os.OpenFile(name, os.O_RDWR, 0) // most likely with the same number
	require.NoError(t, err)
	defer other.Close()
	_, err = f.WriteAt(bytes.Repeat([]byte{1}, 10), 0)
	require.ErrorIs(t, err, os.ErrClosed)
	_, err = f.ReadAt(make([]byte, 10), 0)
	require.ErrorIs(t, err, os.ErrClosed)
	content, err := io.ReadAll(other)
	require.NoError(t, err)
	require.Empty(t, content)
}
