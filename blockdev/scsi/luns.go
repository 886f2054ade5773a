package scsi

import "context"

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
		lun := EncodeLUN(n)
		b = append(b, lun[:]...)
	}
	return reply(c, b, uint64(be.Uint32(c.CDB[6:]))), nil
}

// EncodeLUN is a logical unit number in the 8 bytes of SAM-5 section 4.7:
// peripheral device addressing up to 255, flat space addressing up to 16383.
// Larger numbers cannot be encoded; only their low 14 bits are.
func EncodeLUN(n uint64) (b [8]byte) {
	if n > 0xFF {
		b[0] = 0x40 | byte(n>>8)&0x3F
	}
	b[1] = byte(n)
	return b
}

// DecodeLUN is the number that EncodeLUN encodes, and whether b is such a
// number: anything else addresses no unit.
func DecodeLUN(b [8]byte) (n uint64, ok bool) {
	if b[2]|b[3]|b[4]|b[5]|b[6]|b[7] != 0 {
		return 0, false
	}
	switch b[0] >> 6 {
	case 0:
		return uint64(b[1]), b[0] == 0
	case 1:
		return uint64(b[0]&0x3F)<<8 | uint64(b[1]), true
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
	if len(c.CDB) < 6 {
		return checkCondition(Result{}, absent)
	}
	switch c.CDB[0] {
	case 0x12:
		if c.CDB[1] == 0 && c.CDB[2] == 0 {
			b := make([]byte, 36)
			b[0], b[2], b[3], b[4] = 0x7F, 0x06, 0x02, 31
			return reply(c, b, uint64(be.Uint16(c.CDB[3:])))
		}
	case 0x03:
		return reply(c, fixedSense(absent), uint64(c.CDB[4]))
	}
	return checkCondition(Result{}, absent)
}
