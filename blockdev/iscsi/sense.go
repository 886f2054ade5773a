package iscsi

import "twinlun/blockdev/scsi"

// Sense keys and additional sense codes that the transport itself answers with
// (SPC-5 section 4.5, RFC 7143 section 11.4.7.2).
const (
	keyIllegalRequest = 0x05
	keyAborted        = 0x0b

	ascInvalidOpcode  = 0x2000
	ascInvalidField   = 0x2400
	ascUnexpectedData = 0x0c0c
	ascWrongAmount    = 0x0c0d
	ascProtocolCRC    = 0x4705
)

// Fixed format sense data (SPC-5 section 4.5.3).
const (
	senseLen     = 18
	senseCurrent = 0x70
)

// fixedSense is sense data of a key, a code and its qualifier.
func fixedSense(key byte, asc uint16) []byte {
	b := make([]byte, senseLen)
	b[0], b[2], b[7] = senseCurrent, key, senseLen-8
	b[12], b[13] = byte(asc>>8), byte(asc)
	return b
}

func check(key byte, asc uint16) *scsi.Result {
	return &scsi.Result{Status: scsi.StatusCheckCondition, Sense: fixedSense(key, asc)}
}

func illegal(asc uint16) *scsi.Result { return check(keyIllegalRequest, asc) }

// transportFault is the answer to a command whose Data-Out went wrong.
func transportFault(f fault) *scsi.Result {
	switch f {
	case faultUnexpected:
		return check(keyAborted, ascUnexpectedData)
	case faultAmount:
		return check(keyAborted, ascWrongAmount)
	}
	return check(keyAborted, ascProtocolCRC)
}
