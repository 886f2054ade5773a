package pool_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

const sector = blockdev.SectorSize

// cell is what the model knows of one sector: the values that may be read now, and
// those that may be there after a power cut. A value is the number of the write
// that made it; 0 is zeros.
type cell struct{ now, maybe []uint64 }

// volume is the model of a volume: the sectors that were ever written.
type volume struct {
	id     pool.VolumeID
	size   int64
	cells  map[int64]*cell
	failed bool // a flush failed: nothing may be acknowledged any more
	// base is what a snapshot was when it was made; nil: it is none. After a Hydrate
	// that did not end well, it may be none, too.
	base     *volume
	hydrated bool
}

func newVolume(id pool.VolumeID, size int64) *volume {
	return &volume{id: id, size: size, cells: map[int64]*cell{}}
}

func (v *volume) cell(s int64) *cell {
	c := v.cells[s]
	if c == nil {
		c = &cell{now: []uint64{0}, maybe: []uint64{0}}
		v.cells[s] = c
	}
	return c
}

// know has v look at all sectors that other knows: else what is other's content could be
// taken for v's.
func (v *volume) know(other *volume) {
	for s := range other.cells {
		if s < v.size/sector {
			v.cell(s)
		}
	}
}

// write is a write of value val; ok says whether it was acknowledged.
func (v *volume) write(off, n int64, val uint64, ok bool) {
	for s := off / sector; s < (off+n)/sector; s++ {
		c := v.cell(s)
		c.maybe = add(c.maybe, val)
		if ok {
			c.now = []uint64{val}
		} else {
			c.now = add(c.now, val)
		}
	}
}

// flushed is a flush of a range that succeeded.
func (v *volume) flushed(off, n int64) {
	for s, c := range v.cells {
		if s >= off/sector && s < (off+n)/sector {
			c.maybe = slices.Clone(c.now)
		}
	}
}

// copyOf is the content that a snapshot of v has.
func (v *volume) copyOf(id pool.VolumeID, size int64) *volume {
	out := newVolume(id, size)
	for s, c := range v.cells {
		out.cells[s] = &cell{now: slices.Clone(c.now), maybe: slices.Clone(c.now)}
	}
	return out
}

// snapshotOf is a copyOf that can be reset.
func (v *volume) snapshotOf(id pool.VolumeID, size int64) *volume {
	out := v.copyOf(id, size)
	out.base = v.copyOf(id, size)
	return out
}

// reset is v as it was when it was made.
func (v *volume) reset() *volume {
	out := v.base.snapshotOf(v.id, v.size)
	out.hydrated = v.hydrated
	for s := range v.cells {
		out.cell(s)
	}
	return out
}

func add(set []uint64, val uint64) []uint64 {
	if slices.Contains(set, val) {
		return set
	}
	return append(slices.Clone(set), val)
}

// stamp fills whole sectors with the value.
func stamp(p []byte, val uint64) {
	if val == 0 {
		clear(p)
		return
	}
	for ; len(p) > 0; p = p[sector:] {
		for i := 0; i < sector; i += 8 {
			binary.LittleEndian.PutUint64(p[i:], val)
		}
	}
}

// check reads every sector of d that the model knows. After a power cut crashed is
// set: then each may be what maybe says, and is that from now on.
func (v *volume) check(d blockdev.Device, crashed bool) error {
	if d.Size() != v.size {
		return fmt.Errorf("volume %s has %d bytes, want %d", v.id, d.Size(), v.size)
	}
	got, want := make([]byte, sector), make([]byte, sector)
	for _, s := range slices.Sorted(maps.Keys(v.cells)) {
		c := v.cells[s]
		if err := d.ReadAt(context.Background(), got, s*sector); err != nil {
			return err
		}
		may := c.now
		if crashed {
			may = c.maybe
		}
		val := binary.LittleEndian.Uint64(got)
		stamp(want, val)
		if !bytes.Equal(got, want) || !slices.Contains(may, val) {
			return fmt.Errorf("volume %s sector %d has %d, may have %v (crashed: %v)", v.id, s, val, may, crashed)
		}
		if crashed {
			c.now, c.maybe = []uint64{val}, []uint64{val}
		}
	}
	return nil
}

// spots are where the test writes: places where something begins or ends.
func spots(size int64) []int64 {
	const leaf = 2016 * blockdev.BlockSize
	out := []int64{0, 3 * blockdev.BlockSize}
	for _, at := range []int64{leaf, 4 << 20, size} {
		if at <= size {
			out = append(out, at-5*sector, at-6*blockdev.BlockSize)
		}
	}
	return out
}

// place is a random range of whole sectors near a spot.
func place(r *rand.Rand, size int64) (off, n int64) {
	all := spots(size)
	off = all[r.IntN(len(all))] + int64(r.IntN(24)-4)*sector
	if r.IntN(3) == 0 {
		off = off / blockdev.BlockSize * blockdev.BlockSize
	}
	off = min(max(off, 0), size-sector)
	n = int64(1+r.IntN(40)) * sector
	if r.IntN(3) == 0 {
		n = (n + blockdev.BlockSize - 1) / blockdev.BlockSize * blockdev.BlockSize
	}
	return off, min(n, size-off)
}
