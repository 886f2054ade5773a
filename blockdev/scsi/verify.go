package scsi

import (
	"bytes"
	"context"

	"twinlun/blockdev"
)

// scratchSize is the length of the buffers that commands compare and fill with.
const scratchSize = 128 << 10

// The values of the BYTCHK field.
const (
	checkMedium   = 0 // no comparison
	checkAll      = 1 // with as much Data-Out
	checkOneBlock = 3 // each block with one block of Data-Out
)

// bytchkMask covers BYTCHK in byte 1.
const bytchkMask = 0x06

// verify is VERIFY(10), (12) and (16) (SBC-4 section 5.39).
func verify(ctx context.Context, u *LogicalUnit, c *Command) (Result, error) {
	off, n, _, err := u.span(c.CDB, MaxTransfer)
	if err != nil {
		return Result{}, err
	}
	switch c.CDB[1] & bytchkMask >> 1 {
	case checkMedium:
		return Result{}, u.readable(ctx, off, n)
	case checkAll:
		if len(c.DataOut) < n {
			return Result{Transfer: n}, invalidFieldInUnit
		}
		return Result{Transfer: n}, u.compare(ctx, c.DataOut[:n], off)
	case checkOneBlock:
		r := Result{Transfer: min(n, blockdev.SectorSize)}
		if len(c.DataOut) < r.Transfer {
			return r, invalidFieldInUnit
		}
		return r, u.compareEach(ctx, c.DataOut[:r.Transfer], off, n)
	}
	return Result{}, cdbField(1, bytchkMask)
}

// writeAndVerify is WRITE AND VERIFY(10), (12) and (16) (SBC-4 section 5.48): the
// data is durable before it is read back.
func writeAndVerify(ctx context.Context, u *LogicalUnit, c *Command) (Result, error) {
	off, n, _, err := u.span(c.CDB, MaxTransfer)
	if err != nil {
		return Result{}, err
	}
	check := c.CDB[1] & bytchkMask >> 1
	if check > checkAll {
		return Result{}, cdbField(1, bytchkMask)
	}
	r, data := Result{Transfer: n}, wholeBlocks(c.DataOut, n)
	if len(data) == 0 {
		return r, nil
	}
	slot, err := u.ranges.acquire(ctx, off, int64(len(data)), true)
	if err != nil {
		return r, err
	}
	defer u.ranges.release(slot)
	if err := u.storeHeld(ctx, data, off, true); err != nil {
		return r, err
	}
	if check == checkMedium {
		return r, u.readable(ctx, off, len(data))
	}
	return r, u.compare(ctx, data, off)
}

// readable fails if any of [off, off+n) cannot be read.
func (u *LogicalUnit) readable(ctx context.Context, off int64, n int) error {
	return u.eachPart(ctx, off, n, func([]byte, int) error { return nil })
}

// compare fails with MISCOMPARE, and where, if the medium at off differs from
// want.
func (u *LogicalUnit) compare(ctx context.Context, want []byte, off int64) error {
	return u.eachPart(ctx, off, len(want), func(got []byte, at int) error {
		return mismatch(got, want[at:at+len(got)], at)
	})
}

// compareEach is compare for n bytes of the medium that are all to hold block.
func (u *LogicalUnit) compareEach(ctx context.Context, block []byte, off int64, n int) error {
	return u.eachPart(ctx, off, n, func(got []byte, at int) error {
		for ; len(got) > 0; got = got[len(block):] {
			if err := mismatch(got[:len(block)], block, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachPart reads [off, off+n) in parts and gives each to f with its place in the
// range.
func (u *LogicalUnit) eachPart(ctx context.Context, off int64, n int, f func(part []byte, at int) error) error {
	buf := u.scratch.Get().(*[scratchSize]byte)
	defer u.scratch.Put(buf)
	for at := 0; at < n; at += scratchSize {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := buf[:min(n-at, scratchSize)]
		if err := u.dev.ReadAt(ctx, part, off+int64(at)); err != nil {
			return err
		}
		if err := f(part, at); err != nil {
			return err
		}
	}
	return nil
}

// mismatch compares got and want, which are equally long. The MISCOMPARE that it
// returns has the offset of the first difference, counted from base, as its
// information.
func mismatch(got, want []byte, base int) error {
	if bytes.Equal(got, want) {
		return nil
	}
	at := 0
	for got[at] == want[at] {
		at++
	}
	return &senseError{condition: miscompare, info: uint32(base + at), hasInfo: true}
}
