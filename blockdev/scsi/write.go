package scsi

import (
	"context"

	"twinlun/blockdev"
)

// write is WRITE(6), (10), (12) and (16) (SBC-4 section 5.45).
func write(ctx context.Context, u *LogicalUnit, c *Command) (Result, error) {
	off, n, b, err := u.span(c.CDB, MaxTransfer)
	if err != nil {
		return Result{}, err
	}
	return Result{Transfer: n}, u.store(ctx, wholeBlocks(c.DataOut, n), off, b.fua)
}

// wholeBlocks is what there is of the n bytes that a CDB announced. Where the
// initiator sent less, which is an overflow for the transport to report, only
// the blocks that it sent are written.
func wholeBlocks(data []byte, n int) []byte {
	n = min(n, len(data))
	return data[:n-n%blockdev.SectorSize]
}

// store writes data, durably with fua, apart from commands that must not be
// disturbed.
func (u *LogicalUnit) store(ctx context.Context, data []byte, off int64, fua bool) error {
	if len(data) == 0 {
		return nil
	}
	slot, err := u.ranges.acquire(ctx, off, int64(len(data)), false)
	if err != nil {
		return err
	}
	defer u.ranges.release(slot)
	return u.storeHeld(ctx, data, off, fua)
}

// storeHeld is store for those who hold the range.
func (u *LogicalUnit) storeHeld(ctx context.Context, data []byte, off int64, fua bool) error {
	if fua {
		return blockdev.WriteFUA(ctx, u.dev, data, off)
	}
	return u.dev.WriteAt(ctx, data, off)
}

// synchronizeCache is SYNCHRONIZE CACHE(10) and (16) (SBC-4 sections 5.36,
// 5.37). All of the device is flushed whatever the range, and before the answer
// also with IMMED.
func synchronizeCache(ctx context.Context, u *LogicalUnit, c *Command) (Result, error) {
	b := decodeBlocks(c.CDB)
	if err := u.checkLBA(b.lba, b.n); err != nil {
		return Result{}, err
	}
	return Result{}, u.dev.Flush(ctx)
}

// Bits of byte 4 of START STOP UNIT.
const (
	bitStart   = 0x01
	bitNoFlush = 0x04
)

// startStopUnit is START STOP UNIT (SBC-4 section 5.31). The unit is always
// ready; a stop makes durable what was written, for a host that shuts down.
func startStopUnit(ctx context.Context, u *LogicalUnit, c *Command) (Result, error) {
	if c.CDB[4]&(bitStart|bitNoFlush) != 0 {
		return Result{}, nil
	}
	return Result{}, u.dev.Flush(ctx)
}

// preventAllow is PREVENT ALLOW MEDIUM REMOVAL (SPC-5 section 6.15). The medium
// cannot be removed anyway.
func preventAllow(context.Context, *LogicalUnit, *Command) (Result, error) {
	return Result{}, nil
}
