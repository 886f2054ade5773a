package layer

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/vfs"
)

// benchLayer is a grounded layer of size bytes of data in a folder.
func benchLayer(b *testing.B, size int64) (*Layer, *vfs.Dir) {
	dir, err := vfs.OpenDir(b.TempDir())
	require.NoError(b, err)
	b.Cleanup(func() { dir.Close() })
	l, err := Create(dir, "l", size, true)
	require.NoError(b, err)
	b.Cleanup(func() { l.Close() })
	p := bytes.Repeat([]byte{5}, 1<<20)
	for off := int64(0); off < size; off += int64(len(p)) {
		_, err := l.data.WriteAt(p, off)
		require.NoError(b, err)
	}
	require.NoError(b, l.Flush())
	return l, dir
}

func BenchmarkSum(b *testing.B) {
	const size = 128 << 20
	l, dir := benchLayer(b, size)
	b.SetBytes(size)
	for b.Loop() {
		require.NoError(b, DropSums(dir, l.ID()))
		require.NoError(b, l.Sum(b.Context(), dir, true, noPace))
	}
}

// BenchmarkRead reads 4 KiB and 1 MiB with and without a comparison.
func BenchmarkRead(b *testing.B) {
	const size = 64 << 20
	l, dir := benchLayer(b, size)
	require.NoError(b, l.Sum(b.Context(), dir, true, noPace))
	for _, checked := range []bool{false, true} {
		if checked {
			require.NoError(b, l.CheckReads(dir, true, func(Damage) { b.Error("damaged") }))
		}
		for _, n := range []int{4 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("checked=%v/%d", checked, n), func(b *testing.B) {
				p, off := make([]byte, n), int64(0)
				b.SetBytes(int64(n))
				for b.Loop() {
					require.NoError(b, l.readAt(p, off))
					off = (off + int64(n)*7) % (size - int64(n))
					off -= off % blockSize
				}
			})
		}
	}
}
