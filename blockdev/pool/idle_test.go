package pool_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs/memfs"
)

// TestLastHandles: those who close the last handles of a volume at the same time all
// come to an end.
func TestLastHandles(t *testing.T) {
	p, err := pool.Open(context.Background(), pool.Config{FS: memfs.New(1), Name: "w", Meta: pooltest.NewMeta()})
	require.NoError(t, err)
	for round := range 100 {
		v := pooltest.Create(t, p, fmt.Sprint("v", round), 1<<20)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					d, err := p.Open(context.Background(), v.ID)
					if err == nil {
						err = d.Close()
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	require.NoError(t, p.Close())
}
