package scsi

import (
	"context"

	"twinlun/blockdev"
)

// readCapacity10 is READ CAPACITY(10) (SBC-4 section 5.19). A medium that is too
// large for it shows as 0xFFFFFFFF.
func readCapacity10(_ context.Context, u *LogicalUnit, c *Command) (Result, error) {
	var b [8]byte
	be.PutUint32(b[:], uint32(min(u.capacity()-1, 1<<32-1)))
	be.PutUint32(b[4:], blockdev.SectorSize)
	return reply(c, b[:], uint64(len(b))), nil
}

// readCapacity16 is READ CAPACITY(16) (SBC-4 section 5.20).
func readCapacity16(_ context.Context, u *LogicalUnit, c *Command) (Result, error) {
	var b [32]byte
	be.PutUint64(b[:], u.capacity()-1)
	be.PutUint32(b[8:], blockdev.SectorSize)
	b[13] = physicalExponent
	b[14] = 0xC0 // LBPME, LBPRZ
	return reply(c, b[:], uint64(be.Uint32(c.CDB[10:]))), nil
}

// requestSense is REQUEST SENSE (SPC-5 section 6.39): a unit attention that is
// due, or no sense.
func requestSense(_ context.Context, u *LogicalUnit, c *Command) (Result, error) {
	cond := noSense
	if n := u.nexuses.get(c.Nexus); n != nil {
		if err, ok := n.take(u.dev.Size(), u.contentRevision()).(condition); ok {
			cond = err
		}
	}
	return reply(c, fixedSense(&senseError{condition: cond}), uint64(c.CDB[4])), nil
}

// reserve is RESERVE(6) of SPC-2 section 7.21, without extents and third parties.
func reserve(_ context.Context, u *LogicalUnit, c *Command) (Result, error) {
	if !u.nexuses.reserve(c.Nexus) {
		return Result{}, errReserved
	}
	return Result{}, nil
}

// release is RELEASE(6) of SPC-2 section 7.18. Who holds no reservation is not
// told so.
func release(_ context.Context, u *LogicalUnit, c *Command) (Result, error) {
	u.nexuses.release(c.Nexus)
	return Result{}, nil
}

// errReserved ends a command that a reservation of another nexus forbids.
const errReserved = statusError(StatusReservationConflict)
