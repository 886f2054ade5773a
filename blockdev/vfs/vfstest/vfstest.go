// Package vfstest is the conformance suite of vfs.FS.
package vfstest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/vfs"
)

const block = 4096

// Run tests that what open gives, empty and new for each call, does what vfs.FS
// promises.
func Run(t *testing.T, open func(t *testing.T) vfs.FS) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, fsys vfs.FS)
	}{
		{"Names", names},
		{"Content", content},
		{"RandomAgainstModel", randomModel},
		{"Holes", holes},
		{"Punch", punch},
		{"Truncate", truncate},
		{"CopyFrom", copyFrom},
		{"CloneFrom", cloneFrom},
		{"Forget", forget},
		{"RemovedFilesGoOn", removed},
		{"Space", space},
		{"Shelf", shelf},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// create makes a file of size bytes that is closed when the test ends.
func create(t *testing.T, fsys vfs.FS, name string, size int64) vfs.File {
	t.Helper()
	f, err := fsys.Create(name)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	require.NoError(t, f.Truncate(size))
	return f
}

func write(t *testing.T, f vfs.File, b byte, off, n int64) {
	t.Helper()
	got, err := f.WriteAt(bytes.Repeat([]byte{b}, int(n)), off)
	require.NoError(t, err)
	require.EqualValues(t, n, got)
}

func holds(t *testing.T, f vfs.File, want []byte, off int64) {
	t.Helper()
	got := bytes.Repeat([]byte{0xEE}, len(want))
	n, err := f.ReadAt(got, off)
	if n < len(want) {
		require.NoError(t, err)
	}
	require.True(t, bytes.Equal(want, got), "content at %d differs", off)
}

// forget takes nothing away, synced or not.
func forget(t *testing.T, fsys vfs.FS) {
	f := create(t, fsys, "a", 3*block)
	write(t, f, 1, 0, block)
	require.NoError(t, f.Sync())
	write(t, f, 2, block, block)
	require.NoError(t, vfs.Forget(f))
	holds(t, f, append(bytes.Repeat([]byte{1}, block), bytes.Repeat([]byte{2}, block)...), 0)
	require.NoError(t, vfs.Forget(onlyFile{f}), "one that has no Forget")
}

func names(t *testing.T, fsys vfs.FS) {
	create(t, fsys, "a", 0)
	create(t, fsys, "b", 0)
	_, err := fsys.Create("a")
	require.ErrorIs(t, err, fs.ErrExist)
	_, err = fsys.Open("c")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, fsys.Remove("c"), fs.ErrNotExist)
	list, err := fsys.List()
	require.NoError(t, err)
	slices.Sort(list)
	require.Equal(t, []string{"a", "b"}, list)
	require.NoError(t, fsys.Remove("a"))
	require.NoError(t, fsys.SyncDir())
	list, err = fsys.List()
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, list)
	f, err := fsys.Open("b")
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func content(t *testing.T, fsys vfs.FS) {
	f := create(t, fsys, "a", 3*block)
	write(t, f, 1, 100, block)
	require.NoError(t, f.WriteSync(bytes.Repeat([]byte{2}, 1000), block))
	require.NoError(t, f.Sync())
	want := make([]byte, 3*block)
	copy(want[100:], bytes.Repeat([]byte{1}, block))
	copy(want[block:], bytes.Repeat([]byte{2}, 1000))
	holds(t, f, want, 0)
	n, err := f.ReadAt(make([]byte, 100), 3*block-10)
	require.Equal(t, 10, n)
	require.ErrorIs(t, err, io.EOF)
	again, err := fsys.Open("a")
	require.NoError(t, err)
	holds(t, again, want, 0)
	require.NoError(t, again.Close())
	_, err = again.ReadAt(want, 0)
	require.ErrorIs(t, err, fs.ErrClosed)
}

func randomModel(t *testing.T, fsys vfs.FS) {
	const size = 40*block + 512
	f, model := create(t, fsys, "a", size), make([]byte, size)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 300 {
		off := r.Int64N(size)
		n := min(size-off, 1+r.Int64N(3*block))
		if r.IntN(3) > 0 {
			write(t, f, byte(i), off, n)
			copy(model[off:], bytes.Repeat([]byte{byte(i)}, int(n)))
		} else {
			require.NoError(t, f.Punch(off, n))
			clear(model[off : off+n])
		}
	}
	holds(t, f, model, 0)
	at := int64(0)
	for at < size { // what NextData leaves out is zeros
		from, to, err := f.NextData(at)
		if errors.Is(err, io.EOF) {
			from, to = size, size
		} else {
			require.NoError(t, err)
		}
		require.GreaterOrEqual(t, from, at)
		require.Equal(t, make([]byte, from-at), model[at:from])
		require.True(t, to > from || from == size)
		at = to
	}
}

