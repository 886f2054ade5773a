package reflink

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs"
	"twinlun/blockdev/vfs/vfstest"
)

const (
	volumeSize = 48<<20 + 3*blockdev.SectorSize // ends within a block
	// slack is what metadata takes, and the part of a block that cannot be shared.
	slack = 1 << 20
)

// each runs a test on every filesystem.
func each(t *testing.T, do func(t *testing.T, f filesystem, dir string)) {
	for _, f := range filesystems {
		t.Run(f.name, func(t *testing.T) { do(t, f, filepath.Join(f.mount(t, 1<<30), "pool")) })
	}
}

func TestFilesystem(t *testing.T) {
	each(t, func(t *testing.T, f filesystem, dir string) {
		n := 0
		vfstest.Run(t, func(t *testing.T) vfs.FS {
			n++
			d, err := vfs.OpenDir(fmt.Sprint(dir, n))
			require.NoError(t, err)
			t.Cleanup(func() { d.Close() })
			return d
		})
	})
}

// laid is a pool with a volume that has runs of data, single blocks, and holes.
type laid struct {
	*pool.LayerPool
	t    *testing.T
	dir  string
	r    *rand.Rand
	gen  *rand.ChaCha8
	v    pool.Volume
	dev  blockdev.Device
	want []byte
}

func lay(t *testing.T, dir string, summed bool) *laid {
	p, err := pool.Open(t.Context(), pool.Config{Dir: dir, Name: "w", Meta: pooltest.NewMeta(), Checksums: summed, MergeRate: -1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	l := &laid{LayerPool: p, t: t, dir: dir, r: rand.New(rand.NewPCG(1, 2)), gen: rand.NewChaCha8([32]byte{}), want: make([]byte, volumeSize)}
	l.v = pooltest.Create(t, p, "v", volumeSize)
	l.dev = pooltest.Open(t, p, l.v.ID)
	l.write(4<<20, 9<<20)
	l.write(volumeSize-(3<<20), 3<<20)
	for range 100 {
		l.write(l.r.Int64N(volumeSize-8192)/blockdev.SectorSize*blockdev.SectorSize, 512+512*l.r.Int64N(16))
	}
	return l
}

func (l *laid) write(off, n int64) {
	p := make([]byte, n)
	_, _ = l.gen.Read(p)
	copy(l.want[off:], p)
	pooltest.Write(l.t, l.dev, p, off)
}

// holds compares a volume with what it must show.
func (l *laid) holds(d blockdev.Device, want []byte) {
	l.t.Helper()
	got := make([]byte, volumeSize)
	require.NoError(l.t, d.ReadAt(l.t.Context(), got, 0))
	require.True(l.t, bytes.Equal(want, got))
}

// keep gives every layer's data a second name, in another folder of the filesystem, so
// that what was shared with it stays so when the layer has gone.
func (l *laid) keep() (files []string) {
	require.NoError(l.t, l.dev.Flush(l.t.Context()))
	files, err := filepath.Glob(filepath.Join(l.dir, "*.data"))
	require.NoError(l.t, err)
	kept := filepath.Join(filepath.Dir(l.dir), "kept")
	require.NoError(l.t, os.MkdirAll(kept, 0o700))
	for i, f := range files {
		require.NoError(l.t, os.Link(f, filepath.Join(kept, fmt.Sprint(i))))
	}
	return files
}

// largest is the data file with the most in it, of those that are not known.
func (l *laid) largest(known ...string) (name string, all, shared int64) {
	files, err := filepath.Glob(filepath.Join(l.dir, "*.data"))
	require.NoError(l.t, err)
	for _, f := range files {
		if n, with := onDisk(l.t, f); n > all && !slices.Contains(known, f) {
			name, all, shared = f, n, with
		}
	}
	return name, all, shared
}

// TestHydrateShares: a volume that was made to stand alone has the blocks of what it
// stood on.
func TestHydrateShares(t *testing.T) {
	for _, summed := range []bool{false, true} {
		each(t, func(t *testing.T, f filesystem, dir string) {
			l := lay(t, dir, summed)
			known := l.keep()
			want := bytes.Clone(l.want)
			c := pooltest.Snap(t, l, l.v.ID, "c")
			require.NoError(t, l.WaitSummed(t.Context())) // if it is, what is copied is compared first
			before := used(t, dir)
			require.NoError(t, l.Hydrate(t.Context(), c.ID, 0, nil))
			require.NoError(t, l.WaitIdle(t.Context()))
			grown := used(t, dir) - before
			got, err := l.Get(t.Context(), c.ID)
			require.NoError(t, err)
			require.False(t, got.Dependent)
			_, all, shared := l.largest(known...)
			original, _ := onDisk(t, known[0])
			require.InDelta(t, original, all, 8192, "holes stay holes")
			if f.share {
				require.InDelta(t, all, shared, 8192, "all but the end")
				require.Less(t, grown, int64(slack))
			} else {
				require.Zero(t, shared)
			}
			l.write(5<<20, 1<<20) // what is shared does not change with the other
			l.holds(pooltest.Open(t, l, c.ID), want)
			l.holds(l.dev, l.want)
		})
	}
}

// TestMergeShares: what a merge brings from one layer into another is in both files,
// until one of them goes.
func TestMergeShares(t *testing.T) {
	for name, more := range map[string]func(l *laid){
		"up":     func(l *laid) { l.write(20<<20, 16<<20) },
		"live":   func(l *laid) { l.write(20<<20, 4<<20) },
		"frozen": func(l *laid) { l.write(20<<20, 4<<20); pooltest.Snap(l.t, l, l.v.ID, "more") },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f filesystem, dir string) {
				l := lay(t, dir, true)
				s := pooltest.Snap(t, l, l.v.ID, "s")
				more(l)
				require.NoError(t, l.WaitSummed(t.Context()))
				l.keep()
				before := used(t, dir)
				require.NoError(t, l.Delete(t.Context(), s.ID))
				require.NoError(t, l.WaitIdle(t.Context()))
				grown := used(t, dir) - before
				_, all, shared := l.largest()
				require.Greater(t, all, int64(15<<20), "it has both")
				if f.share {
					require.Less(t, grown, int64(slack))
					require.GreaterOrEqual(t, shared, int64(4<<20)-8192)
				} else {
					require.Zero(t, shared)
				}
				l.holds(l.dev, l.want)
			})
		})
	}
}
