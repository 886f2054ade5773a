package pool_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
)

const benchSize = 256 << 20

// benchVolume is a volume full of data with depth snapshots, and its handle.
func benchVolume(b *testing.B, depth int) (*pool.LayerPool, pool.VolumeID, blockdev.Device) {
	p := openDir(b, b.TempDir(), pooltest.NewMeta())
	v := pooltest.Create(b, p, "v", benchSize)
	d := pooltest.Open(b, p, v.ID)
	buf := pooltest.Fill(1, 1<<20)
	for off := int64(0); off < benchSize; off += 1 << 20 {
		pooltest.Write(b, d, buf, off)
	}
	for i := range depth {
		for range 16 { // each layer has something
			pooltest.Write(b, d, buf[:4096], rand.Int64N(benchSize/4096)*4096)
		}
		pooltest.Snap(b, p, v.ID, fmt.Sprint("s", i))
	}
	require.NoError(b, d.Flush(b.Context()))
	return p, v.ID, d
}

// plainFile is the same as a file.
func plainFile(b *testing.B) *os.File {
	f, err := os.Create(filepath.Join(b.TempDir(), "plain"))
	require.NoError(b, err)
	b.Cleanup(func() { f.Close() })
	buf := pooltest.Fill(1, 1<<20)
	for off := int64(0); off < benchSize; off += 1 << 20 {
		_, err := f.WriteAt(buf, off)
		require.NoError(b, err)
	}
	return f
}

// transfer runs op on random (4 KiB) or sequential (larger) places.
func transfer(b *testing.B, n int, op func(p []byte, off int64) error) {
	p := pooltest.Fill(7, n)
	b.SetBytes(int64(n))
	r := rand.New(rand.NewPCG(1, 1))
	at := int64(0)
	for b.Loop() {
		if n > 4096 {
			at = (at + int64(n)) % benchSize
		} else {
			at = r.Int64N(benchSize/4096) * 4096
		}
		if err := op(p, at); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTransfer compares plain files with volumes without and with snapshots.
func BenchmarkTransfer(b *testing.B) {
	for _, n := range []int{4096, 1 << 20} {
		b.Run(fmt.Sprintf("%dK/file", n>>10), func(b *testing.B) {
			f := plainFile(b)
			b.Run("read", func(b *testing.B) {
				transfer(b, n, func(p []byte, off int64) error { _, err := f.ReadAt(p, off); return err })
			})
			b.Run("write", func(b *testing.B) {
				transfer(b, n, func(p []byte, off int64) error { _, err := f.WriteAt(p, off); return err })
			})
		})
		for _, depth := range []int{0, 1, 10, 100} {
			b.Run(fmt.Sprintf("%dK/depth%d", n>>10, depth), func(b *testing.B) {
				_, _, d := benchVolume(b, depth)
				ctx := context.Background()
				b.Run("read", func(b *testing.B) {
					transfer(b, n, func(p []byte, off int64) error { return d.ReadAt(ctx, p, off) })
				})
				b.Run("write", func(b *testing.B) {
					transfer(b, n, func(p []byte, off int64) error { return d.WriteAt(ctx, p, off) })
				})
			})
		}
	}
}

// BenchmarkSnapshot takes and deletes snapshots under a writer and reports its
// longest pauses.
func BenchmarkSnapshot(b *testing.B) {
	p, id, d := benchVolume(b, 0)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var mu sync.Mutex
	slowest := time.Duration(0)
	wg.Go(func() {
		buf := pooltest.Fill(3, 4096)
		for i := 0; ctx.Err() == nil; i++ {
			began := time.Now()
			_ = d.WriteAt(ctx, buf, rand.Int64N(benchSize/4096)*4096)
			mu.Lock()
			slowest = max(slowest, time.Since(began))
			mu.Unlock()
		}
	})
	var pauses []time.Duration
	n := 0
	for b.Loop() {
		mu.Lock()
		slowest = 0
		mu.Unlock()
		n++
		s := pooltest.Snap(b, p, id, fmt.Sprint("s", n))
		mu.Lock()
		pauses = append(pauses, slowest)
		mu.Unlock()
		require.NoError(b, p.Delete(b.Context(), s.ID))
	}
	cancel()
	wg.Wait()
	slices.Sort(pauses)
	b.ReportMetric(float64(pauses[len(pauses)/2].Microseconds()), "us-pause-p50")
	b.ReportMetric(float64(pauses[len(pauses)*99/100].Microseconds()), "us-pause-p99")
}

// BenchmarkHydrate compares clones with io.Copy of the file and a sync.
func BenchmarkHydrate(b *testing.B) {
	p, id, _ := benchVolume(b, 0)
	f := plainFile(b)
	b.Run("hydrate", func(b *testing.B) {
		b.SetBytes(benchSize)
		n := 0
		for b.Loop() {
			n++
			s := pooltest.Snap(b, p, id, fmt.Sprint("c", n))
			require.NoError(b, p.Hydrate(b.Context(), s.ID, 0, nil))
			require.NoError(b, p.Delete(b.Context(), s.ID))
		}
	})
	for _, synced := range []bool{false, true} {
		b.Run(fmt.Sprintf("io.Copy/sync=%v", synced), func(b *testing.B) {
			b.SetBytes(benchSize)
			for b.Loop() {
				to, err := os.Create(filepath.Join(b.TempDir(), "copy"))
				require.NoError(b, err)
				_, err = io.Copy(to, io.NewSectionReader(f, 0, benchSize))
				require.NoError(b, err)
				if synced {
					require.NoError(b, to.Sync())
				}
				require.NoError(b, to.Close())
			}
		})
	}
}
