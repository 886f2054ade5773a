package pool_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs"
	"twinlun/blockdev/vfs/memfs"
)

// openFiles counts the files of a folder that are open.
type openFiles struct {
	vfs.FS
	open atomic.Int64
}

func (c *openFiles) Create(name string) (vfs.File, error) { return c.count(c.FS.Create(name)) }
func (c *openFiles) Open(name string) (vfs.File, error)   { return c.count(c.FS.Open(name)) }

func (c *openFiles) count(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return countedFile{f, c}, nil
}

type countedFile struct {
	vfs.File
	of *openFiles
}

func (f countedFile) Close() error {
	f.of.open.Add(-1)
	return f.File.Close()
}

// CopyFrom copies from the file that is counted.
func (f countedFile) CopyFrom(src vfs.File, off, n int64) error {
	return f.File.CopyFrom(src.(countedFile).File, off, n)
}

type hookFunc func(ctx context.Context, c blockdev.Change, next func() error) error

func (f hookFunc) Apply(ctx context.Context, c blockdev.Change, next func() error) error {
	return f(ctx, c, next)
}

// TestHookHoldsNoFiles: ten thousand snapshots, each with a hook, must not need as many
// descriptors. The hook stays while its volume is opened and closed.
func TestHookHoldsNoFiles(t *testing.T) {
	fs := &openFiles{FS: memfs.New(1)}
	p, err := pool.Open(t.Context(), pool.Config{FS: fs, Name: "main", Meta: pooltest.NewMeta()})
	require.NoError(t, err)
	defer p.Close()
	allClosed := func() {
		require.Eventually(t, func() bool { return fs.open.Load() == 0 }, 10*time.Second, time.Millisecond)
	}
	v := pooltest.Create(t, p, "v", 1<<20)
	snap := pooltest.Snap(t, p, v.ID, "s")
	seen := 0
	detach, err := p.Attach(t.Context(), snap.ID, hookFunc(func(_ context.Context, _ blockdev.Change, next func() error) error {
		seen++
		return next()
	}))
	require.NoError(t, err)
	allClosed()
	for i := range 3 {
		d, err := p.Open(t.Context(), snap.ID)
		require.NoError(t, err)
		pooltest.Write(t, d, pooltest.Fill(1, 4096), 0)
		require.NoError(t, d.Close())
		require.Equal(t, i+1, seen)
		allClosed()
	}
	_, err = p.Resize(t.Context(), snap.ID, 1<<19, true)
	require.True(t, blockdev.Is(err, blockdev.KindBusy), err)
	require.True(t, blockdev.Is(p.Delete(t.Context(), snap.ID), blockdev.KindBusy))
	detach()
	detach()
	_, err = p.Resize(t.Context(), snap.ID, 1<<19, true)
	require.NoError(t, err)
	d := pooltest.Open(t, p, snap.ID)
	pooltest.Write(t, d, pooltest.Fill(1, 4096), 0)
	require.NoError(t, d.Close())
	require.Equal(t, 3, seen)
	require.NoError(t, p.Delete(t.Context(), snap.ID))
	_, err = p.Attach(t.Context(), snap.ID, hookFunc(nil))
	require.True(t, blockdev.Is(err, blockdev.KindNotFound), err)
}
