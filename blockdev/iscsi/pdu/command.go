package pdu

// Attribute is a task attribute (RFC 7143 section 11.3.1.1).
type Attribute byte

// The task attributes.
const (
	Untagged    Attribute = 0
	Simple      Attribute = 1
	Ordered     Attribute = 2
	HeadOfQueue Attribute = 3
	ACA         Attribute = 4
)

const (
	flagRead  = 0x40 // byte 1 of a command
	flagWrite = 0x20
	attrMask  = 0x07

	flagOverflow  = 0x04 // byte 1 of a response and of Data-In
	flagUnderflow = 0x02
	flagStatus    = 0x01 // S of Data-In
)

// Command is the SCSI Command PDU (RFC 7143 section 11.3).
type Command struct {
	Immediate, Final, Read, Write bool
	Attr                          Attribute
	LUN                           uint64
	ITT                           uint32
	Expected                      uint32 // Expected Data Transfer Length, bytes
	CmdSN, ExpStatSN              uint32
	CDB                           [16]byte
}

// Decode takes the fields from h.
func (p *Command) Decode(h *Header) {
	p.Immediate, p.Final = h.Immediate(), h.Final()
	p.Read, p.Write, p.Attr = h.has(1, flagRead), h.has(1, flagWrite), Attribute(h[1]&attrMask)
	p.LUN, p.ITT, p.Expected = h.u64(8), h.ITT(), h.u32(20)
	p.CmdSN, p.ExpStatSN = h.u32(24), h.u32(28)
	copy(p.CDB[:], h[32:48])
}

// Encode makes h this PDU; lengths are left 0.
func (p *Command) Encode(h *Header) {
	h.begin(OpCommand, p.Immediate, p.Final)
	h[1] |= bit(p.Read, flagRead) | bit(p.Write, flagWrite) | byte(p.Attr)&attrMask
	h.put64(8, p.LUN)
	h.put32(16, p.ITT)
	h.put32(20, p.Expected)
	h.put32(24, p.CmdSN)
	h.put32(28, p.ExpStatSN)
	copy(h[32:48], p.CDB[:])
}

// Residual says how the expected length differs from what the command needed.
type Residual struct {
	Overflow, Underflow bool
	Count               uint32
}

func (r *Residual) decode(h *Header) {
	r.Overflow, r.Underflow, r.Count = h.has(1, flagOverflow), h.has(1, flagUnderflow), h.u32(44)
}

func (r *Residual) encode(h *Header) {
	h[1] |= bit(r.Overflow, flagOverflow) | bit(r.Underflow, flagUnderflow)
	h.put32(44, r.Count)
}

// Response is the SCSI Response PDU (RFC 7143 section 11.4). Its data segment
// holds a two-byte length and the sense data.
type Response struct {
	Response byte // 0: completed at target, 1: target failure
	Status   byte // SCSI status
	ITT      uint32
	Sequence
	ExpDataSN uint32 // Data-In PDUs that were sent
	Residual
}

// Decode takes the fields from h.
func (p *Response) Decode(h *Header) {
	p.Response, p.Status, p.ITT = h[2], h[3], h.ITT()
	p.Sequence.decode(h)
	p.ExpDataSN = h.u32(36)
	p.Residual.decode(h)
}

// Encode makes h this PDU; lengths are left 0.
func (p *Response) Encode(h *Header) {
	h.begin(OpResponse, false, true)
	h[2], h[3] = p.Response, p.Status
	h.put32(16, p.ITT)
	p.Sequence.encode(h)
	h.put32(36, p.ExpDataSN)
	p.Residual.encode(h)
}

// DataOut is RFC 7143 section 11.7.
type DataOut struct {
	Final     bool
	LUN       uint64
	ITT, TTT  uint32 // TTT is NoTag in unsolicited data
	ExpStatSN uint32
	DataSN    uint32
	Offset    uint32 // of the data in the whole transfer, bytes
}

// Decode takes the fields from h.
func (p *DataOut) Decode(h *Header) {
	p.Final, p.LUN, p.ITT, p.TTT = h.Final(), h.u64(8), h.ITT(), h.u32(20)
	p.ExpStatSN, p.DataSN, p.Offset = h.u32(28), h.u32(36), h.u32(40)
}

// Encode makes h this PDU; lengths are left 0.
func (p *DataOut) Encode(h *Header) {
	h.begin(OpDataOut, false, p.Final)
	h.put64(8, p.LUN)
	h.put32(16, p.ITT)
	h.put32(20, p.TTT)
	h.put32(28, p.ExpStatSN)
	h.put32(36, p.DataSN)
	h.put32(40, p.Offset)
}

// DataIn is RFC 7143 section 11.7. If HasStatus, it ends the command, and
// Status, StatSN and Residual count.
type DataIn struct {
	Final, HasStatus bool
	Status           byte
	LUN              uint64
	ITT              uint32
	Sequence
	DataSN uint32
	Offset uint32
	Residual
}

// Decode takes the fields from h.
func (p *DataIn) Decode(h *Header) {
	p.Final, p.HasStatus, p.Status = h.Final(), h.has(1, flagStatus), h[3]
	p.LUN, p.ITT = h.u64(8), h.ITT()
	p.Sequence.decode(h)
	p.DataSN, p.Offset = h.u32(36), h.u32(40)
	p.Residual.decode(h)
}

// Encode makes h this PDU; lengths are left 0.
func (p *DataIn) Encode(h *Header) {
	h.begin(OpDataIn, false, p.Final)
	h[1] |= bit(p.HasStatus, flagStatus)
	h[3] = p.Status
	h.put64(8, p.LUN)
	h.put32(16, p.ITT)
	h.put32(20, NoTag)
	p.Sequence.encode(h)
	h.put32(36, p.DataSN)
	h.put32(40, p.Offset)
	p.Residual.encode(h)
}

// R2T is Ready To Transfer (RFC 7143 section 11.8).
type R2T struct {
	LUN      uint64
	ITT, TTT uint32
	Sequence
	R2TSN          uint32
	Offset, Length uint32 // the part of the transfer that is asked for, bytes
}

// Decode takes the fields from h.
func (p *R2T) Decode(h *Header) {
	p.LUN, p.ITT, p.TTT = h.u64(8), h.ITT(), h.u32(20)
	p.Sequence.decode(h)
	p.R2TSN, p.Offset, p.Length = h.u32(36), h.u32(40), h.u32(44)
}

// Encode makes h this PDU; lengths are left 0.
func (p *R2T) Encode(h *Header) {
	h.begin(OpR2T, false, true)
	h.put64(8, p.LUN)
	h.put32(16, p.ITT)
	h.put32(20, p.TTT)
	p.Sequence.encode(h)
	h.put32(36, p.R2TSN)
	h.put32(40, p.Offset)
	h.put32(44, p.Length)
}
