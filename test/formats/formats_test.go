// Package formats keeps a data dir of every format that was ever written, and holds
// this version to reading it.
package formats

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/store"
)

// makeArchive names an archive that TestMake writes with the present version, for
// the day when the format changes.
var makeArchive = flag.String("make", "", "write a data dir of this version into the archive `FILE`")

// fixtures are the archives in testdata, each with the data dir of one format.
//
// v1 is of the first version. v1-sums has sums of frozen layers, too.
var fixtures = []string{"v1.tar.gz", "v1-sums.tar.gz"}

const (
	fixturePool = "default"
	block       = blockdev.BlockSize
	fixtureSize = 9 << 20 // more than one leaf of a map
)

// meta lets a pool keep its records in a store.
type meta struct{ store store.Store }

func (m meta) Update(ctx context.Context, fn func(pool.MetaTx) error) error {
	return m.store.Update(ctx, func(tx store.Tx) error { return fn(tx) })
}

func (m meta) View(ctx context.Context, fn func(pool.MetaTx) error) error {
	return m.store.View(ctx, func(tx store.Tx) error { return fn(tx) })
}

// open opens the store and the pool of a data dir.
func open(dir string) (*pool.LayerPool, store.Store, error) {
	s, err := store.Open(filepath.Join(dir, "twinlun.db"), store.Options{})
	if err != nil {
		return nil, nil, err
	}
	p, err := pool.Open(context.Background(), pool.Config{
		Dir: filepath.Join(dir, "pools", fixturePool), Name: fixturePool, Meta: meta{s},
		Checksums: true, VerifyReads: true,
	})
	if err != nil {
		return nil, nil, closing(err, s)
	}
	return p, s, nil
}

func closing(err error, s store.Store) error {
	if e := s.Close(); e != nil {
		return e
	}
	return err
}

// span is a range of a volume that is filled with one byte; the rest is zeros.
type span struct {
	off, n int64
	fill   byte
}

// content is what the volumes of a fixture hold, by name.
var content = map[string][]span{
	"alone":    {{0, 5000, 1}, {fixtureSize - 700, 700, 2}},
	"source":   {{0, 3 * block, 4}, {3 * block, 2000, 3}, {2016*block - 100, 300, 5}},
	"snapshot": {{0, 3*block + 2000, 3}, {8 << 20, block, 6}},
	"clone":    {{0, 3*block + 2000, 3}, {8 << 20, block, 6}, {8<<20 + 2*block, 10, 7}},
}

// bytesOf is what a volume reads as.
func bytesOf(spans []span) []byte {
	out := make([]byte, fixtureSize)
	for _, s := range spans {
		copy(out[s.off:s.off+s.n], bytes.Repeat([]byte{s.fill}, int(s.n)))
	}
	return out
}

// build makes the volumes of a fixture: one alone; a source with a snapshot, of which
// parts are written over and zeroed since; a clone of the snapshot.
func build(t *testing.T, p *pool.LayerPool) {
	ctx := t.Context()
	create := func(name string) blockdev.Device {
		v, err := p.Create(ctx, pool.Spec{Name: name, Size: fixtureSize, Labels: map[string]string{"of": name}})
		require.NoError(t, err)
		return device(t, p, v.ID)
	}
	write := func(d blockdev.Device, off, n int64, fill byte) {
		require.NoError(t, d.WriteAt(ctx, bytes.Repeat([]byte{fill}, int(n)), off))
	}
	alone, source := create("alone"), create("source")
	write(alone, 0, 5000, 1)
	write(alone, fixtureSize-700, 700, 2)
	write(source, 0, 3*block+2000, 3)
	write(source, 8<<20, block, 6)
	snap := copyOf(t, p, find(t, p, "source"), "snapshot")
	write(source, 0, 3*block, 4)
	require.NoError(t, blockdev.Zero(ctx, source, 8<<20, block))
	write(source, 2016*block-100, 300, 5)
	clone := copyOf(t, p, snap.ID, "clone")
	write(device(t, p, clone.ID), 8<<20+2*block, 10, 7)
}

func copyOf(t *testing.T, p *pool.LayerPool, from pool.VolumeID, name string) pool.Volume {
	out, err := p.Snapshot(t.Context(), []pool.Copy{{Source: from, Target: pool.Spec{Name: name}}})
	require.NoError(t, err)
	return out[0]
}

func find(t *testing.T, p *pool.LayerPool, name string) pool.VolumeID {
	t.Helper()
	all, err := p.List(t.Context())
	require.NoError(t, err)
	for _, v := range all {
		if v.Name == name {
			return v.ID
		}
	}
	t.Fatalf("there is no volume %q", name)
	return ""
}

// device opens a volume until the test ends.
func device(t *testing.T, p *pool.LayerPool, id pool.VolumeID) blockdev.Device {
	t.Helper()
	d, err := p.Open(t.Context(), id)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// TestMake writes a fixture where -make says.
func TestMake(t *testing.T) {
	if *makeArchive == "" {
		t.Skip("without -make there is nothing to write")
	}
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "pools"), 0o700))
	p, s, err := open(dir)
	require.NoError(t, err)
	build(t, p)
	require.NoError(t, p.WaitIdle(t.Context()))
	require.NoError(t, p.WaitSummed(t.Context()))
	require.NoError(t, p.Close())
	require.NoError(t, s.Close())
	require.NoError(t, pack(*makeArchive, dir))
}

// TestOldFormats opens each fixture, finds what was written, and works with it.
func TestOldFormats(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			dir := unpacked(t, name)
			for range 2 { // what this version wrote opens as well
				use(t, dir)
			}
		})
	}
}

// unpacked is a data dir with what a fixture holds.
func unpacked(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, unpack(filepath.Join("testdata", name), dir))
	return dir
}

func use(t *testing.T, dir string) {
	p, s, err := open(dir)
	require.NoError(t, err)
	all, err := p.List(t.Context())
	require.NoError(t, err)
	require.Len(t, all, len(content))
	for _, v := range all {
		require.Equal(t, origin(v.Name), v.Labels["of"])
		d, err := p.Open(t.Context(), v.ID)
		require.NoError(t, err)
		got := make([]byte, d.Size())
		require.NoError(t, d.ReadAt(t.Context(), got, 0))
		require.True(t, bytes.Equal(bytesOf(content[v.Name]), got), v.Name)
		require.NoError(t, d.Close())
	}
	extra := copyOf(t, p, find(t, p, "clone"), "extra")
	require.NoError(t, p.Delete(t.Context(), extra.ID))
	require.NoError(t, p.WaitIdle(t.Context()))
	require.NoError(t, p.WaitSummed(t.Context()))
	scrubbed, err := p.Scrub(t.Context(), pool.ScrubOptions{})
	require.NoError(t, err)
	require.NoError(t, scrubbed.Err())
	require.Equal(t, 2, scrubbed.Layers)
	info, err := p.Info(t.Context())
	require.NoError(t, err)
	require.Zero(t, info.LostFiles)
	require.NoError(t, p.Close())
	require.NoError(t, s.Close())
}

// origin is the label that a volume was made with.
func origin(name string) string {
	if name == "alone" || name == "source" {
		return name
	}
	return ""
}
