package scsi

import (
	"context"
	"strings"
)

// reportLUNs is REPORT LUNS (SPC-5 section 6.33) for a target that has no other
// unit than this one, as LUN 0.
func reportLUNs(_ context.Context, _ *LogicalUnit, c *Command) (Result, error) {
	return lunList(c, []uint64{0})
}

// lunList answers REPORT LUNS for a target with these LUNs. There are no well
// known ones.
func lunList(c *Command, luns []uint64) (Result, error) {
	switch c.CDB[2] {
	case 0x00, 0x02:
	case 0x01:
		luns = nil
	default:
		return Result{}, cdbField(2, 0)
	}
	b := make([]byte, 8, 8+8*len(luns))
	be.PutUint32(b, uint32(8*len(luns)))
	for _, n := range luns {
		b = be.AppendUint64(b, EncodeLUN(n))
	}
	return reply(c, b, uint64(be.Uint32(c.CDB[6:]))), nil
}

// EncodeLUN is a logical unit number in the 8 bytes of SAM-5 section 4.7, read as
// one big-endian number: peripheral device addressing up to 255, flat space
// addressing up to 16383. Larger numbers cannot be encoded; only their low 14
// bits are.
func EncodeLUN(n uint64) uint64 {
	if n > 0xFF {
		return 1<<62 | n&0x3FFF<<48
	}
	return n << 48
}

// DecodeLUN is the number that EncodeLUN encodes, and whether field is such a
// number: anything else addresses no unit.
func DecodeLUN(field uint64) (n uint64, ok bool) {
	if field<<16 != 0 {
		return 0, false
	}
	switch n = field >> 48; n >> 14 {
	case 0:
		return n, n <= 0xFF
	case 1:
		return n & 0x3FFF, true
	}
	return 0, false
}

// ExecuteTarget runs a REPORT LUNS for a target with several units, which no
// single unit can answer. ok is false for all other commands.
func ExecuteTarget(c *Command, luns []uint64) (r Result, ok bool) {
	if len(c.CDB) < 12 || c.CDB[0] != 0xA0 {
		return Result{}, false
	}
	r, err := lunList(c, luns)
	if e, isSense := err.(*senseError); isSense {
		return checkCondition(Result{}, e), true
	}
	return r, true
}

// ExecuteAbsent answers a command to a LUN that has no unit (SPC-5 section
// 5.12.1), in a target with these LUNs.
func ExecuteAbsent(c *Command, luns []uint64) Result {
	if r, ok := ExecuteTarget(c, luns); ok {
		return r
	}
	absent := &senseError{condition: unitNotSupported}
	switch {
	case len(c.CDB) < 6:
	case c.CDB[0] == 0x12 && c.CDB[2] != 0:
		return checkCondition(Result{}, &senseError{condition: invalidFieldInCDB})
	case c.CDB[0] == 0x12:
		return reply(c, absentInquiry(c.CDB[1]&0x01 != 0), uint64(be.Uint16(c.CDB[3:])))
	case c.CDB[0] == 0x03:
		return reply(c, fixedSense(absent), uint64(c.CDB[4]))
	}
	return checkCondition(Result{}, absent)
}

// absentInquiry is standard INQUIRY data, or the list of VPD pages, of a LUN
// where no unit can be: peripheral qualifier 3, type 1F (SPC-5 section 6.6.2).
func absentInquiry(vpd bool) []byte {
	if vpd {
		return []byte{0x7F, 0, 0, 1, 0}
	}
	return []byte("\x7f\x00\x06\x02\x1f\x00\x00\x00" + strings.Repeat(" ", 28))
}
