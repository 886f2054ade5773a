package pool_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs/memfs"
)

// scrub requires that every frozen layer has the content that its sums say.
func (w *world) scrub() {
	out, err := w.pool.Scrub(context.Background(), pool.ScrubOptions{})
	require.NoError(w.t, err)
	require.Empty(w.t, out.Damage)
	require.Empty(w.t, out.Unreadable)
}

// summedPool is a pool in which a volume has been frozen with two snapshots, and that
// has its sums.
type summedPool struct {
	*pool.LayerPool
	fs     *memfs.FS
	meta   *pooltest.Meta
	a, s   pool.Volume
	mu     sync.Mutex
	found  []pool.Damage
	writer blockdev.Device // of a
}

func newSummedPool(t *testing.T, verify bool) *summedPool {
	p := &summedPool{fs: memfs.New(1), meta: pooltest.NewMeta()}
	p.reopen(t, verify)
	p.a = pooltest.Create(t, p, "a", 1<<20)
	p.writer = pooltest.Open(t, p, p.a.ID)
	pooltest.Write(t, p.writer, pooltest.Fill(1, 9000), 0)
	p.s = pooltest.Snap(t, p, p.a.ID, "s")
	require.NoError(t, p.WaitSummed(t.Context()))
	return p
}

func (p *summedPool) reopen(t *testing.T, verify bool) {
	var err error
	p.LayerPool, err = pool.Open(t.Context(), pool.Config{
		FS: p.fs, Name: "w", Meta: p.meta, Checksums: true, VerifyReads: verify,
		Damaged: func(d pool.Damage) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.found = append(p.found, d)
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.LayerPool.Close()) })
}

// filesOf lists the files of a kind.
func (p *summedPool) filesOf(t *testing.T, kind string) (out []string) {
	t.Helper()
	names, err := p.fs.List()
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, "."+kind) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// frozen is the one layer that has sums.
func (p *summedPool) frozen(t *testing.T) string {
	t.Helper()
	sums := p.filesOf(t, "sum")
	require.Len(t, sums, 1)
	return strings.TrimSuffix(sums[0], ".sum")
}

// flip changes a byte of a file behind the pool's back.
func (p *summedPool) flip(t *testing.T, name string, off int64) {
	t.Helper()
	f, err := p.fs.Open(name)
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, off)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{^b[0]}, off)
	require.NoError(t, err)
}

func TestScrubFindsDamage(t *testing.T) {
	p := newSummedPool(t, false)
	out, err := p.Scrub(t.Context(), pool.ScrubOptions{})
	require.NoError(t, err)
	require.NoError(t, out.Err())
	require.Equal(t, 1, out.Layers)
	id := p.frozen(t)
	p.flip(t, id+".data", 5000)
	var done, total int64
	out, err = p.Scrub(t.Context(), pool.ScrubOptions{Progress: func(d, n int64) { done, total = d, n }})
	require.NoError(t, err)
	require.Positive(t, total)
	require.Equal(t, total, done)
	want := pool.Damage{Pool: "w", Layer: id, Volumes: []pool.VolumeID{p.a.ID, p.s.ID}, Off: 4096, Len: 4096}
	slices.Sort(want.Volumes)
	require.Equal(t, []pool.Damage{want}, out.Damage)
	require.Equal(t, []pool.Damage{want}, p.found)
	require.EqualValues(t, 4096, out.Bad)
	require.True(t, blockdev.Is(out.Err(), blockdev.KindIO))
	info, err := p.Info(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 4096, info.Damaged)
}

func TestScrubOfDamagedSums(t *testing.T) {
	p := newSummedPool(t, false)
	p.flip(t, p.frozen(t)+".sum", 512)
	out, err := p.Scrub(t.Context(), pool.ScrubOptions{})
	require.NoError(t, err)
	require.Len(t, out.Unreadable, 1)
	for _, err := range out.Unreadable {
		require.ErrorContains(t, err, "its checksums were damaged, and are made anew")
		require.ErrorIs(t, err, layer.ErrSums)
	}
	require.Error(t, out.Err())
	require.Empty(t, out.Damage)
	require.NoError(t, p.WaitSummed(t.Context()))
	out, err = p.Scrub(t.Context(), pool.ScrubOptions{})
	require.NoError(t, err)
	require.NoError(t, out.Err(), "they were made anew")
	require.Equal(t, 1, out.Layers)
}

func TestScrubEndsEarly(t *testing.T) {
	p := newSummedPool(t, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.Scrub(ctx, pool.ScrubOptions{})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, p.LayerPool.Close())
	_, err = p.Scrub(t.Context(), pool.ScrubOptions{})
	require.True(t, blockdev.Is(err, blockdev.KindClosed))
}

