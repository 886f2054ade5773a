package pdu

// NopOut is RFC 7143 section 11.18. Its data is the ping data.
type NopOut struct {
	Immediate        bool
	LUN              uint64
	ITT, TTT         uint32
	CmdSN, ExpStatSN uint32
}

// Decode takes the fields from h.
func (p *NopOut) Decode(h *Header) {
	p.Immediate, p.LUN, p.ITT, p.TTT = h.Immediate(), h.u64(8), h.ITT(), h.u32(20)
	p.CmdSN, p.ExpStatSN = h.u32(24), h.u32(28)
}

// Encode makes h this PDU; lengths are left 0.
func (p *NopOut) Encode(h *Header) {
	h.begin(OpNopOut, p.Immediate, true)
	h.put64(8, p.LUN)
	h.put32(16, p.ITT)
	h.put32(20, p.TTT)
	h.put32(24, p.CmdSN)
	h.put32(28, p.ExpStatSN)
}

// NopIn is RFC 7143 section 11.19.
type NopIn struct {
	LUN      uint64
	ITT, TTT uint32
	Sequence
}

// Decode takes the fields from h.
func (p *NopIn) Decode(h *Header) {
	p.LUN, p.ITT, p.TTT = h.u64(8), h.ITT(), h.u32(20)
	p.Sequence.decode(h)
}

// Encode makes h this PDU; lengths are left 0.
func (p *NopIn) Encode(h *Header) {
	h.begin(OpNopIn, false, true)
	h.put64(8, p.LUN)
	h.put32(16, p.ITT)
	h.put32(20, p.TTT)
	p.Sequence.encode(h)
}

// Text is a text request or, if IsResponse, a text response (RFC 7143 sections
// 11.10 and 11.11). Requests use CmdSN and ExpStatSN, responses Sequence.
type Text struct {
	IsResponse, Immediate, Final, Continue bool
	LUN                                    uint64
	ITT, TTT                               uint32
	CmdSN, ExpStatSN                       uint32
	Sequence
}

// Decode takes the fields from h.
func (p *Text) Decode(h *Header) {
	*p = Text{IsResponse: h.Opcode() == OpTextResp, Immediate: h.Immediate(), Final: h.Final(),
		Continue: h.has(1, flagContinue), LUN: h.u64(8), ITT: h.ITT(), TTT: h.u32(20)}
	if p.IsResponse {
		p.Sequence.decode(h)
		return
	}
	p.CmdSN, p.ExpStatSN = h.u32(24), h.u32(28)
}

// Encode makes h this PDU; lengths are left 0.
func (p *Text) Encode(h *Header) {
	op := OpTextReq
	if p.IsResponse {
		op = OpTextResp
	}
	h.begin(op, p.Immediate, p.Final)
	h[1] |= bit(p.Continue, flagContinue)
	h.put64(8, p.LUN)
	h.put32(16, p.ITT)
	h.put32(20, p.TTT)
	if p.IsResponse {
		p.Sequence.encode(h)
		return
	}
	h.put32(24, p.CmdSN)
	h.put32(28, p.ExpStatSN)
}

// LogoutReason says what a logout ends (RFC 7143 section 11.14.1).
type LogoutReason byte

// The reasons of a logout.
const (
	LogoutSession    LogoutReason = 0
	LogoutConnection LogoutReason = 1
	LogoutRecovery   LogoutReason = 2
)

const logoutReasonMask = 0x7f

// LogoutRequest is RFC 7143 section 11.14.
type LogoutRequest struct {
	Immediate        bool
	Reason           LogoutReason
	ITT              uint32
	CID              uint16
	CmdSN, ExpStatSN uint32
}

// Decode takes the fields from h.
func (p *LogoutRequest) Decode(h *Header) {
	p.Immediate, p.Reason = h.Immediate(), LogoutReason(h[1]&logoutReasonMask)
	p.ITT, p.CID, p.CmdSN, p.ExpStatSN = h.ITT(), h.u16(20), h.u32(24), h.u32(28)
}

