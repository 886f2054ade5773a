package pool_test

import (
	"context"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs/memfs"
)

// TestDoubtIsSettled: a transaction of a snapshot is stored although it failed, and so
// does taking it back. Whatever is stored later, what the next start finds has its
// files, and volumes show what was written to them.
func TestDoubtIsSettled(t *testing.T) {
	for _, nth := range []int{1, 2} {
		for _, later := range []bool{false, true} {
			ctx, m, meta := context.Background(), memfs.New(1), pooltest.NewMeta()
			open := func() *pool.LayerPool {
				p, err := pool.Open(ctx, pool.Config{FS: m, Name: "w", Meta: meta})
				require.NoError(t, err)
				return p
			}
			p := open()
			a := pooltest.Create(t, p, "a", 1<<20)
			d := pooltest.Open(t, p, a.ID)
			pooltest.Write(t, d, pooltest.Fill(1, 9000), 0)
			commits := 0
			meta.SetCommit(func() (bool, error) {
				if commits++; commits < nth {
					return true, nil
				}
				return commits == nth, syscall.EIO
			})
			_, err := p.Snapshot(ctx, []pool.Copy{{Source: a.ID, Target: pool.Spec{Name: "b"}}})
			require.ErrorIs(t, err, syscall.EIO)
			require.NoError(t, d.Flush(ctx))
			meta.SetCommit(nil)
			want := 1
			if later {
				pooltest.Create(t, p, "c", 1<<20)
				require.NoError(t, p.WaitIdle(ctx))
				want = 2
			}
			require.NoError(t, d.Close())
			require.NoError(t, p.Close())

			p = open()
			pooltest.Holds(t, pooltest.Open(t, p, a.ID), pooltest.Fill(1, 9000), 0)
			list, err := p.List(ctx)
			require.NoError(t, err)
			if later {
				require.Len(t, list, want, "a transaction that was made takes back what was in doubt")
			}
			for _, v := range list {
				pooltest.Open(t, p, v.ID)
			}
			require.NoError(t, p.Close())
		}
	}
}

// TestFailureKeepsDoubt: a change that certainly was not stored says nothing about one
// that may have been.
func TestFailureKeepsDoubt(t *testing.T) {
	ctx, m, meta := context.Background(), memfs.New(1), pooltest.NewMeta()
	p, err := pool.Open(ctx, pool.Config{FS: m, Name: "w", Meta: meta})
	require.NoError(t, err)
	a := pooltest.Create(t, p, "a", 1<<20)
	commits := 0
	meta.SetCommit(func() (bool, error) {
		commits++
		return commits == 1, syscall.EIO
	})
	_, err = p.Snapshot(ctx, []pool.Copy{{Source: a.ID, Target: pool.Spec{Name: "b"}}})
	require.ErrorIs(t, err, syscall.EIO)
	meta.SetCommit(func() (bool, error) { return false, syscall.ENOSPC })
	_, err = p.Create(ctx, pool.Spec{Name: "c", Size: 1 << 20})
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, p.Close())
	meta.SetCommit(nil)
	p, err = pool.Open(ctx, pool.Config{FS: m, Name: "w", Meta: meta})
	require.NoError(t, err)
	pooltest.Open(t, p, a.ID)
	require.NoError(t, p.Close())
}

// TestDoubtAboutDelete: a volume whose deletion failed, and was perhaps stored, takes
// writes only when it is certain that the next start knows it.
func TestDoubtAboutDelete(t *testing.T) {
	ctx, m, meta := context.Background(), memfs.New(1), pooltest.NewMeta()
	p, err := pool.Open(ctx, pool.Config{FS: m, Name: "w", Meta: meta})
	require.NoError(t, err)
	a := pooltest.Create(t, p, "a", 1<<20)
	commits := 0
	meta.SetCommit(func() (bool, error) {
		commits++
		return commits == 1, syscall.EIO
	})
	require.ErrorIs(t, p.Delete(ctx, a.ID), syscall.EIO)
	_, err = p.Open(ctx, a.ID)
	require.ErrorIs(t, err, syscall.EIO)
	meta.SetCommit(nil)
	d := pooltest.Open(t, p, a.ID)
	pooltest.Write(t, d, pooltest.Fill(1, 9000), 0)
	require.NoError(t, d.Flush(ctx))

	p, err = pool.Open(ctx, pool.Config{FS: m.Crash(), Name: "w", Meta: meta})
	require.NoError(t, err)
	pooltest.Holds(t, pooltest.Open(t, p, a.ID), pooltest.Fill(1, 9000), 0)
	require.NoError(t, p.Close())
}