// TestVerifiedReads: a block that the disk changed is not given to a host.
func TestVerifiedReads(t *testing.T) {
	for _, again := range []bool{false, true} {
		p := newSummedPool(t, true)
		if again { // the sums are there when the layer is opened
			require.NoError(t, p.LayerPool.Close())
			p.reopen(t, true)
		}
		d := pooltest.Open(t, p, p.s.ID)
		pooltest.Holds(t, d, pooltest.Fill(1, 9000), 0)
		id := p.frozen(t)
		p.flip(t, id+".data", 5000)
		err := d.ReadAt(t.Context(), make([]byte, 512), 4096)
		require.True(t, blockdev.Is(err, blockdev.KindIO), "%v", err)
		require.ErrorContains(t, err, id)
		require.Len(t, p.found, 1)
		require.NoError(t, d.ReadAt(t.Context(), make([]byte, 4096), 0), "other blocks can be read")
		require.NoError(t, d.WriteAt(t.Context(), make([]byte, 4096), 4096), "and it can be written over")
		require.NoError(t, d.ReadAt(t.Context(), make([]byte, 512), 4096))
	}
}

// TestMergeDropsSums: what a merge makes of a layer has no sums of before, or new ones.
func TestMergeDropsSums(t *testing.T) {
	p := newSummedPool(t, true)
	d := pooltest.Open(t, p, p.a.ID)
	pooltest.Write(t, d, pooltest.Fill(2, 100), 0)
	require.NoError(t, p.Delete(t.Context(), p.s.ID))
	require.NoError(t, p.WaitIdle(t.Context()))
	require.Empty(t, p.filesOf(t, "sum"))
	want := pooltest.Fill(1, 9000)
	copy(want, pooltest.Fill(2, 100))
	pooltest.Holds(t, d, want, 0)
	pooltest.Snap(t, p, p.a.ID, "again")
	require.NoError(t, p.WaitSummed(t.Context()))
	out, err := p.Scrub(t.Context(), pool.ScrubOptions{})
	require.NoError(t, err)
	require.NoError(t, out.Err())
	require.Equal(t, 1, out.Layers)
	pooltest.Holds(t, d, want, 0)
}

// TestSumsOfABase: what a snapshot can be reset to stays, also where nothing else
// stands on it, and has its sums.
func TestSumsOfABase(t *testing.T) {
	p := newSummedPool(t, true)
	require.NoError(t, p.LayerPool.Close()) // and the handle
	p.reopen(t, true)
	require.NoError(t, p.Delete(t.Context(), p.a.ID))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, p.WaitIdle(ctx))
	info, err := p.Info(t.Context())
	require.NoError(t, err)
	require.Zero(t, info.Merging, "the base is not to be merged")
	require.Len(t, p.filesOf(t, "data"), 2)
	require.NoError(t, p.LayerPool.Close())
	for _, name := range p.filesOf(t, "sum") {
		require.NoError(t, p.fs.Remove(name))
	}
	p.reopen(t, true) // they are made for a base with one child
	require.NoError(t, p.WaitSummed(t.Context()))
	d := pooltest.Open(t, p, p.s.ID)
	pooltest.Write(t, d, pooltest.Fill(5, 9000), 0)
	out, err := p.Scrub(t.Context(), pool.ScrubOptions{})
	require.NoError(t, err)
	require.NoError(t, out.Err())
	require.Equal(t, 1, out.Layers)
	require.Zero(t, out.Unsummed)
	_, err = p.Reset(t.Context(), p.s.ID)
	require.NoError(t, err)
	pooltest.Holds(t, d, pooltest.Fill(1, 9000), 0)
	p.flip(t, p.frozen(t)+".data", 5000)
	out, err = p.Scrub(t.Context(), pool.ScrubOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 4096, out.Bad)
}

// TestSumsAfterAFailedGrow: a layer whose volume could not be made longer is summed as
// long as its records say.
func TestSumsAfterAFailedGrow(t *testing.T) {
	p := newSummedPool(t, false)
	p.meta.SetCommit(func() (bool, error) { return false, syscall.ENOSPC })
	_, err := p.Resize(t.Context(), p.a.ID, 2<<20, false)
	require.True(t, blockdev.Is(err, blockdev.KindNoSpace), "%v", err)
	p.meta.SetCommit(nil)
	pooltest.Write(t, pooltest.Open(t, p, p.a.ID), pooltest.Fill(2, 9000), 5000)
	pooltest.Snap(t, p, p.a.ID, "later")
	require.NoError(t, p.WaitSummed(t.Context()))
	require.NoError(t, p.LayerPool.Close())
	p.reopen(t, false)
	out, err := p.Scrub(t.Context(), pool.ScrubOptions{})
	require.NoError(t, err)
	require.NoError(t, out.Err(), "%v", out.Unreadable)
	require.Equal(t, 2, out.Layers)
}
