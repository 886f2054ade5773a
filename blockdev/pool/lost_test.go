package pool_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs/memfs"
)

// nothingLost requires that what an interrupted operation of the pool's own left is
// known as such.
func (w *world) nothingLost() {
	list, err := w.fs.Shelved()
	require.NoError(w.t, err)
	if len(list) > 0 && !w.unread {
		w.fail(fmt.Errorf("files that the pool made itself were moved aside: %v", list))
	}
}

// dataOf is how many layers have data files in the folder.
func dataOf(t *testing.T, m *memfs.FS) (n int) {
	t.Helper()
	names, err := m.List()
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, ".data") {
			n++
		}
	}
	return n
}

// TestAbortedLeavesNothing cuts the power at every call of creations, snapshots and
// deletes: what is found afterwards is what the store knows, and nothing is lost or
// left over.
func TestAbortedLeavesNothing(t *testing.T) {
	ctx := context.Background()
	acts := map[string]func(p *pool.LayerPool, a, b pool.VolumeID) error{
		"create": func(p *pool.LayerPool, _, _ pool.VolumeID) error {
			_, err := p.Create(ctx, pool.Spec{Name: "c", Size: 1 << 20})
			return err
		},
		"snapshot": func(p *pool.LayerPool, a, b pool.VolumeID) error {
			_, err := p.Snapshot(ctx, []pool.Copy{
				{Source: a, Target: pool.Spec{Name: "c"}}, {Source: b, Target: pool.Spec{Name: "d"}},
			})
			return err
		},
		"delete": func(p *pool.LayerPool, a, _ pool.VolumeID) error {
			return p.Delete(ctx, a)
		},
	}
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			for n := 0; !abort(t, act, n); n++ {
			}
		})
	}
}

// abort cuts the power at the n-th call of act; done says that it has fewer.
func abort(t *testing.T, act func(p *pool.LayerPool, a, b pool.VolumeID) error, n int) (done bool) {
	t.Helper()
	ctx, m, meta := context.Background(), memfs.New(uint64(n)+1), pooltest.NewMeta()
	p, err := pool.Open(ctx, pool.Config{FS: m, Name: "w", Meta: meta})
	require.NoError(t, err)
	a, b := pooltest.Create(t, p, "a", 1<<20), pooltest.Create(t, p, "b", 1<<20)
	pooltest.Write(t, pooltest.Open(t, p, b.ID), pooltest.Fill(1, 9000), 0)
	meta.Commit = func() (bool, error) { return m.Step("meta") }
	m.CutAfter(n)
	err = act(p, a.ID, b.ID)
	_ = p.Close()
	done = !m.Dark()
	if done {
		require.NoError(t, err)
	}

	m = m.Crash()
	meta.Commit = nil
	for range 2 {
		p, err = pool.Open(ctx, pool.Config{FS: m, Name: "w", Meta: meta})
		require.NoError(t, err)
		shelved, err := m.Shelved()
		require.NoError(t, err)
		require.Empty(t, shelved, "call %d", n)
		require.NoError(t, p.WaitIdle(ctx))
		list, err := p.List(ctx)
		require.NoError(t, err)
		tops := len(list)
		if tops == 4 {
			tops += 2 // what a and b were
		}
		require.Equal(t, tops, dataOf(t, m), "call %d", n)
		require.NoError(t, p.Close())
		require.Equal(t, 1+len(list)+dataOf(t, m), meta.Len(), "call %d: no mark stays", n)
	}
	return done
}

// TestOlderStore puts the records of an earlier day beside the files of today, looks
// at what there is, and puts today's back.
func TestOlderStore(t *testing.T) {
	ctx, m, old := t.Context(), memfs.New(1), pooltest.NewMeta()
	open := func(meta pool.Meta) *pool.LayerPool {
		p, err := pool.Open(ctx, pool.Config{FS: m, Name: "w", Meta: meta})
		require.NoError(t, err)
		return p
	}
	p := open(old)
	pooltest.Create(t, p, "a", 1<<20)
	require.NoError(t, p.Close())

	today := old.Clone()
	p = open(today)
	b := pooltest.Create(t, p, "b", 1<<20)
	empty := pooltest.Create(t, p, "empty", 1<<20)
	d, err := p.Open(ctx, b.ID)
	require.NoError(t, err)
	pooltest.Write(t, d, pooltest.Fill(1, 9000), 0)
	require.NoError(t, d.Close())
	require.NoError(t, p.Close())

	p = open(old)
	info, err := p.Info(ctx)
	require.NoError(t, err)
	require.Equal(t, 2, info.LostFiles)
	require.EqualValues(t, 3*blockdev.BlockSize, info.Lost)
	require.Equal(t, 1, dataOf(t, m))
	require.NoError(t, p.Close())
	p = open(old)
	info, err = p.Info(ctx)
	require.NoError(t, err)
	require.Equal(t, 2, info.LostFiles, "a start later they are still there")
	require.NoError(t, p.Close())

	require.Equal(t, 2, m.PutBack())
	p = open(today)
	info, err = p.Info(ctx)
	require.NoError(t, err)
	require.Zero(t, info.LostFiles)
	pooltest.Holds(t, pooltest.Open(t, p, b.ID), pooltest.Fill(1, 9000), 0)
	pooltest.Holds(t, pooltest.Open(t, p, empty.ID), make([]byte, 4096), 0)
	require.NoError(t, p.Close())
}

// TestHotBackup puts the records of the same day back, which have marked the ids of
// the layers that came after: those that were written to are not lost.
func TestHotBackup(t *testing.T) {
	ctx, m, meta := t.Context(), memfs.New(1), pooltest.NewMeta()
	p, err := pool.Open(ctx, pool.Config{FS: m, Name: "w", Meta: meta})
	require.NoError(t, err)
	pooltest.Create(t, p, "a", 1<<20)
	backup := meta.Clone()
	b := pooltest.Create(t, p, "b", 1<<20)
	d, err := p.Open(ctx, b.ID)
	require.NoError(t, err)
	pooltest.Write(t, d, pooltest.Fill(1, 9000), 0)
	require.NoError(t, d.Close())
	require.NoError(t, p.Close())

	p, err = pool.Open(ctx, pool.Config{FS: m, Name: "w", Meta: backup})
	require.NoError(t, err)
	info, err := p.Info(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, info.LostFiles)
	require.NoError(t, p.Close())
}

// TestShelfRefuses: a file that cannot be moved aside stays where it is.
func TestShelfRefuses(t *testing.T) {
	ctx, m, meta := t.Context(), memfs.New(1), pooltest.NewMeta()
	p, err := pool.Open(ctx, pool.Config{FS: m, Name: "w", Meta: meta})
	require.NoError(t, err)
	pooltest.Create(t, p, "a", 1<<20)
	require.NoError(t, p.Close())
	stranger := strings.Repeat("0a", 16) + ".data"
	f, err := m.Create(stranger)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	m.SetFault(func(op memfs.Op, _ string) error {
		if op == memfs.OpShelve {
			return context.DeadlineExceeded
		}
		return nil
	})
	p, err = pool.Open(ctx, pool.Config{FS: m, Name: "w", Meta: meta})
	require.NoError(t, err)
	require.NoError(t, p.Close())
	require.Equal(t, 2, dataOf(t, m))
}
