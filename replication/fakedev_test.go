package replication

import (
	"context"
	"sync"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

// fakeDevice is a handle of a fakeVolume.
type fakeDevice struct {
	pool *fakePool
	vol  *fakeVolume
	raw  bool
	once sync.Once
}

func (p *fakePool) Open(_ context.Context, id pool.VolumeID) (blockdev.Device, error) {
	return p.handle("open", id, false)
}

func (p *fakePool) OpenRaw(_ context.Context, id pool.VolumeID) (blockdev.Device, error) {
	return p.handle("openraw", id, true)
}

func (p *fakePool) handle(op string, id pool.VolumeID, raw bool) (blockdev.Device, error) {
	v, err := p.find(op, id)
	if err != nil {
		return nil, err
	}
	v.io.Lock()
	defer v.io.Unlock()
	v.handles++
	return &fakeDevice{pool: p, vol: v, raw: raw}, nil
}

// change runs c through the hooks, the last attached first.
func (d *fakeDevice) change(ctx context.Context, c blockdev.Change, act func()) error {
	if err := blockdev.CheckRange("write", c.Off, c.Len, d.Size()); err != nil {
		return err
	}
	name := string(d.vol.desc.ID)
	last := func() error {
		if err := d.pool.faulted("write", name); err != nil {
			return err
		}
		d.pool.mu.Lock()
		defer d.pool.mu.Unlock()
		act()
		return nil
	}
	d.vol.io.RLock()
	defer d.vol.io.RUnlock()
	if d.raw {
		return last()
	}
	return throughHooks(ctx, d.vol.hooks, c, last)
}

func throughHooks(ctx context.Context, hooks []*fakeHook, c blockdev.Change, last func() error) error {
	if len(hooks) == 0 {
		return last()
	}
	n := len(hooks) - 1
	return hooks[n].Apply(ctx, c, func() error { return throughHooks(ctx, hooks[:n], c, last) })
}

func (d *fakeDevice) ReadAt(_ context.Context, p []byte, off int64) error {
	if err := blockdev.CheckRange("read", off, int64(len(p)), d.Size()); err != nil {
		return err
	}
	if err := d.pool.faulted("read", string(d.vol.desc.ID)); err != nil {
		return err
	}
	d.pool.mu.Lock()
	defer d.pool.mu.Unlock()
	copy(p, d.vol.data[off:])
	return nil
}

func (d *fakeDevice) WriteAt(ctx context.Context, p []byte, off int64) error {
	c := blockdev.Change{Op: blockdev.OpWrite, Off: off, Len: int64(len(p)), Data: p}
	return d.change(ctx, c, func() { copy(d.vol.data[off:], p) })
}

func (d *fakeDevice) ZeroAt(ctx context.Context, off, n int64) error {
	c := blockdev.Change{Op: blockdev.OpZero, Off: off, Len: n}
	return d.change(ctx, c, func() { clear(d.vol.data[off : off+n]) })
}

func (d *fakeDevice) WriteFUA(ctx context.Context, p []byte, off int64) error {
	c := blockdev.Change{Op: blockdev.OpWrite, Off: off, Len: int64(len(p)), Data: p, FUA: true}
	return d.change(ctx, c, func() { copy(d.vol.data[off:], p) })
}

func (d *fakeDevice) Extents(_ context.Context, off, n int64, _ int) ([]blockdev.Extent, error) {
	return []blockdev.Extent{{Off: off, Len: n, Data: true}}, nil
}

func (d *fakeDevice) Flush(ctx context.Context) error {
	return d.change(ctx, blockdev.Change{Op: blockdev.OpFlush}, func() {})
}

func (d *fakeDevice) Size() int64 {
	d.pool.mu.Lock()
	defer d.pool.mu.Unlock()
	return d.vol.desc.Size
}

// Close gives the handle back once.
func (d *fakeDevice) Close() error {
	d.once.Do(func() {
		d.vol.io.Lock()
		defer d.vol.io.Unlock()
		d.vol.handles--
	})
	return nil
}
