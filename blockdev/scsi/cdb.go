package scsi

import (
	"encoding/binary"

	"twinlun/blockdev"
)

// be reads and writes the numbers of SCSI, all of which are big-endian.
var be = binary.BigEndian

// Bits of byte 1 of the CDBs of SBC-4.
const (
	bitFUA    = 0x08
	bitUnmap  = 0x08
	bitNoData = 0x01 // NDOB of WRITE SAME(16)
)

// blocks is what a CDB of the read and write family asks for.
type blocks struct {
	lba, n uint64 // in logical blocks
	field  int    // where in the CDB n is
	fua    bool
}

// decodeBlocks reads LBA, length and FUA of a CDB of the read and write family
// (SBC-4 section 5), whose format the group code of the opcode tells.
func decodeBlocks(cdb []byte) blocks {
	b := blocks{fua: cdb[1]&bitFUA != 0}
	switch cdb[0] >> 5 {
	case 0: // 6 bytes: 21 bits of LBA; a length of 0 means 256
		b.lba, b.n, b.field = uint64(be.Uint32(cdb)&0x1FFFFF), uint64(cdb[4]), 4
		if b.n == 0 {
			b.n = 256
		}
		b.fua = false
	case 1, 2: // 10 bytes
		b.lba, b.n, b.field = uint64(be.Uint32(cdb[2:])), uint64(be.Uint16(cdb[7:])), 7
	case 5: // 12 bytes
		b.lba, b.n, b.field = uint64(be.Uint32(cdb[2:])), uint64(be.Uint32(cdb[6:])), 6
	default: // 16 bytes
		b.lba, b.n, b.field = be.Uint64(cdb[2:]), uint64(be.Uint32(cdb[10:])), 10
	}
	return b
}

// capacity is the number of logical blocks now.
func (u *LogicalUnit) capacity() uint64 { return uint64(u.dev.Size()) / blockdev.SectorSize }

// checkLBA refuses blocks that are not all on the medium.
func (u *LogicalUnit) checkLBA(lba, n uint64) error {
	if last := u.capacity(); lba >= last || n > last-lba {
		return lbaOutOfRange
	}
	return nil
}

// span is decodeBlocks in bytes, checked against the medium and limited to limit
// bytes, so that the length fits an int.
func (u *LogicalUnit) span(cdb []byte, limit int) (off int64, n int, b blocks, err error) {
	b = decodeBlocks(cdb)
	if err := u.checkLBA(b.lba, b.n); err != nil {
		return 0, 0, b, err
	}
	if b.n > uint64(limit)/blockdev.SectorSize {
		return 0, 0, b, cdbField(b.field, 0)
	}
	return int64(b.lba) * blockdev.SectorSize, int(b.n) * blockdev.SectorSize, b, nil
}

// alloc gives n bytes for Data-In, through the transport where it can.
func (c *Command) alloc(n int) []byte {
	if c.Alloc == nil {
		return make([]byte, n)
	}
	return c.Alloc(n)[:n]
}

// reply returns data cut to the CDB's allocation length.
func reply(c *Command, data []byte, allocation uint64) Result {
	full := int(min(uint64(len(data)), allocation))
	n := min(full, max(c.Expected, 0))
	r := Result{Transfer: full}
	if n > 0 {
		r.DataIn = c.alloc(n)
		copy(r.DataIn, data)
	}
	return r
}
