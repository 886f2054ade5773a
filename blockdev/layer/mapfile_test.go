package layer

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/vfs/memfs"
)

var testID = strings.Repeat("ab", 16)

// newLayer makes a layer that stands on another.
func newLayer(t *testing.T, fs *memfs.FS, id string, size int64) *Layer {
	t.Helper()
	l, err := Create(fs, id, size, false)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestMapSurvives(t *testing.T) {
	const size = 3 * leafBlocks * blockSize
	fs := memfs.New(1)
	l := newLayer(t, fs, testID, size)
	l.blocks.mark(3, 100, data)
	l.blocks.mark(2*leafBlocks+9, 4, zero)
	require.NoError(t, l.Flush())
	again, err := Open(fs, testID, size+512, false)
	require.NoError(t, err)
	defer again.Close()
	require.True(t, again.blocks.all(3, 100, data))
	require.True(t, again.blocks.all(2*leafBlocks+9, 4, zero))
	require.True(t, again.blocks.all(103, 2*leafBlocks-100, absent))
	require.Empty(t, again.blocks.take())
	require.EqualValues(t, size+512, again.Size())
}

// TestMapDamage: a map that is not what was written is refused, whatever byte of it
// is wrong.
func TestMapDamage(t *testing.T) {
	const size = leafBlocks * blockSize
	fs := memfs.New(1)
	l := newLayer(t, fs, testID, size)
	l.blocks.mark(0, leafBlocks, data)
	require.NoError(t, l.Flush())
	for off := int64(0); off < 2*sectorSize; off++ {
		b := make([]byte, 1)
		_, err := l.mapFile.ReadAt(b, off)
		require.NoError(t, err)
		_, err = l.mapFile.WriteAt([]byte{b[0] ^ 0x10}, off)
		require.NoError(t, err)
		_, err = Open(fs, testID, size, false)
		require.True(t, blockdev.Is(err, blockdev.KindIO), "byte %d: %v", off, err)
		_, err = l.mapFile.WriteAt(b, off)
		require.NoError(t, err)
	}
	again, err := Open(fs, testID, size, false)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestHeaderErrors(t *testing.T) {
	newer := encodeHeader(testID)
	newer[8] = 2
	seal(newer)
	for want, h := range map[string][]byte{
		"does not begin":    make([]byte, sectorSize),
		"format version 2":  newer,
		"another layer":     encodeHeader("other"),
		"checksum of the h": append(bytes.Clone(encodeHeader(testID)[:sectorSize-1]), 0xFF),
	} {
		require.ErrorContains(t, checkHeader(h, testID), want)
	}
	require.NoError(t, checkHeader(encodeHeader(testID), testID))
}

// TestFormat holds the bytes of version 1, so that they cannot change unnoticed.
func TestFormat(t *testing.T) {
	h := encodeHeader("0123")
	require.Equal(t, "TWLNMAP\n\x01\x00\x00\x00\x00\x10\x00\x00\xe0\x07\x00\x000123\x00", string(h[:25]))
	l, sector := new(leaf), make([]byte, sectorSize)
	l.mark(1, 1, data)
	l.mark(2, 1, zero)
	encodeLeaf(sector, 5, l)
	require.Equal(t, []byte{0x1c, 0, 0}, sector[:3])
	require.Equal(t, []byte{5, 0, 0, 0}, sector[504:508])
}

func FuzzDecodeLeaf(f *testing.F) {
	l, sector := new(leaf), make([]byte, sectorSize)
	l.mark(7, 40, data)
	encodeLeaf(sector, 3, l)
	f.Add(sector, 3, true)
	f.Add(make([]byte, sectorSize), 0, false)
	f.Fuzz(func(t *testing.T, p []byte, i int, fix bool) {
		p = append(bytes.Clone(p), make([]byte, sectorSize)...)[:sectorSize]
		if fix {
			seal(p)
		}
		l, err := decodeLeaf(p, i)
		if err != nil || l == nil {
			return
		}
		again := make([]byte, sectorSize)
		encodeLeaf(again, i, l)
		require.Equal(t, p, again)
	})
}

func TestMissingFiles(t *testing.T) {
	fs := memfs.New(1)
	_, err := Open(fs, testID, 4096, false)
	require.True(t, blockdev.Is(err, blockdev.KindIO))
	newLayer(t, fs, testID, 4096)
	_, err = Create(fs, testID, 4096, false)
	require.Error(t, err)
	require.NoError(t, Remove(fs, testID))
	require.NoError(t, Remove(fs, testID))
	names, err := fs.List()
	require.NoError(t, err)
	require.Empty(t, names)
}
