package pool_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs"
	"twinlun/blockdev/vfs/memfs"
)

// failSyncDir lets the next sync of the folder fail, and no later one.
func failSyncDir(m *memfs.FS) {
	failed := false
	m.SetFault(func(op memfs.Op, _ string) error {
		if op == memfs.OpSyncDir && !failed {
			failed = true
			return syscall.EIO
		}
		return nil
	})
}

// TestFolderNotDurable: after a sync of the folder has failed nothing is made any more
// whose name might be lost; what is there goes on. After a restart all is as it was
// said to be, also after a power cut.
func TestFolderNotDurable(t *testing.T) {
	ctx := context.Background()
	size := int64(1 << 20)
	works := map[string]func(p *pool.LayerPool, a, s pool.VolumeID, name string) error{
		"create": func(p *pool.LayerPool, _, _ pool.VolumeID, name string) error {
			_, err := p.Create(ctx, pool.Spec{Name: name, Size: size})
			return err
		},
		"snapshot": func(p *pool.LayerPool, a, _ pool.VolumeID, name string) error {
			_, err := p.Snapshot(ctx, []pool.Copy{{Source: a, Target: pool.Spec{Name: name}}})
			return err
		},
		"restore": func(p *pool.LayerPool, a, s pool.VolumeID, name string) error {
			_, err := p.Restore(ctx, a, s, pool.Spec{Name: name})
			return err
		},
		"reset": func(p *pool.LayerPool, _, s pool.VolumeID, _ string) error {
			_, err := p.Reset(ctx, s)
			return err
		},
	}
	for first := range works {
		t.Run(first, func(t *testing.T) {
			for seed := range uint64(5) {
				m, meta := memfs.New(seed), pooltest.NewMeta()
				p := openOn(t, m, meta)
				a, s, doomed := notDurable(t, p, size)
				failSyncDir(m)
				require.ErrorIs(t, works[first](p, a, s, "x"), syscall.EIO)
				for name, work := range works {
					require.ErrorIs(t, work(p, a, s, "y"), syscall.EIO, name)
				}
				d, err := p.Open(ctx, a)
				require.NoError(t, err)
				pooltest.Write(t, d, pooltest.Fill(3, 9000), 5000)
				require.NoError(t, d.Flush(ctx))
				require.NoError(t, d.Close())
				require.NoError(t, p.Delete(ctx, doomed))
				_, err = p.Update(ctx, a, func(v *pool.Volume) error { v.Name = "renamed"; return nil })
				require.NoError(t, err)
				if seed%2 == 0 {
					require.NoError(t, p.Close())
				} else {
					m = m.Crash()
					_ = p.Close()
				}
				afterNotDurable(t, m, meta, a, s)
			}
		})
	}
}

func openOn(t *testing.T, m *memfs.FS, meta *pooltest.Meta) *pool.LayerPool {
	p, err := pool.Open(context.Background(), pool.Config{FS: m, Name: "w", Meta: meta})
	require.NoError(t, err)
	return p
}

// notDurable makes a volume with content, a snapshot of it and a volume that is to go.
func notDurable(t *testing.T, p *pool.LayerPool, size int64) (a, s, doomed pool.VolumeID) {
	a = pooltest.Create(t, p, "a", size).ID
	d, err := p.Open(context.Background(), a)
	require.NoError(t, err)
	pooltest.Write(t, d, pooltest.Fill(1, 9000), 0)
	s = pooltest.Snap(t, p, a, "s").ID
	require.NoError(t, d.Close())
	return a, s, pooltest.Create(t, p, "doomed", size).ID
}

// afterNotDurable starts the pool again, makes volumes, and cuts the power.
func afterNotDurable(t *testing.T, m *memfs.FS, meta *pooltest.Meta, a, s pool.VolumeID) {
	ctx := context.Background()
	p := openOn(t, m, meta)
	var made []pool.VolumeID
	for i := range 3 {
		made = append(made, pooltest.Create(t, p, fmt.Sprint("n", i), 1<<20).ID)
	}
	made = append(made, pooltest.Snap(t, p, a, "of a").ID)
	m = m.Crash()
	_ = p.Close()
	p = openOn(t, m, meta)
	list, err := p.List(ctx)
	require.NoError(t, err)
	require.Len(t, list, 2+len(made))
	want := pooltest.Fill(1, 9000)
	pooltest.Holds(t, pooltest.Open(t, p, s), want, 0)
	pooltest.Holds(t, pooltest.Open(t, p, a), want[:5000], 0)
	pooltest.Holds(t, pooltest.Open(t, p, a), pooltest.Fill(3, 9000), 5000)
	for _, id := range made {
		pooltest.Open(t, p, id)
	}
	info, err := p.Info(ctx)
	require.NoError(t, err)
	require.Zero(t, info.LostFiles)
}

// lateFS is a filesystem whose first sync of the folder is told that it failed while
// another one, which is told of nothing, comes to its end; if others are let in.
type lateFS struct {
	vfs.FS
	late, others chan struct{} // the first sync is under way; another ended
	begun        atomic.Bool
}

func (f *lateFS) SyncDir() error {
	if !f.begun.CompareAndSwap(false, true) {
		return f.FS.SyncDir()
	}
	close(f.late)
	select {
	case <-f.others:
	case <-time.After(50 * time.Millisecond): // nobody was let in
	}
	return syscall.EIO
}

// TestFolderNotDurableForAll: of two who sync the folder at once, one of whom is told that
// names were lost, neither takes them for durable.
func TestFolderNotDurableForAll(t *testing.T) {
	m := &lateFS{FS: memfs.New(1), late: make(chan struct{}), others: make(chan struct{})}
	p, err := pool.Open(t.Context(), pool.Config{FS: m, Name: "w", Meta: pooltest.NewMeta()})
	require.NoError(t, err)
	first := make(chan error, 1)
	go func() {
		_, err := p.Create(context.Background(), pool.Spec{Name: "a", Size: 512})
		first <- err
	}()
	<-m.late
	_, err = p.Create(t.Context(), pool.Spec{Name: "b", Size: 512})
	close(m.others)
	require.ErrorIs(t, err, syscall.EIO)
	require.ErrorIs(t, <-first, syscall.EIO)
	_ = p.Close()
}
