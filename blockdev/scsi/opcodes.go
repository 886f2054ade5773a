package scsi

import "context"

// Values of the REPORTING OPTIONS field.
const (
	reportAll       = 0
	reportOpcode    = 1 // an opcode without service actions
	reportAction    = 2 // an opcode with service actions
	reportEither    = 3 // whichever it is
	bitTimeouts     = 0x80
	supportUnknown  = 0x01
	supportStandard = 0x03
)

// noTimeouts is a command timeouts descriptor that names none (SPC-5 section
// 6.35.4).
const noTimeouts = "\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// reportOpcodes is REPORT SUPPORTED OPERATION CODES (SPC-5 section 6.35).
func reportOpcodes(_ context.Context, u *LogicalUnit, c *Command) (Result, error) {
	timeouts := c.CDB[2]&bitTimeouts != 0
	data := u.table.all(timeouts)
	if option := c.CDB[2] &^ bitTimeouts; option != reportAll {
		r, err := u.table.requested(option, c.CDB[3], be.Uint16(c.CDB[4:]))
		if err != nil {
			return Result{}, err
		}
		data = oneCommand(r, timeouts)
	}
	return reply(c, data, uint64(be.Uint32(c.CDB[6:]))), nil
}

// all is the parameter data that lists every command.
func (t *table) all(timeouts bool) []byte {
	b := make([]byte, 4)
	for i := range t.rows {
		r := &t.rows[i]
		bits, action := byte(0), byte(0)
		if r.is(actions) {
			bits, action = 0x01, r.action()
		}
		if timeouts {
			bits |= 0x02
		}
		b = append(b, r.opcode(), 0, 0, action, 0, bits, 0, byte(len(r.usage)))
		if timeouts {
			b = append(b, noTimeouts...)
		}
	}
	be.PutUint32(b, uint32(len(b)-4))
	return b
}

// requested finds the command that an initiator asks for; nil if there is none.
func (t *table) requested(option, opcode byte, action uint16) (*row, error) {
	r := t.first[opcode]
	hasActions := r != nil && r.is(actions)
	switch option {
	case reportOpcode:
		if hasActions {
			return nil, cdbField(2, 0x07)
		}
		return r, nil
	case reportAction:
		if r != nil && !hasActions {
			return nil, cdbField(2, 0x07)
		}
	case reportEither:
		if r != nil && !hasActions && action == 0 {
			return r, nil
		}
	default:
		return nil, cdbField(2, 0x07)
	}
	if !hasActions || action > actionMask {
		return nil, nil
	}
	return t.more[int(opcode)<<8|int(action)], nil
}

// oneCommand is the parameter data for one command, or for one that is not
// supported.
func oneCommand(r *row, timeouts bool) []byte {
	if r == nil {
		return []byte{0, supportUnknown, 0, 0}
	}
	b := append([]byte{0, supportStandard, 0, byte(len(r.usage))}, r.usage...)
	if timeouts {
		b[1] |= 0x80
		b = append(b, noTimeouts...)
	}
	return b
}
