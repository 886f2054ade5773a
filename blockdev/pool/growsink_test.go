package pool_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
)

// TestGrowWhileATopGoesDown: a volume, most of which is empty, grows while its top goes
// down. That begins again then.
func TestGrowWhileATopGoesDown(t *testing.T) {
	ctx := context.Background()
	p, err := pool.Open(ctx, pool.Config{Dir: t.TempDir(), Name: "main", Meta: pooltest.NewMeta(), MergeRate: 8 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	v := pooltest.Create(t, p, "v", 64<<20)
	d := pooltest.Open(t, p, v.ID)
	pooltest.Write(t, d, pooltest.Fill(1, 4<<20), 0)
	s := pooltest.Snap(t, p, v.ID, "s")
	pooltest.Write(t, d, pooltest.Fill(2, 2<<20), 0)
	require.NoError(t, p.Delete(ctx, s.ID))
	require.Eventually(t, func() bool { return p.Sinking(v.ID) }, 1e10, 1e5)
	_, err = p.Update(ctx, v.ID, func(v *pool.Volume) error { v.Size = 128 << 20; return nil })
	require.NoError(t, err)
	require.False(t, p.Sinking(v.ID))
	pooltest.Write(t, d, pooltest.Fill(3, 1<<20), 100<<20)
	require.NoError(t, p.WaitIdle(ctx))
	pooltest.Holds(t, d, pooltest.Fill(2, 2<<20), 0)
	pooltest.Holds(t, d, pooltest.Fill(3, 1<<20), 100<<20)
}
