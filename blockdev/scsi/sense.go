package scsi

import (
	"context"
	"fmt"

	"twinlun/blockdev"
)

// condition is a sense key, additional sense code and qualifier in one number,
// 0xKKAAQQ (SPC-5 section 4.5). It is the error of a command that ends with
// CHECK CONDITION.
type condition uint32

// The conditions that the device server reports.
const (
	noSense                 condition = 0x000000
	notReadyNoMedium        condition = 0x023A00
	mediumWriteError        condition = 0x030C00
	mediumReadError         condition = 0x031100
	internalTargetFailure   condition = 0x044400
	parameterListLength     condition = 0x051A00
	invalidOpcode           condition = 0x052000
	lbaOutOfRange           condition = 0x052100
	invalidFieldInCDB       condition = 0x052400
	unitNotSupported        condition = 0x052500
	invalidFieldInParameter condition = 0x052600
	invalidFieldInUnit      condition = 0x050E03 // INVALID FIELD IN COMMAND INFORMATION UNIT
	savingNotSupported      condition = 0x053900
	mediumMayHaveChanged    condition = 0x062800
	powerOn                 condition = 0x062900
	resetOccurred           condition = 0x062903
	capacityChanged         condition = 0x062A09
	writeProtected          condition = 0x072700
	spaceAllocationFailed   condition = 0x072707
	miscompare              condition = 0x0E1D00
)

// Error shows the condition as key/ASC/ASCQ.
func (c condition) Error() string {
	return fmt.Sprintf("sense %02X/%02X/%02X", byte(c>>16), byte(c>>8), byte(c))
}

// senseError is a condition that says where it arose.
type senseError struct {
	condition
	info    uint32 // INFORMATION field
	hasInfo bool
	field   fieldPointer
}

// fieldPointer is the sense-key specific data of SPC-5 section 4.5.2.4.2.
type fieldPointer [3]byte

// cdbField points at the highest bit of mask in byte index of the CDB.
func cdbField(index int, mask byte) error {
	return &senseError{condition: invalidFieldInCDB, field: pointer(0x40, index, mask)}
}

// parameterField points at the highest bit of mask in byte index of the
// parameter list.
func parameterField(index int, mask byte) error {
	return &senseError{condition: invalidFieldInParameter, field: pointer(0, index, mask)}
}

// pointer makes a valid field pointer; where is 0x40 for the CDB and 0 for the
// parameter list. A mask of 0xFF or 0 means the whole byte.
func pointer(where byte, index int, mask byte) fieldPointer {
	p := fieldPointer{0x80 | where, byte(index >> 8), byte(index)}
	if mask != 0 && mask != 0xFF {
		p[0] |= 0x08 | highestBit(mask)
	}
	return p
}

// highestBit is the number of the highest bit that is set in b, which is not 0.
func highestBit(b byte) byte {
	n := byte(0)
	for b >>= 1; b != 0; b >>= 1 {
		n++
	}
	return n
}

// senseLength is the length of all sense data that the unit returns.
const senseLength = 18

// fixedSense is fixed-format sense data for a current error (SPC-5 section
// 4.5.3).
func fixedSense(e *senseError) []byte {
	b := make([]byte, senseLength)
	b[0] = 0x70
	if e.hasInfo {
		b[0] |= 0x80
		be.PutUint32(b[3:], e.info)
	}
	b[2] = byte(e.condition >> 16)
	b[7] = senseLength - 8
	b[12], b[13] = byte(e.condition>>8), byte(e.condition)
	copy(b[15:], e.field[:])
	return b
}

// statusError ends a command with a status other than CHECK CONDITION.
type statusError Status

// Error shows the status.
func (s statusError) Error() string { return fmt.Sprintf("SCSI status 0x%02X", byte(s)) }

// fail completes the result of a command that failed with err. What Alloc gave
// goes back to the transport as an empty DataIn.
func (u *LogicalUnit) fail(ctx context.Context, row *row, c *Command, r Result, err error) Result {
	r.DataIn = r.DataIn[:0]
	switch e := err.(type) {
	case statusError:
		r.Status = Status(e)
		return r
	case condition:
		return checkCondition(r, &senseError{condition: e})
	case *senseError:
		return checkCondition(r, e)
	}
	if ctx.Err() != nil {
		r.Status = StatusTaskAborted
		return r
	}
	return u.deviceFailed(row, c, r, err)
}

// deviceFailed is the translation of failures of the device below. What it does
// not know is an internal failure, whose detail only the log has.
func (u *LogicalUnit) deviceFailed(row *row, c *Command, r Result, err error) Result {
	cond := internalTargetFailure
	switch blockdev.KindOf(err) {
	case blockdev.KindBusy:
		r.Status = StatusBusy
		return r
	case blockdev.KindNoSpace:
		cond = spaceAllocationFailed
	case blockdev.KindReadOnly:
		cond = writeProtected
	case blockdev.KindOutOfRange:
		cond = lbaOutOfRange
	case blockdev.KindClosed:
		cond = notReadyNoMedium
	case blockdev.KindIO:
		cond = mediumReadError
		if row.is(writes | flushes) {
			cond = mediumWriteError
		}
	}
	if cond == internalTargetFailure || byte(cond>>16) == 0x03 {
		u.log.Error("SCSI command failed", "unit", u.serial, "command", row.name,
			"cdb", fmt.Sprintf("% X", c.CDB), "initiator", c.Nexus.Initiator, "err", err)
	}
	return checkCondition(r, &senseError{condition: cond})
}

// checkCondition puts the sense data of e into r.
func checkCondition(r Result, e *senseError) Result {
	r.Status, r.Sense = StatusCheckCondition, fixedSense(e)
	return r
}
