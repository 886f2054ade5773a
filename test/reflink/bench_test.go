package reflink

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
)

// BenchmarkClone makes a clone of 4 GiB stand alone, beside a copy of the same file with
// cp; each ends with everything on the disk.
func BenchmarkClone(b *testing.B) {
	const size = 4 << 30
	for _, f := range filesystems {
		b.Run(f.name, func(b *testing.B) {
			dir := filepath.Join(f.mount(b, 18<<30), "pool")
			for _, summed := range []bool{false, true} {
				name := "hydrate"
				if summed {
					name = "hydrate after comparing"
				}
				b.Run(name, func(b *testing.B) { benchClone(b, dir, size, summed) })
			}
			b.Run("cp", func(b *testing.B) { benchCopy(b, dir, size) })
		})
	}
}

func benchClone(b *testing.B, dir string, size int64, summed bool) {
	require.NoError(b, os.RemoveAll(dir))
	p, err := pool.Open(b.Context(), pool.Config{Dir: dir, Name: "w", Meta: pooltest.NewMeta(), Checksums: summed})
	require.NoError(b, err)
	defer p.Close()
	v := pooltest.Create(b, p, "v", size)
	d := pooltest.Open(b, p, v.ID)
	buf := pooltest.Fill(1, 4<<20)
	for off := int64(0); off < size; off += int64(len(buf)) {
		pooltest.Write(b, d, buf, off)
	}
	pooltest.Snap(b, p, v.ID, "keeps it frozen")
	require.NoError(b, p.WaitSummed(b.Context()))
	b.SetBytes(size)
	for b.Loop() {
		b.StopTimer()
		c := pooltest.Snap(b, p, v.ID, "c")
		b.StartTimer()
		require.NoError(b, p.Hydrate(b.Context(), c.ID, 0, nil))
		b.StopTimer()
		require.NoError(b, p.Delete(b.Context(), c.ID))
		require.NoError(b, p.WaitIdle(b.Context()))
		b.StartTimer()
	}
}

// benchCopy copies the data file that benchClone has left.
func benchCopy(b *testing.B, dir string, size int64) {
	files, err := filepath.Glob(filepath.Join(dir, "*.data"))
	require.NoError(b, err)
	var file string
	for _, f := range files {
		if all, _ := onDisk(b, f); all >= size {
			file = f
		}
	}
	require.NotEmpty(b, file)
	to := filepath.Join(dir, "copy")
	b.SetBytes(size)
	for b.Loop() {
		for _, c := range []*exec.Cmd{exec.Command("cp", "--reflink=auto", file, to), exec.Command("sync", "-d", to)} {
			out, err := c.CombinedOutput()
			require.NoError(b, err, "%s", out)
		}
		b.StopTimer()
		require.NoError(b, os.Remove(to))
		b.StartTimer()
	}
}
