package formats

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/replication/store"
)

// edit changes records of a fixture.
func edit(t *testing.T, dir string, fn func(store.Tx) error) {
	t.Helper()
	s, err := store.Open(filepath.Join(dir, "twinlun.db"), store.Options{})
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), fn))
	require.NoError(t, s.Close())
}

// TestNewerStore: a store of a later version is refused in clear words.
func TestNewerStore(t *testing.T) {
	dir := unpacked(t, fixtures[0])
	edit(t, dir, func(tx store.Tx) error { return tx.Put("store", "format", []byte("2")) })
	_, _, err := open(dir)
	require.ErrorIs(t, err, store.ErrFormat)
	require.ErrorContains(t, err, "it is 2, this version knows 1")
}

// TestNewerRecords: so are records of a later version, and nothing is done to the files.
func TestNewerRecords(t *testing.T) {
	for _, bucket := range []string{"pool.volumes", "pool.layers", "pool.files"} {
		dir := unpacked(t, fixtures[0])
		before := names(t, dir)
		edit(t, dir, func(tx store.Tx) error { return tx.Put(bucket, fixturePool+"/0a", []byte(`{"v":2}`)) })
		_, _, err := open(dir)
		require.ErrorContains(t, err, "format version 2, this program knows 1", bucket)
		require.ErrorContains(t, err, bucket)
		require.Equal(t, before, names(t, dir))
	}
}

// TestNewerMap: a volume whose map is of a later version cannot be opened; the others
// can.
func TestNewerMap(t *testing.T) {
	dir := unpacked(t, fixtures[0])
	maps, err := filepath.Glob(filepath.Join(dir, "pools", fixturePool, "*.map"))
	require.NoError(t, err)
	require.Len(t, maps, 4)
	for _, name := range maps {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		require.NoError(t, err)
		header := make([]byte, 512)
		_, err = f.ReadAt(header, 0)
		require.NoError(t, err)
		binary.LittleEndian.PutUint32(header[8:], 2)
		binary.LittleEndian.PutUint32(header[508:], crc32.Checksum(header[:508], crc32.MakeTable(crc32.Castagnoli)))
		_, err = f.WriteAt(header, 0)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	p, s, err := open(dir)
	require.NoError(t, err)
	for name := range content {
		d, err := p.Open(t.Context(), find(t, p, name))
		if name != "alone" {
			require.ErrorContains(t, err, "map file has format version 2, this program knows 1", name)
			continue
		}
		require.NoError(t, err)
		require.NoError(t, d.Close())
	}
	require.NoError(t, p.Close())
	r, err := pool.Check(t.Context(), pool.Config{Dir: filepath.Join(dir, "pools", fixturePool), Name: fixturePool, Meta: meta{s}}, pool.CheckOptions{Repair: true})
	require.NoError(t, err)
	require.Len(t, r.Problems, 4, "Repair leaves them alone")
	require.Equal(t, 4, r.Left())
	require.NoError(t, s.Close())
}

// names lists the files of the pool.
func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(dir, "pools", fixturePool))
	require.NoError(t, err)
	for _, e := range list {
		if e.Name() != "lock" {
			out = append(out, e.Name())
		}
	}
	return out
}
