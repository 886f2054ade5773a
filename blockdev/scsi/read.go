package scsi

import (
	"context"

	"twinlun/blockdev"
)

// read is READ(6), (10), (12) and (16) (SBC-4 section 5.14).
func read(ctx context.Context, u *LogicalUnit, c *Command) (Result, error) {
	off, n, b, err := u.span(c.CDB, MaxTransfer)
	if err != nil {
		return Result{}, err
	}
	if b.fua && !u.readOnly {
		if err := u.dev.Flush(ctx); err != nil {
			return Result{}, err
		}
	}
	part := min(n, max(c.Expected, 0))
	if part == 0 {
		return Result{Transfer: n}, nil
	}
	data := c.alloc(part)
	if err := u.dev.ReadAt(ctx, data, off); err != nil {
		return Result{DataIn: data}, err
	}
	return Result{DataIn: data, Transfer: n}, nil
}

// testUnitReady is TEST UNIT READY (SPC-5 section 6.47): whoever gets here is
// told of no unit attention, and the unit is ready.
func testUnitReady(context.Context, *LogicalUnit, *Command) (Result, error) {
	return Result{}, nil
}

// lbaStatusLimit bounds the descriptors of one GET LBA STATUS.
const lbaStatusLimit = 1024

// getLBAStatus is GET LBA STATUS(16) (SBC-4 section 5.9).
func getLBAStatus(ctx context.Context, u *LogicalUnit, c *Command) (Result, error) {
	lba, allocation := be.Uint64(c.CDB[2:]), uint64(be.Uint32(c.CDB[10:]))
	if err := u.checkLBA(lba, 1); err != nil {
		return Result{}, err
	}
	limit := 1
	if allocation >= 8 {
		limit = int(min(max(allocation-8, 16)/16, lbaStatusLimit))
	}
	list, err := u.lbaStatus(ctx, lba, limit)
	if err != nil {
		return Result{}, err
	}
	data := make([]byte, 8, 8+16*len(list))
	be.PutUint32(data, uint32(4+16*len(list)))
	for _, s := range list {
		data = be.AppendUint64(data, s.lba)
		data = be.AppendUint32(data, s.n)
		data = append(data, s.provisioning, 0, 0, 0)
	}
	return reply(c, data, allocation), nil
}

// The provisioning status of blocks.
const (
	statusMapped      = 0
	statusDeallocated = 1
)

// lbaRange is one LBA status descriptor.
type lbaRange struct {
	lba          uint64
	n            uint32
	provisioning byte
}

// lbaStatus lists at most limit ranges from lba on, at least one. A device that
// knows no extents is mapped as a whole.
func (u *LogicalUnit) lbaStatus(ctx context.Context, lba uint64, limit int) ([]lbaRange, error) {
	off, size := int64(lba)*blockdev.SectorSize, u.dev.Size()
	extents := []blockdev.Extent{{Off: off, Len: size - off, Data: true}}
	if e, ok := u.dev.(blockdev.Extenter); ok {
		var err error
		if extents, err = e.Extents(ctx, off, size-off, limit); err != nil {
			return nil, err
		}
	}
	var list []lbaRange
	for _, e := range extents {
		list = appendStatus(list, &lba, e)
	}
	return list[:min(len(list), limit)], nil
}

// appendStatus adds the blocks of e from *next on and moves *next past them. A
// block that holds any data is mapped; one extent may need several ranges.
func appendStatus(list []lbaRange, next *uint64, e blockdev.Extent) []lbaRange {
	end, status := uint64(e.Off+e.Len)/blockdev.SectorSize, byte(statusDeallocated)
	if e.Data {
		end, status = (uint64(e.Off+e.Len)+blockdev.SectorSize-1)/blockdev.SectorSize, statusMapped
	}
	for *next < end {
		n := uint32(min(end-*next, 1<<32-1))
		list = append(list, lbaRange{*next, n, status})
		*next += uint64(n)
	}
	return list
}
