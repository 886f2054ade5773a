// Package pdu is the codec of iSCSI protocol data units (RFC 7143 section 11):
// headers, text keys, digests and framing. It does no I/O of its own beyond the
// io.Reader and io.Writer it is given, and allocates nothing that a peer can
// make larger than the limits it is given.
package pdu

import "encoding/binary"

// HeaderLen is the length of a Basic Header Segment in bytes.
const HeaderLen = 48

// NoTag is the reserved initiator or target task tag.
const NoTag = 0xffffffff

// Opcode tells PDUs apart (RFC 7143 section 11.2.1.2).
type Opcode byte

// Opcodes that an initiator sends.
const (
	OpNopOut     Opcode = 0x00
	OpCommand    Opcode = 0x01
	OpTaskReq    Opcode = 0x02
	OpLoginReq   Opcode = 0x03
	OpTextReq    Opcode = 0x04
	OpDataOut    Opcode = 0x05
	OpLogoutReq  Opcode = 0x06
	OpSNACK      Opcode = 0x10
	OpNopIn      Opcode = 0x20
	OpResponse   Opcode = 0x21
	OpTaskResp   Opcode = 0x22
	OpLoginResp  Opcode = 0x23
	OpTextResp   Opcode = 0x24
	OpDataIn     Opcode = 0x25
	OpLogoutResp Opcode = 0x26
	OpR2T        Opcode = 0x31
	OpAsync      Opcode = 0x32
	OpReject     Opcode = 0x3f
)

const (
	opcodeMask    = 0x3f
	flagImmediate = 0x40 // byte 0
	flagFinal     = 0x80 // byte 1: F, T of login
	flagContinue  = 0x40 // byte 1: C of text and login
	maxDataLen    = 1<<24 - 1
)

// Header is a Basic Header Segment as it is on the wire. The typed structures of
// this package decode it and encode into it.
type Header [HeaderLen]byte

// Opcode is the PDU's type.
func (h *Header) Opcode() Opcode { return Opcode(h[0] & opcodeMask) }

// Immediate says whether the PDU is marked for immediate delivery.
func (h *Header) Immediate() bool { return h[0]&flagImmediate != 0 }

// Final is the F bit (T in login PDUs).
func (h *Header) Final() bool { return h[1]&flagFinal != 0 }

// AHSLen is the length of the additional header segments in bytes, at most 1020.
func (h *Header) AHSLen() int { return int(h[4]) * 4 }

// DataLen is the length of the data segment in bytes, without padding.
func (h *Header) DataLen() int { return int(h[5])<<16 | int(h[6])<<8 | int(h[7]) }

// ITT is the initiator task tag.
func (h *Header) ITT() uint32 { return h.u32(16) }

// CmdSN is the command sequence number of a request; of Data-Out it is nothing.
func (h *Header) CmdSN() uint32 { return h.u32(24) }

func (h *Header) setLengths(ahs, data int) {
	h[4] = byte(ahs / 4)
	h[5], h[6], h[7] = byte(data>>16), byte(data>>8), byte(data)
}

func (h *Header) u16(i int) uint16       { return binary.BigEndian.Uint16(h[i:]) }
func (h *Header) u32(i int) uint32       { return binary.BigEndian.Uint32(h[i:]) }
func (h *Header) u64(i int) uint64       { return binary.BigEndian.Uint64(h[i:]) }
func (h *Header) put16(i int, v uint16)  { binary.BigEndian.PutUint16(h[i:], v) }
func (h *Header) put32(i int, v uint32)  { binary.BigEndian.PutUint32(h[i:], v) }
func (h *Header) put64(i int, v uint64)  { binary.BigEndian.PutUint64(h[i:], v) }
func (h *Header) has(i int, b byte) bool { return h[i]&b != 0 }

// begin clears h and sets what all PDUs have.
func (h *Header) begin(op Opcode, immediate, final bool) {
	*h = Header{byte(op)}
	h[0] |= bit(immediate, flagImmediate)
	h[1] = bit(final, flagFinal)
}

func bit(on bool, b byte) byte {
	if on {
		return b
	}
	return 0
}

// Sequence holds the numbers that every target PDU carries to the initiator.
type Sequence struct {
	StatSN, ExpCmdSN, MaxCmdSN uint32
}

func (s *Sequence) decode(h *Header) {
	s.StatSN, s.ExpCmdSN, s.MaxCmdSN = h.u32(24), h.u32(28), h.u32(32)
}

func (s *Sequence) encode(h *Header) {
	h.put32(24, s.StatSN)
	h.put32(28, s.ExpCmdSN)
	h.put32(32, s.MaxCmdSN)
}

// Before compares sequence numbers by serial number arithmetic (RFC 1982).
func Before(a, b uint32) bool { return int32(a-b) < 0 }
