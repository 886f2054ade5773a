package pool_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs/memfs"
)

const diffSize = 1<<20 + 3*sector

// diffed is a member of a family of volumes: its content, and which write was the last
// to touch each block.
type diffed struct {
	id      pool.VolumeID
	dev     blockdev.Device
	content []byte
	touched []int // by block
}

func (d *diffed) copyOf(v pool.Volume, dev blockdev.Device) *diffed {
	return &diffed{id: v.ID, dev: dev, content: bytes.Clone(d.content), touched: slices.Clone(d.touched)}
}

// change writes or zeroes a random range.
func (d *diffed) change(t *testing.T, r *rand.Rand, number int) {
	off := r.Int64N(diffSize)
	n := min(diffSize-off, 1+r.Int64N(9*blockdev.BlockSize))
	p := bytes.Repeat([]byte{byte(1 + r.IntN(3))}, int(n))
	if r.IntN(4) == 0 {
		clear(p)
		require.NoError(t, blockdev.Zero(t.Context(), d.dev, off, n))
	} else {
		require.NoError(t, d.dev.WriteAt(t.Context(), p, off))
	}
	copy(d.content[off:], p)
	for b := off / blockdev.BlockSize; b <= (off+n-1)/blockdev.BlockSize; b++ {
		d.touched[b] = number
	}
}

// check compares what the pool says with the bytes: what differs is in, and what no
// write has touched is not.
func (d *diffed) check(p pool.Differ, other *diffed) error {
	list, err := p.Changed(context.Background(), other.id, d.id, 0, diffSize, 0)
	if err != nil {
		return err
	}
	said := make([]bool, len(d.touched))
	for _, e := range list {
		for b := e.Off / blockdev.BlockSize; b*blockdev.BlockSize < e.Off+e.Len; b++ {
			said[b] = true
		}
	}
	for b := range said {
		from := b * blockdev.BlockSize
		to := min(from+blockdev.BlockSize, diffSize)
		if !said[b] && !bytes.Equal(d.content[from:to], other.content[from:to]) {
			return fmt.Errorf("block %d differs and is not in", b)
		}
		if said[b] && d.touched[b] == other.touched[b] {
			return fmt.Errorf("block %d was not written and is in", b)
		}
	}
	return nil
}

// TestChangedAgainstModel changes a family of volumes while others ask what differs and
// the layers of deleted snapshots merge.
func TestChangedAgainstModel(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			fs := memfs.New(seed)
			fs.SetCloning(seed%2 == 1)
			p, err := pool.Open(t.Context(), pool.Config{FS: fs, Name: "w", Meta: pooltest.NewMeta(), MergeRate: -1})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, p.Close()) })
			changeFamily(t, p, rand.New(rand.NewPCG(seed, 4)))
		})
	}
}

func changeFamily(t *testing.T, p *pool.LayerPool, r *rand.Rand) {
	v := pooltest.Create(t, p, "v", diffSize)
	none := &diffed{content: make([]byte, diffSize), touched: make([]int, diffSize/blockdev.BlockSize+1)}
	family := []*diffed{none.copyOf(v, pooltest.Open(t, p, v.ID))}
	for step := range 20 {
		for i := range 4 {
			family[r.IntN(len(family))].change(t, r, step*4+1+i)
		}
		source := family[r.IntN(len(family))]
		s := pooltest.Snap(t, p, source.id, fmt.Sprint("s", step))
		family = append(family, source.copyOf(s, pooltest.Open(t, p, s.ID)))
		if len(family) > 5 {
			i := r.IntN(len(family))
			require.NoError(t, family[i].dev.Close())
			require.NoError(t, p.Delete(t.Context(), family[i].id))
			family = slices.Delete(family, i, i+1)
		}
		askAll(t, p, family)
	}
	require.NoError(t, p.WaitIdle(t.Context()))
	askAll(t, p, family)
}

// askAll asks about every pair at once.
func askAll(t *testing.T, p *pool.LayerPool, family []*diffed) {
	t.Helper()
	var wg sync.WaitGroup
	for _, a := range family {
		wg.Go(func() {
			for _, b := range family {
				if err := a.check(p, b); err != nil {
					t.Errorf("%s against %s: %v", a.id, b.id, err)
				}
			}
		})
	}
	wg.Wait()
	require.False(t, t.Failed())
}
