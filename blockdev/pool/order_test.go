package pool_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs/memfs"
)

const (
	orderVolumes = 3
	orderWriters = 4
	orderRounds  = 8
)

// order is a set of volumes with writers. Each writes 1, 2, 3 ... to its sector of one
// volume after the other, each number after the one before was acknowledged.
type order struct {
	t     *testing.T
	pool  *pool.LayerPool
	ids   []pool.VolumeID
	disks []blockdev.Device
	done  [orderWriters]atomic.Uint64 // acknowledged
}

// off is where a writer writes: some share a block, others do not.
func (o *order) off(writer int) int64 {
	return int64(writer/2)*3*blockdev.BlockSize + int64(writer%2)*sector
}

func (o *order) write(ctx context.Context, writer int, seed uint64) error {
	r, p := rand.New(rand.NewPCG(seed, uint64(writer))), make([]byte, sector)
	for n := uint64(1); ctx.Err() == nil; n++ {
		binary.LittleEndian.PutUint64(p, n)
		d := o.disks[n%orderVolumes]
		put := d.WriteAt
		if r.IntN(8) == 0 {
			put = d.(blockdev.FUAWriter).WriteFUA
		}
		if err := put(context.Background(), p, o.off(writer)); err != nil {
			return err
		}
		o.done[writer].Store(n)
	}
	return nil
}

// set takes a snapshot of all and says what each writer had at least, and at most.
func (o *order) set(round int) (set []pool.Volume, least, most [orderWriters]uint64) {
	var want []pool.Copy
	for i := range o.ids {
		want = append(want, pool.Copy{Source: o.ids[i], Target: pool.Spec{Name: fmt.Sprintf("s%d-%d", round, i)}})
	}
	for w := range least {
		least[w] = o.done[w].Load()
	}
	set, err := o.pool.Snapshot(context.Background(), want)
	require.NoError(o.t, err)
	for w := range most {
		most[w] = o.done[w].Load() + 1
	}
	return set, least, most
}

// check requires of a set that it has everything of each writer up to some number,
// and nothing after it.
func (o *order) check(set []pool.Volume, least, most [orderWriters]uint64) {
	var got [orderWriters][orderVolumes]uint64
	p := make([]byte, 8)
	for i, v := range set {
		d, err := o.pool.Open(context.Background(), v.ID)
		require.NoError(o.t, err)
		for w := range orderWriters {
			require.NoError(o.t, d.ReadAt(context.Background(), p, o.off(w)))
			got[w][i] = binary.LittleEndian.Uint64(p)
		}
		require.NoError(o.t, d.Close())
	}
	for w, of := range got {
		last := max(of[0], of[1], of[2])
		for i, n := range of {
			want := last - (last+orderVolumes-uint64(i))%orderVolumes
			if last < want { // no number of that volume yet
				want = 0
			}
			require.Equal(o.t, want, n, "writer %d came to %d, volume %d of the set does not agree: %v", w, last, i, of)
		}
		require.GreaterOrEqual(o.t, last, least[w])
		require.LessOrEqual(o.t, last, most[w])
	}
}

// TestSetsKeepOrder takes consistent sets under writers, while the sets before are
// deleted and their layers merge with those that are written to.
func TestSetsKeepOrder(t *testing.T) {
	eachSeed(t, 20, func(t *testing.T, seed uint64) {
		p, err := pool.Open(context.Background(), pool.Config{FS: memfs.New(seed), Name: "w", Meta: pooltest.NewMeta()})
		require.NoError(t, err)
		o := &order{t: t, pool: p}
		for i := range orderVolumes {
			v := pooltest.Create(t, p, fmt.Sprint("v", i), 1<<20)
			d, err := p.Open(context.Background(), v.ID)
			require.NoError(t, err)
			o.ids, o.disks = append(o.ids, v.ID), append(o.disks, d)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var writers sync.WaitGroup
		for w := range orderWriters {
			writers.Go(func() {
				if err := o.write(ctx, w, seed); err != nil {
					t.Error(err)
				}
			})
		}
		defer writers.Wait()
		defer cancel()
		var before []pool.Volume
		for round := range orderRounds {
			set, least, most := o.set(round)
			o.check(set, least, most)
			for _, v := range before {
				require.NoError(t, p.Delete(context.Background(), v.ID))
			}
			before = set
		}
		cancel()
		writers.Wait()
		require.NoError(t, p.Close())
	})
}
