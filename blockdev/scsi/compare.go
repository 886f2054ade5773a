package scsi

import (
	"context"

	"twinlun/blockdev"
)

// maxCompare is the most blocks that COMPARE AND WRITE takes.
const maxCompare = 8

// compareAndWrite is COMPARE AND WRITE (SBC-4 section 5.3). No other command
// changes the blocks between the comparison and the write. The number of blocks
// must agree with the Data-Out that came: half of it cannot be told apart.
func compareAndWrite(ctx context.Context, u *LogicalUnit, c *Command) (Result, error) {
	lba, blocks := be.Uint64(c.CDB[2:]), uint64(c.CDB[13])
	if err := u.checkLBA(lba, blocks); err != nil {
		return Result{}, err
	}
	if blocks > maxCompare || uint64(len(c.DataOut)) != 2*blocks*blockdev.SectorSize {
		return Result{}, cdbField(13, 0)
	}
	off, n := int64(lba)*blockdev.SectorSize, int(blocks)*blockdev.SectorSize
	r := Result{Transfer: 2 * n}
	if n == 0 {
		return r, nil
	}
	slot, err := u.ranges.acquire(ctx, off, int64(n), true)
	if err != nil {
		return r, err
	}
	defer u.ranges.release(slot)
	if err := u.compare(ctx, c.DataOut[:n], off); err != nil {
		return r, err
	}
	return r, u.storeHeld(ctx, c.DataOut[n:], off, c.CDB[1]&bitFUA != 0)
}
