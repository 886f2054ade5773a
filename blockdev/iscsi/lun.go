package iscsi

import (
	"encoding/binary"

	"twinlun/blockdev/scsi"
)

// Operation codes that are answered without a unit.
const (
	opRequestSense = 0x03
	opInquiry      = 0x12
	opReportLUNs   = 0xa0
)

// decodeLUN takes a single-level LUN out of its field (SAM-5 section 4.7.7).
func decodeLUN(field uint64) (uint64, bool) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], field)
	if field<<16 != 0 {
		return 0, false
	}
	switch b[0] >> 6 {
	case 0: // peripheral device addressing, bus 0
		return uint64(b[1]), b[0] == 0
	case 1: // flat space addressing
		return uint64(b[0]&0x3f)<<8 | uint64(b[1]), true
	}
	return 0, false
}

// encodeLUN is the field of a LUN of at most maxLUN.
func encodeLUN(lun uint64) uint64 {
	if lun < 256 {
		return lun << 48
	}
	return 1<<62 | lun<<48
}

// inquiryLen is the length of standard INQUIRY data without vendor fields.
const inquiryLen = 36

// noPeripheral is the first byte of INQUIRY data where no unit can be: qualifier
// 3, type 1F (SPC-5 section 6.6.2).
const noPeripheral = 0x7f

// absentUnit answers commands to a LUN that there is not (SAM-5 section 4.7.4).
func absentUnit(cdb []byte, expected int) *scsi.Result {
	switch cdb[0] {
	case opInquiry:
		return absentInquiry(cdb, expected)
	case opRequestSense:
		return dataIn(fixedSense(keyIllegalRequest, ascNoLUN), int(cdb[4]), expected)
	}
	return illegal(ascNoLUN)
}

func absentInquiry(cdb []byte, expected int) *scsi.Result {
	allocation := int(binary.BigEndian.Uint16(cdb[3:]))
	if evpd := cdb[1]&1 != 0; evpd && cdb[2] == 0 {
		return dataIn([]byte{noPeripheral, 0, 0, 1, 0}, allocation, expected)
	} else if evpd || cdb[2] != 0 {
		return illegal(ascInvalidField)
	}
	b := make([]byte, inquiryLen)
	b[0], b[2], b[3], b[4] = noPeripheral, 7, 2, inquiryLen-5
	copy(b[8:], "                        ")
	copy(b[32:], "    ")
	return dataIn(b, allocation, expected)
}

// reportLUNs is REPORT LUNS (SPC-5 section 6.33).
func reportLUNs(cdb []byte, expected int, luns []uint64) *scsi.Result {
	allocation := int(binary.BigEndian.Uint32(cdb[6:]))
	switch cdb[2] { // SELECT REPORT
	case 0, 2:
	case 1:
		luns = nil // well known units only: there are none
	default:
		return illegal(ascInvalidField)
	}
	b := make([]byte, 8, 8+8*len(luns))
	binary.BigEndian.PutUint32(b, uint32(8*len(luns)))
	for _, lun := range luns {
		b = binary.BigEndian.AppendUint64(b, encodeLUN(lun))
	}
	return dataIn(b, allocation, expected)
}

// dataIn is a good result with b cut to the allocation length and to what can be
// delivered.
func dataIn(b []byte, allocation, expected int) *scsi.Result {
	b = b[:min(len(b), allocation)]
	return &scsi.Result{Status: scsi.StatusGood, Transfer: len(b), DataIn: b[:min(len(b), expected)]}
}