func holes(t *testing.T, fsys vfs.FS) {
	f := create(t, fsys, "a", 1<<30)
	_, _, err := f.NextData(0)
	require.ErrorIs(t, err, io.EOF)
	write(t, f, 1, 1<<20, block)
	from, to, err := f.NextData(0)
	require.NoError(t, err)
	require.LessOrEqual(t, from, int64(1<<20))
	require.GreaterOrEqual(t, to, int64(1<<20+block))
	require.NoError(t, f.Sync())
	used, err := fsys.Allocated("a")
	require.NoError(t, err)
	require.GreaterOrEqual(t, used, int64(block))
	require.Less(t, used, int64(1<<20))
	_, err = fsys.Allocated("b")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func punch(t *testing.T, fsys vfs.FS) {
	f := create(t, fsys, "a", 64*block)
	write(t, f, 1, 0, 64*block)
	require.NoError(t, f.Sync())
	before, err := fsys.Allocated("a")
	require.NoError(t, err)
	require.NoError(t, f.Punch(100, 50*block))
	require.NoError(t, f.Punch(60*block, 100*block)) // beyond the end
	require.NoError(t, f.Sync())
	after, err := fsys.Allocated("a")
	require.NoError(t, err)
	require.LessOrEqual(t, after, before-40*block)
	want := bytes.Repeat([]byte{1}, 64*block)
	clear(want[100 : 100+50*block])
	clear(want[60*block:])
	holds(t, f, want, 0)
	size, err := f.Size()
	require.NoError(t, err)
	require.EqualValues(t, 64*block, size)
}

func truncate(t *testing.T, fsys vfs.FS) {
	f := create(t, fsys, "a", 4*block)
	write(t, f, 1, 0, 4*block)
	require.NoError(t, f.Truncate(block+512))
	require.NoError(t, f.Truncate(4*block))
	want := make([]byte, 4*block)
	copy(want, bytes.Repeat([]byte{1}, block+512))
	holds(t, f, want, 0)
}

func copyFrom(t *testing.T, fsys vfs.FS) {
	a, b := create(t, fsys, "a", 1<<20), create(t, fsys, "b", 1<<20)
	write(t, a, 1, 0, 1<<20)
	write(t, b, 2, 0, 1<<20)
	require.NoError(t, b.CopyFrom(a, 1000, 300001))
	want := bytes.Repeat([]byte{2}, 1<<20)
	copy(want[1000:], bytes.Repeat([]byte{1}, 300001))
	holds(t, b, want, 0)
	require.NoError(t, b.CopyFrom(onlyFile{a}, 500000, 100)) // of another kind
	copy(want[500000:], bytes.Repeat([]byte{1}, 100))
	holds(t, b, want, 0)
}

// cloneFrom requires that a clone is the whole of a range, holes included, or that
// nothing has changed.
func cloneFrom(t *testing.T, fsys vfs.FS) {
	a, b := create(t, fsys, "a", 64*block), create(t, fsys, "b", 64*block)
	write(t, a, 1, 3*block, 5*block)
	write(t, a, 1, 20*block, block+100)
	write(t, b, 2, 0, 64*block)
	for _, c := range []struct {
		src  vfs.File
		off  int64
		n    int64
		hard bool // nobody can
	}{
		{a, 2 * block, 30 * block, false},
		{a, 40 * block, 0, false},
		{a, 50*block + 512, 1024, true},
		{onlyFile{a}, 0, 64 * block, true},
	} {
		want := make([]byte, 64*block)
		_, err := b.ReadAt(want, 0)
		require.NoError(t, err)
		err = vfs.Clone(b, c.src, c.off, c.n)
		switch {
		case err == nil:
			require.False(t, c.hard)
			_, err := c.src.ReadAt(want[c.off:][:c.n], c.off)
			require.NoError(t, err)
		default:
			require.ErrorIs(t, err, errors.ErrUnsupported)
		}
		holds(t, b, want, 0)
	}
	require.ErrorIs(t, vfs.Clone(onlyFile{b}, a, 0, block), errors.ErrUnsupported)
}

// onlyFile hides what else a File is.
type onlyFile struct{ vfs.File }

func removed(t *testing.T, fsys vfs.FS) {
	f := create(t, fsys, "a", block)
	require.NoError(t, fsys.Remove("a"))
	write(t, f, 1, 0, block)
	require.NoError(t, f.Sync())
	holds(t, f, bytes.Repeat([]byte{1}, block), 0)
	create(t, fsys, "a", 0) // the name is free
}

func space(t *testing.T, fsys vfs.FS) {
	total, free, err := fsys.Space()
	require.NoError(t, err)
	require.Positive(t, total)
	require.LessOrEqual(t, free, total)
}
