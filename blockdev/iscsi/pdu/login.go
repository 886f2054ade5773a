package pdu

// Stage is a login stage (RFC 7143 section 11.12.3).
type Stage byte

// The stages of a login.
const (
	StageSecurity    Stage = 0
	StageOperational Stage = 1
	StageFullFeature Stage = 3
)

// LoginRequest is RFC 7143 section 11.12. The T bit is Transit, C is Continue.
type LoginRequest struct {
	Transit, Continue      bool
	Current, Next          Stage
	VersionMax, VersionMin byte
	ISID                   [6]byte
	TSIH                   uint16
	ITT                    uint32
	CID                    uint16
	CmdSN, ExpStatSN       uint32
}

// Decode takes the fields from h.
func (p *LoginRequest) Decode(h *Header) {
	p.Transit, p.Continue, p.Current, p.Next = decodeStages(h[1])
	p.VersionMax, p.VersionMin = h[2], h[3]
	copy(p.ISID[:], h[8:14])
	p.TSIH, p.ITT, p.CID = h.u16(14), h.u32(16), h.u16(20)
	p.CmdSN, p.ExpStatSN = h.u32(24), h.u32(28)
}

// Encode makes h this PDU; lengths are left 0.
func (p *LoginRequest) Encode(h *Header) {
	h.begin(OpLoginReq, true, false)
	h[1] = encodeStages(p.Transit, p.Continue, p.Current, p.Next)
	h[2], h[3] = p.VersionMax, p.VersionMin
	copy(h[8:14], p.ISID[:])
	h.put16(14, p.TSIH)
	h.put32(16, p.ITT)
	h.put16(20, p.CID)
	h.put32(24, p.CmdSN)
	h.put32(28, p.ExpStatSN)
}

// LoginStatus is the Status-Class and Status-Detail of a login response
// (RFC 7143 section 11.13.5) as one number, class first.
type LoginStatus uint16

// The login statuses that targets and initiators of this module use.
const (
	LoginOK               LoginStatus = 0x0000
	LoginInitiatorError   LoginStatus = 0x0200
	LoginAuthFailed       LoginStatus = 0x0201
	LoginForbidden        LoginStatus = 0x0202
	LoginNotFound         LoginStatus = 0x0203
	LoginTargetRemoved    LoginStatus = 0x0204
	LoginBadVersion       LoginStatus = 0x0205
	LoginTooManyConns     LoginStatus = 0x0206
	LoginMissingParameter LoginStatus = 0x0207
	LoginBadSessionType   LoginStatus = 0x0209
	LoginNoSession        LoginStatus = 0x020a
	LoginInvalidRequest   LoginStatus = 0x020b
	LoginTargetError      LoginStatus = 0x0300
	LoginUnavailable      LoginStatus = 0x0301
	LoginOutOfResources   LoginStatus = 0x0302
)

const (
	loginStageMask         = 3
	loginCurrentStageShift = 2
)

// LoginResponse is RFC 7143 section 11.13.
type LoginResponse struct {
	Transit, Continue         bool
	Current, Next             Stage
	VersionMax, VersionActive byte
	ISID                      [6]byte
	TSIH                      uint16
	ITT                       uint32
	Sequence
	Status LoginStatus
}

// Decode takes the fields from h.
func (p *LoginResponse) Decode(h *Header) {
	p.Transit, p.Continue, p.Current, p.Next = decodeStages(h[1])
	p.VersionMax, p.VersionActive = h[2], h[3]
	copy(p.ISID[:], h[8:14])
	p.TSIH, p.ITT = h.u16(14), h.u32(16)
	p.Sequence.decode(h)
	p.Status = LoginStatus(h.u16(36))
}

// Encode makes h this PDU; lengths are left 0.
func (p *LoginResponse) Encode(h *Header) {
	h.begin(OpLoginResp, false, false)
	h[1] = encodeStages(p.Transit, p.Continue, p.Current, p.Next)
	h[2], h[3] = p.VersionMax, p.VersionActive
	copy(h[8:14], p.ISID[:])
	h.put16(14, p.TSIH)
	h.put32(16, p.ITT)
	p.Sequence.encode(h)
	h.put16(36, uint16(p.Status))
}

func decodeStages(b byte) (transit, cont bool, current, next Stage) {
	return b&flagFinal != 0, b&flagContinue != 0,
		Stage(b >> loginCurrentStageShift & loginStageMask), Stage(b & loginStageMask)
}

func encodeStages(transit, cont bool, current, next Stage) byte {
	return bit(transit, flagFinal) | bit(cont, flagContinue) |
		byte(current)<<loginCurrentStageShift | byte(next)
}
