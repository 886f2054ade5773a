package scsi

import (
	"context"
	"encoding/hex"
	"errors"
)

// versionDescriptors are the standards that standard INQUIRY data claims (SPC-5
// section 6.7.2): SAM-5, SPC-4, SBC-3, iSCSI, SPC-5, SBC-4.
const versionDescriptors = "\x00\xa0\x04\x60\x04\xc0\x09\x60\x05\xc0\x06\x00"

// standardLength is that of standard INQUIRY data with version descriptors.
const standardLength = 96

// inquiry is INQUIRY (SPC-5 section 6.7).
func inquiry(_ context.Context, u *LogicalUnit, c *Command) (Result, error) {
	allocation := uint64(be.Uint16(c.CDB[3:]))
	page := c.CDB[2]
	if c.CDB[1]&0x01 == 0 {
		if page != 0 {
			return Result{}, cdbField(2, 0)
		}
		return reply(c, u.standardInquiry(), allocation), nil
	}
	for _, p := range vpdPages() {
		if p.code == page {
			return reply(c, vpd(page, p.body(u)), allocation), nil
		}
	}
	return Result{}, cdbField(2, 0)
}

// standardInquiry is the standard INQUIRY data.
func (u *LogicalUnit) standardInquiry() []byte {
	b := make([]byte, standardLength)
	b[2] = 0x06 // SPC-4, the last that has a number all hosts know
	b[3] = 0x12 // hierarchical LUNs; response data format 2
	b[4] = standardLength - 5
	b[7] = 0x02 // CMDQUE
	pad(b[8:16], u.vendor)
	pad(b[16:32], u.product)
	pad(b[32:36], u.revision)
	copy(b[58:], versionDescriptors)
	return b
}

// pad fills b with s and spaces.
func pad(b []byte, s string) {
	for i := copy(b, s); i < len(b); i++ {
		b[i] = ' '
	}
}

// maxSerial bounds the serial number, so that pages stay short.
const maxSerial = 64

// parseNAA decodes an NAA 6 identifier.
func parseNAA(id string) (naa [16]byte, err error) {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != len(naa) || b[0]>>4 != 6 {
		return naa, errors.New("the identifier is not 32 hexadecimal digits of an NAA 6 designator")
	}
	return [16]byte(b), nil
}
