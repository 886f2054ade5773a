// Package memdev is a sparse block device in memory, for tests and for volumes
// that need not outlive the process. It implements every optional interface of
// blockdev; what is written is as durable as the memory it lies in.
package memdev

import (
	"context"
	"slices"
	"sync"

	"twinlun/blockdev"
)

// chunk is the content of one block that holds data.
type chunk [blockdev.BlockSize]byte

// Device is a device in memory. It holds space only for blocks that were
// written and not zeroed since.
type Device struct {
	mu     sync.RWMutex // guards all below
	size   int64
	closed bool
	chunks map[int64]*chunk // by offset / blockdev.BlockSize
}

var (
	_ blockdev.Device    = (*Device)(nil)
	_ blockdev.FUAWriter = (*Device)(nil)
	_ blockdev.Zeroer    = (*Device)(nil)
	_ blockdev.Extenter  = (*Device)(nil)
)

// New makes a device of size bytes that reads as zeros. The size is rounded up
// to a whole sector; a negative one is taken as 0.
func New(size int64) *Device {
	return &Device{size: sectors(size), chunks: make(map[int64]*chunk)}
}

// sectors rounds a size up to whole sectors.
func sectors(size int64) int64 {
	const mask = blockdev.SectorSize - 1
	return (max(size, 0) + mask) &^ mask
}

// Size is the length in bytes.
func (d *Device) Size() int64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.size
}

// Grow makes the device larger; a smaller size changes nothing. What is new
// reads as zeros.
func (d *Device) Grow(size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.size = max(d.size, sectors(size))
}

// Close ends the device and forgets its content.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed, d.chunks = true, nil
	return nil
}

// Flush has nothing to do; it fails on a closed device.
func (d *Device) Flush(context.Context) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.checkLocked("flush", 0, 0)
}

// ReadAt fills p from off.
func (d *Device) ReadAt(_ context.Context, p []byte, off int64) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := d.checkLocked("read", off, int64(len(p))); err != nil {
		return err
	}
	for len(p) > 0 {
		index, at, n := piece(off, int64(len(p)))
		if c := d.chunks[index]; c != nil {
			copy(p[:n], c[at:])
		} else {
			clear(p[:n])
		}
		p, off = p[n:], off+n
	}
	return nil
}

// WriteAt stores p at off.
func (d *Device) WriteAt(_ context.Context, p []byte, off int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.checkLocked("write", off, int64(len(p))); err != nil {
		return err
	}
	for len(p) > 0 {
		index, at, n := piece(off, int64(len(p)))
		c := d.chunks[index]
		if c == nil {
			c = new(chunk)
			d.chunks[index] = c
		}
		copy(c[at:], p[:n])
		p, off = p[n:], off+n
	}
	return nil
}

// WriteFUA is WriteAt.
func (d *Device) WriteFUA(ctx context.Context, p []byte, off int64) error {
	return d.WriteAt(ctx, p, off)
}

// ZeroAt makes [off, off+n) read as zeros and gives back the space of blocks
// that it covers whole.
func (d *Device) ZeroAt(_ context.Context, off, n int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.checkLocked("zero", off, n); err != nil {
		return err
	}
	if n >= d.size && off == 0 {
		clear(d.chunks)
		return nil
	}
	for n > 0 {
		index, at, part := piece(off, n)
		if c := d.chunks[index]; c != nil && part < blockdev.BlockSize {
			clear(c[at : at+part])
		} else {
			delete(d.chunks, index)
		}
		off, n = off+part, n-part
	}
	return nil
}

// Extents lists which blocks of [off, off+n) hold data.
func (d *Device) Extents(_ context.Context, off, n int64, limit int) ([]blockdev.Extent, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := d.checkLocked("extents", off, n); err != nil {
		return nil, err
	}
	var list []blockdev.Extent
	end := off + n
	for _, index := range d.chunksLocked(off, end) {
		from := max(off, index*blockdev.BlockSize)
		list = appendExtent(list, off, from, false)
		off = min(end, (index+1)*blockdev.BlockSize)
		list = appendExtent(list, from, off, true)
	}
	list = appendExtent(list, off, end, false)
	if limit >= 1 {
		list = list[:min(len(list), limit)]
	}
	return list, nil
}

// chunksLocked lists the blocks that hold data and touch [off, end), in order.
func (d *Device) chunksLocked(off, end int64) (list []int64) {
	for index := range d.chunks {
		if index*blockdev.BlockSize < end && off < (index+1)*blockdev.BlockSize {
			list = append(list, index)
		}
	}
	slices.Sort(list)
	return list
}

// appendExtent adds [off, end) to the list, to its last extent if that is of the
// same kind. An empty range adds nothing.
func appendExtent(list []blockdev.Extent, off, end int64, data bool) []blockdev.Extent {
	if off >= end {
		return list
	}
	if last := len(list) - 1; last >= 0 && list[last].Data == data {
		list[last].Len += end - off
		return list
	}
	return append(list, blockdev.Extent{Off: off, Len: end - off, Data: data})
}

// checkLocked says why an operation on [off, off+n) cannot be, with the lock
// held.
func (d *Device) checkLocked(op string, off, n int64) error {
	if d.closed {
		return &blockdev.Error{Kind: blockdev.KindClosed, Op: op}
	}
	return blockdev.CheckRange(op, off, n, d.size)
}

// piece is the part of [off, off+n) that lies in off's block: the index of the
// block, where in it the part begins and how long it is.
func piece(off, n int64) (index, at, part int64) {
	at = off % blockdev.BlockSize
	return off / blockdev.BlockSize, at, min(n, blockdev.BlockSize-at)
}