// Encode makes h this PDU; lengths are left 0.
func (p *LogoutRequest) Encode(h *Header) {
	h.begin(OpLogoutReq, p.Immediate, true)
	h[1] |= byte(p.Reason) & logoutReasonMask
	h.put32(16, p.ITT)
	h.put16(20, p.CID)
	h.put32(24, p.CmdSN)
	h.put32(28, p.ExpStatSN)
}

// LogoutResult is the answer to a logout (RFC 7143 section 11.15.1).
type LogoutResult byte

// The answers to a logout.
const (
	LogoutDone       LogoutResult = 0
	LogoutNoCID      LogoutResult = 1
	LogoutNoRecovery LogoutResult = 2
	LogoutFailed     LogoutResult = 3
)

// LogoutResponse is RFC 7143 section 11.15.
type LogoutResponse struct {
	Result LogoutResult
	ITT    uint32
	Sequence
	Time2Wait, Time2Retain uint16 // seconds
}

// Decode takes the fields from h.
func (p *LogoutResponse) Decode(h *Header) {
	p.Result, p.ITT = LogoutResult(h[2]), h.ITT()
	p.Sequence.decode(h)
	p.Time2Wait, p.Time2Retain = h.u16(40), h.u16(42)
}

// Encode makes h this PDU; lengths are left 0.
func (p *LogoutResponse) Encode(h *Header) {
	h.begin(OpLogoutResp, false, true)
	h[2] = byte(p.Result)
	h.put32(16, p.ITT)
	p.Sequence.encode(h)
	h.put16(40, p.Time2Wait)
	h.put16(42, p.Time2Retain)
}

// AsyncEvent tells what an asynchronous message is about (RFC 7143 section
// 11.9.1).
type AsyncEvent byte

// The events of asynchronous messages.
const (
	AsyncSCSI           AsyncEvent = 0
	AsyncLogoutRequest  AsyncEvent = 1
	AsyncDropConnection AsyncEvent = 2
	AsyncDropSession    AsyncEvent = 3
	AsyncRenegotiate    AsyncEvent = 4
)

// Async is RFC 7143 section 11.9.
type Async struct {
	LUN uint64
	Sequence
	Event      AsyncEvent
	Code       byte
	Parameters [3]uint16
}

// Decode takes the fields from h.
func (p *Async) Decode(h *Header) {
	p.LUN = h.u64(8)
	p.Sequence.decode(h)
	p.Event, p.Code = AsyncEvent(h[36]), h[37]
	p.Parameters = [3]uint16{h.u16(38), h.u16(40), h.u16(42)}
}

// Encode makes h this PDU; lengths are left 0.
func (p *Async) Encode(h *Header) {
	h.begin(OpAsync, false, true)
	h.put64(8, p.LUN)
	h.put32(16, NoTag)
	p.Sequence.encode(h)
	h[36], h[37] = byte(p.Event), p.Code
	for i, v := range p.Parameters {
		h.put16(38+2*i, v)
	}
}

// RejectReason says why a PDU was rejected (RFC 7143 section 11.17.1).
type RejectReason byte

// The reasons of a reject.
const (
	RejectDataDigest   RejectReason = 0x02
	RejectSNACK        RejectReason = 0x03
	RejectProtocol     RejectReason = 0x04
	RejectUnsupported  RejectReason = 0x05
	RejectImmediate    RejectReason = 0x06
	RejectTaskInUse    RejectReason = 0x07
	RejectInvalidField RejectReason = 0x09
	RejectResources    RejectReason = 0x0a
)

// Reject is RFC 7143 section 11.17. Its data is the header that is rejected.
type Reject struct {
	Reason RejectReason
	Sequence
	DataSN uint32
}

// Decode takes the fields from h.
func (p *Reject) Decode(h *Header) {
	p.Reason = RejectReason(h[2])
	p.Sequence.decode(h)
	p.DataSN = h.u32(36)
}

// Encode makes h this PDU; lengths are left 0.
func (p *Reject) Encode(h *Header) {
	h.begin(OpReject, false, true)
	h[2] = byte(p.Reason)
	h.put32(16, NoTag)
	p.Sequence.encode(h)
	h.put32(36, p.DataSN)
}
