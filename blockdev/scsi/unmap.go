package scsi

import (
	"bytes"
	"context"

	"twinlun/blockdev"
)

// What VPD page 0xB0 says of UNMAP and WRITE SAME; more is refused.
const (
	maxUnmapBlocks      = 1 << 20 // in all descriptors of a command
	maxUnmapDescriptors = 256
	maxSameBytes        = 16 << 20
)

// unmap is UNMAP (SBC-4 section 5.38). Nothing is unmapped unless all
// descriptors are right; unmapped blocks read as zeros.
func unmap(ctx context.Context, u *LogicalUnit, c *Command) (Result, error) {
	length := int(be.Uint16(c.CDB[7:]))
	r := Result{Transfer: length}
	if length == 0 {
		return r, nil
	}
	list := c.DataOut[:min(length, len(c.DataOut))]
	if len(list) < 8 {
		return r, parameterListLength
	}
	descriptors, err := u.unmapDescriptors(list)
	if err != nil {
		return r, err
	}
	for _, d := range descriptors {
		if err := u.zero(ctx, int64(d.lba)*blockdev.SectorSize, int64(d.n)*blockdev.SectorSize); err != nil {
			return r, err
		}
	}
	return r, nil
}

// unmapDescriptors decodes and checks an UNMAP parameter list of at least 8
// bytes. A descriptor that is cut off is ignored.
func (u *LogicalUnit) unmapDescriptors(list []byte) ([]lbaRange, error) {
	length := int(be.Uint16(list[2:]))
	if length > len(list)-8 {
		return nil, parameterListLength
	}
	if length/16 > maxUnmapDescriptors {
		return nil, parameterField(2, 0)
	}
	descriptors := make([]lbaRange, 0, length/16)
	total := uint64(0)
	for at := 8; at+16 <= 8+length; at += 16 {
		d := lbaRange{lba: be.Uint64(list[at:]), n: be.Uint32(list[at+8:])}
		if d.n == 0 {
			continue
		}
		if err := u.checkLBA(d.lba, uint64(d.n)); err != nil {
			return nil, err
		}
		if total += uint64(d.n); total > maxUnmapBlocks {
			return nil, parameterField(at+8, 0)
		}
		descriptors = append(descriptors, d)
	}
	return descriptors, nil
}

// zero makes [off, off+n) read as zeros, n > 0, and gives the space back.
func (u *LogicalUnit) zero(ctx context.Context, off, n int64) error {
	slot, err := u.ranges.acquire(ctx, off, n, false)
	if err != nil {
		return err
	}
	defer u.ranges.release(slot)
	return blockdev.Zero(ctx, u.dev, off, n)
}

// writeSame is WRITE SAME(10) and (16) (SBC-4 sections 5.50, 5.51). Zeros take no
// space, with the UNMAP bit and without.
func writeSame(ctx context.Context, u *LogicalUnit, c *Command) (Result, error) {
	off, n, b, err := u.span(c.CDB, maxSameBytes)
	if err != nil {
		return Result{}, err
	}
	if n == 0 { // WSNZ in VPD page 0xB0
		return Result{}, cdbField(b.field, 0)
	}
	if c.CDB[1]&bitNoData != 0 {
		return Result{}, u.zero(ctx, off, int64(n))
	}
	r := Result{Transfer: blockdev.SectorSize}
	if len(c.DataOut) != blockdev.SectorSize {
		return r, invalidFieldInUnit
	}
	if isZero(c.DataOut) {
		return r, u.zero(ctx, off, int64(n))
	}
	return r, u.fill(ctx, c.DataOut, off, n)
}

// isZero says whether b holds zeros only.
func isZero(b []byte) bool {
	return b[0] == 0 && bytes.Equal(b[:len(b)-1], b[1:])
}

// fill repeats block over [off, off+n).
func (u *LogicalUnit) fill(ctx context.Context, block []byte, off int64, n int) error {
	slot, err := u.ranges.acquire(ctx, off, int64(n), false)
	if err != nil {
		return err
	}
	defer u.ranges.release(slot)
	buf := u.scratch.Get().(*[scratchSize]byte)
	defer u.scratch.Put(buf)
	for at := 0; at < min(n, scratchSize); at += len(block) {
		copy(buf[at:], block)
	}
	for at := 0; at < n; at += scratchSize {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := u.dev.WriteAt(ctx, buf[:min(n-at, scratchSize)], off+int64(at)); err != nil {
			return err
		}
	}
	return nil
}
