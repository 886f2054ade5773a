package pool_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs/memfs"
)

// TestCutWhileSinking: a Hydrate that ends cuts off a layer that another volume stands
// on, too, whose top is going down. What that volume wrote below its top is durable
// after its next flush all the same.
func TestCutWhileSinking(t *testing.T) {
	eachSeed(t, 10, func(t *testing.T, seed uint64) {
		m, meta := memfs.New(seed), pooltest.NewMeta()
		p, err := pool.Open(t.Context(), pool.Config{FS: m, Name: "w", Meta: meta, MergeRate: 1})
		require.NoError(t, err)
		a := pooltest.Create(t, p, "a", 8<<20)
		pooltest.Write(t, pooltest.Open(t, p, a.ID), pooltest.Fill(1, 1<<20), 0)
		b := pooltest.Snap(t, p, a.ID, "b")
		begun, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- p.Hydrate(t.Context(), b.ID, 0, func(int64, int64) {
				select {
				case begun <- struct{}{}:
					<-goOn
				case <-goOn:
				}
			})
		}()
		<-begun
		c := pooltest.Snap(t, p, b.ID, "c")
		d := pooltest.Open(t, p, c.ID)
		pooltest.Write(t, d, pooltest.Fill(2, 1<<20), 0)
		s := pooltest.Snap(t, p, c.ID, "s")
		pooltest.Write(t, d, pooltest.Fill(3, 4*blockdev.BlockSize), 0)
		require.NoError(t, p.Delete(t.Context(), s.ID))
		require.Eventually(t, func() bool { return p.Sinking(c.ID) }, time.Minute, time.Millisecond)
		pooltest.Write(t, d, pooltest.Fill(4, 1<<20), 4<<20)
		close(goOn)
		require.NoError(t, <-ended)
		require.NoError(t, d.Flush(t.Context()))
		after := m.Crash()
		_ = p.Close() // without power
		p, err = pool.Open(t.Context(), pool.Config{FS: after, Name: "w", Meta: meta})
		require.NoError(t, err)
		pooltest.Holds(t, pooltest.Open(t, p, c.ID), pooltest.Fill(4, 1<<20), 4<<20)
		require.NoError(t, p.Close())
	})
}

// TestFlushWhileSinking: what a volume writes while its top goes down, below the top or
// to both, is durable after a flush, and after a durable write.
func TestFlushWhileSinking(t *testing.T) {
	for seed := range uint64(20) {
		m, meta := memfs.New(seed), pooltest.NewMeta()
		p, err := pool.Open(t.Context(), pool.Config{FS: m, Name: "w", Meta: meta, MergeRate: 1})
		require.NoError(t, err)
		v := pooltest.Create(t, p, "v", 4<<20)
		d := pooltest.Open(t, p, v.ID)
		pooltest.Write(t, d, pooltest.Fill(1, 1<<20), 0)
		s := pooltest.Snap(t, p, v.ID, "s")
		pooltest.Write(t, d, pooltest.Fill(2, 4*blockdev.BlockSize), 0)
		require.NoError(t, p.Delete(t.Context(), s.ID))
		require.Eventually(t, func() bool { return p.Sinking(v.ID) }, time.Minute, time.Millisecond)
		want := pooltest.Fill(3, 64<<10)
		for _, off := range []int64{700, 512 << 10, 2 << 20} { // over what the top has, what is below, and nothing
			if seed%2 == 0 {
				pooltest.Write(t, d, want, off)
				continue
			}
			require.NoError(t, blockdev.WriteFUA(t.Context(), d, want, off))
		}
		if seed%2 == 0 {
			require.NoError(t, d.Flush(t.Context()))
		}
		after := m.Crash()
		_ = p.Close() // without power
		p, err = pool.Open(t.Context(), pool.Config{FS: after, Name: "w", Meta: meta})
		require.NoError(t, err)
		for _, off := range []int64{700, 512 << 10, 2 << 20} {
			pooltest.Holds(t, pooltest.Open(t, p, v.ID), want, off)
		}
		require.NoError(t, p.Close())
	}
}

// TestHydrateHidesInterruptedWrite: blocks that were zeros, and were written to before the
// power went, are still zeros when a Hydrate has made the map superfluous that says so.
func TestHydrateHidesInterruptedWrite(t *testing.T) {
	for seed := range uint64(10) {
		m, meta := memfs.New(seed), pooltest.NewMeta()
		p, err := pool.Open(t.Context(), pool.Config{FS: m, Name: "w", Meta: meta})
		require.NoError(t, err)
		v := pooltest.Create(t, p, "v", 1<<20)
		d := pooltest.Open(t, p, v.ID)
		pooltest.Write(t, d, pooltest.Fill(1, 1<<20), 0)
		pooltest.Snap(t, p, v.ID, "s")
		require.NoError(t, blockdev.Zero(t.Context(), d, 0, 64<<10))
		require.NoError(t, d.Flush(t.Context()))
		pooltest.Write(t, d, pooltest.Fill(2, 64<<10), 0)
		after := m.Crash()
		_ = p.Close() // without power
		p, err = pool.Open(t.Context(), pool.Config{FS: after, Name: "w", Meta: meta})
		require.NoError(t, err)
		d = pooltest.Open(t, p, v.ID)
		pooltest.Holds(t, d, make([]byte, 64<<10), 0)
		require.NoError(t, p.Hydrate(t.Context(), v.ID, 0, nil))
		require.NoError(t, p.WaitIdle(t.Context()))
		pooltest.Holds(t, d, make([]byte, 64<<10), 0)
		require.NoError(t, p.Close())
	}
}
