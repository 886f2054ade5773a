package pool_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs/memfs"
)

// TestMergeAfterAFailedSync: the map of a layer that a merge brings blocks into cannot
// be synced. What the page cache has of it is not what a power cut leaves, so the merge
// that is tried again, when nobody has had the layer open meanwhile, must not take it
// for done.
func TestMergeAfterAFailedSync(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			ctx, fs, meta := context.Background(), memfs.New(seed), pooltest.NewMeta()
			p, err := pool.Open(ctx, pool.Config{FS: fs, Name: "w", Meta: meta})
			require.NoError(t, err)
			v := pooltest.Create(t, p, "v", 1<<20)
			write := func(stamp byte, block, count int64) {
				d, err := p.Open(ctx, v.ID)
				require.NoError(t, err)
				pooltest.Write(t, d, pooltest.Fill(stamp, int(count)*blockdev.BlockSize), block*blockdev.BlockSize)
				require.NoError(t, d.Flush(ctx))
				require.NoError(t, d.Close())
			}
			write(1, 0, 1)
			pooltest.Snap(t, p, v.ID, "lowest")
			write(2, 1, 2)
			middle := pooltest.Snap(t, p, v.ID, "middle")
			write(3, 8, 5)
			pooltest.Snap(t, p, v.ID, "upper")
			var failed atomic.Bool
			fs.SetFault(func(op memfs.Op, name string) error {
				if op == memfs.OpSync && strings.HasSuffix(name, ".map") && failed.CompareAndSwap(false, true) {
					return syscall.EIO
				}
				return nil
			})
			require.NoError(t, p.Delete(ctx, middle.ID)) // its layer merges with the one on it
			require.NoError(t, p.WaitIdle(ctx))
			require.True(t, failed.Load())
			pooltest.Create(t, p, "another", 1<<20) // what failed is tried again
			require.NoError(t, p.WaitIdle(ctx))
			fs = fs.Crash()
			_ = p.Close() // the power is gone

			p, err = pool.Open(ctx, pool.Config{FS: fs, Name: "w", Meta: meta})
			require.NoError(t, err)
			defer p.Close()
			pooltest.Holds(t, pooltest.Open(t, p, v.ID), pooltest.Fill(2, 2*blockdev.BlockSize), blockdev.BlockSize)
		})
	}
}

// TestFailedVolumeStaysFailed: a volume whose flush failed takes no writes until the
// next start, also when it was closed meanwhile: its files do not show what is durable.
func TestFailedVolumeStaysFailed(t *testing.T) {
	ctx, fs := context.Background(), memfs.New(1)
	p, err := pool.Open(ctx, pool.Config{FS: fs, Name: "w", Meta: pooltest.NewMeta()})
	require.NoError(t, err)
	v := pooltest.Create(t, p, "v", 1<<20)
	d, err := p.Open(ctx, v.ID)
	require.NoError(t, err)
	pooltest.Write(t, d, pooltest.Fill(1, blockdev.BlockSize), 0)
	fs.SetFault(func(op memfs.Op, _ string) error {
		if op == memfs.OpSync {
			return syscall.EIO
		}
		return nil
	})
	require.True(t, blockdev.Is(d.Flush(ctx), blockdev.KindIO))
	fs.SetFault(nil)
	_ = d.Close()
	d, err = p.Open(ctx, v.ID)
	require.NoError(t, err)
	require.True(t, blockdev.Is(d.Flush(ctx), blockdev.KindIO))
	require.True(t, blockdev.Is(d.WriteAt(ctx, pooltest.Fill(2, blockdev.BlockSize), 0), blockdev.KindIO))
	_ = d.Close()
	_ = p.Close() // says so, too
}
