package layer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/vfs"
)

// benchSize is the size of the files and volumes, in bytes.
const benchSize = 64 << 20

// inTurns runs operations by turns, batch calls of each at a time, and gives what a
// call takes when little else runs on the machine, in nanoseconds: what it takes in the
// quickest tenth of the turns. Calls are counted for each operation.
func inTurns(b *testing.B, batch int, ops ...func(k int64) error) []float64 {
	took, k := make([][]float64, len(ops)), int64(0)
	for b.Loop() {
		for i, op := range ops {
			begun := time.Now()
			for j := range int64(batch) {
				if err := op(k + j); err != nil {
					b.Fatal(err)
				}
			}
			took[i] = append(took[i], float64(time.Since(begun))/float64(batch))
		}
		k += int64(batch)
	}
	calm := make([]float64, len(ops))
	for i, t := range took {
		slices.Sort(t)
		calm[i] = t[len(t)/10]
	}
	return calm
}

// scattered is the place of the k-th block: all come once before one comes again, and
// neighbours never one after the other.
func scattered(k int64) int64 { return k * 7919 % (benchSize / blockSize) * blockSize }

// BenchmarkBesideFile compares a volume that has no snapshot with pread and pwrite of
// its data file.
func BenchmarkBesideFile(b *testing.B) {
	folder := b.TempDir()
	h := benchVolume(b, folder)
	file, err := os.OpenFile(filepath.Join(folder, DataFile("l")), os.O_RDWR, 0)
	require.NoError(b, err)
	defer file.Close()
	fd := int(file.Fd())
	for _, c := range []struct {
		size, batch int
		place       func(k int64) int64
		apart       int64 // so that none finds in the processor's cache what the other left
	}{
		{blockSize, 100, scattered, benchSize / blockSize / 2},
		{1 << 20, 1, func(k int64) int64 { return k << 20 % benchSize }, benchSize >> 21},
	} {
		p := make([]byte, c.size)
		for _, op := range []struct {
			name         string
			file, volume func(k int64) error
		}{
			{"read", func(k int64) error { _, err := syscall.Pread(fd, p, c.place(k)); return err },
				func(k int64) error { return h.ReadAt(b.Context(), p, c.place(k+c.apart)) }},
			{"write", func(k int64) error { _, err := syscall.Pwrite(fd, p, c.place(k)); return err },
				func(k int64) error { return h.WriteAt(b.Context(), p, c.place(k+c.apart)) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", op.name, c.size), func(b *testing.B) {
				ns := inTurns(b, c.batch, op.file, op.volume)
				b.ReportMetric(ns[1], "ns/op")
				b.ReportMetric(ns[1]-ns[0], "ns-more")
				b.ReportMetric(ns[0]/ns[1], "x-of-file")
			})
		}
	}
}

// benchVolume is a volume in folder, its layer "l" full of data.
func benchVolume(b *testing.B, folder string) *Handle {
	dir, err := vfs.OpenDir(folder)
	require.NoError(b, err)
	b.Cleanup(func() { dir.Close() })
	l, err := Create(dir, "l", benchSize, true)
	require.NoError(b, err)
	b.Cleanup(func() { l.Close() })
	h := NewVolume(NewChain(l, nil), benchSize).NewHandle(false, func() error { return nil })
	p := make([]byte, 1<<20)
	for off := int64(0); off < benchSize; off += int64(len(p)) {
		require.NoError(b, h.WriteAt(b.Context(), p, off))
	}
	return h
}

// BenchmarkFirstWrite compares the first write to each block of a top over a layer
// with writes to a file that has the blocks, and to one that has not.
func BenchmarkFirstWrite(b *testing.B) {
	folder := b.TempDir()
	below := benchVolume(b, folder).vol.Chain().Top()
	dir, err := vfs.OpenDir(b.TempDir())
	require.NoError(b, err)
	defer dir.Close()
	has, err := os.OpenFile(filepath.Join(folder, DataFile("l")), os.O_RDWR, 0)
	require.NoError(b, err)
	defer has.Close()
	var file *os.File
	var h *Handle
	p := make([]byte, blockSize)
	ns := inTurns(b, 100,
		func(k int64) error { _, err := has.WriteAt(p, scattered(k)); return err },
		func(k int64) (err error) {
			if scattered(k) == 0 { // a turn that is not among the quick ones
				if file, err = newFile(file, filepath.Join(folder, "file")); err != nil {
					return err
				}
			}
			_, err = file.WriteAt(p, scattered(k))
			return err
		},
		func(k int64) (err error) {
			if scattered(k) == 0 {
				if h, err = newTop(h, dir, below); err != nil {
					return err
				}
			}
			return h.WriteAt(b.Context(), p, scattered(k))
		})
	b.ReportMetric(ns[2], "ns/op")
	b.ReportMetric(ns[0]/ns[2], "x-of-file")
	b.ReportMetric(ns[1]/ns[2], "x-of-new-file")
	require.NoError(b, errors.Join(file.Close(), h.vol.Chain().Top().Close()))
}

// newFile puts an empty one in the place of old.
func newFile(old *os.File, name string) (*os.File, error) {
	if old != nil {
		if err := errors.Join(old.Close(), os.Remove(name)); err != nil {
			return nil, err
		}
	}
	f, err := os.Create(name)
	return f, errors.Join(err, f.Truncate(benchSize))
}

// newTop does it with the top of a volume over below.
func newTop(old *Handle, dir *vfs.Dir, below *Layer) (*Handle, error) {
	if old != nil {
		if err := errors.Join(old.vol.Chain().Top().Close(), Remove(dir, "top")); err != nil {
			return nil, err
		}
	}
	top, err := Create(dir, "top", benchSize, false)
	if err != nil {
		return nil, err
	}
	chain := NewChain(top, NewView([]*Layer{below}, true))
	return NewVolume(chain, benchSize).NewHandle(false, func() error { return nil }), nil
}
