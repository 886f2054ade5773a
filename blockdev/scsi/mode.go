package scsi

import (
	"bytes"
	"context"

	"twinlun/blockdev"
)

// modePages are the mode pages in ascending order (SPC-5 section 7.5, SBC-4
// section 6.5). Nothing in them can be changed or saved.
func modePages() []string {
	return []string{
		// Caching: WCE.
		"\x08\x12\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		// Control: GLTSD, unrestricted reordering, TAS: the transport answers
		// TASK ABORTED to commands that another initiator aborted.
		"\x0a\x0a\x02\x10\x00\x40\x00\x00\x00\x00\x00\x00",
	}
}

// The values of the PC field of MODE SENSE.
const (
	modeChangeable = 1
	modeSaved      = 3
)

// Page and subpage codes that stand for several.
const (
	allPages    = 0x3F
	allSubpages = 0xFF
)

// Device-specific parameter of the mode parameter header (SBC-4 section 6.5.1).
const (
	modeWP     = 0x80
	modeDPOFUA = 0x10
)

// blockDescriptorLength is that of the short block descriptor.
const blockDescriptorLength = 8

// modeSense is MODE SENSE(6) and (10) (SPC-5 sections 6.13, 6.14).
func modeSense(_ context.Context, u *LogicalUnit, c *Command) (Result, error) {
	if c.CDB[2]>>6 == modeSaved {
		return Result{}, savingNotSupported
	}
	pages, err := sensePages(c.CDB[2]&allPages, c.CDB[3], c.CDB[2]>>6 == modeChangeable)
	if err != nil {
		return Result{}, err
	}
	var descriptor []byte
	if c.CDB[1]&0x08 == 0 { // DBD
		descriptor = u.blockDescriptor()
	}
	specific := byte(modeDPOFUA)
	if u.readOnly {
		specific |= modeWP
	}
	if c.CDB[0] == 0x1A {
		b := []byte{byte(3 + len(descriptor) + len(pages)), 0, specific, byte(len(descriptor))}
		return reply(c, append(append(b, descriptor...), pages...), uint64(c.CDB[4])), nil
	}
	b := []byte{0, byte(6 + len(descriptor) + len(pages)), 0, specific, 0, 0, 0, byte(len(descriptor))}
	return reply(c, append(append(b, descriptor...), pages...), uint64(be.Uint16(c.CDB[7:]))), nil
}

// sensePages is what MODE SENSE returns of a page, or of all.
func sensePages(page, subpage byte, changeable bool) ([]byte, error) {
	if subpage != 0 && subpage != allSubpages {
		return nil, cdbField(3, 0)
	}
	var b []byte
	for _, p := range modePages() {
		if page != allPages && page != p[0] {
			continue
		}
		if changeable {
			p = p[:2] + string(make([]byte, len(p)-2))
		}
		b = append(b, p...)
	}
	if b == nil {
		return nil, cdbField(2, allPages)
	}
	return b, nil
}

// blockDescriptor is the short LBA mode parameter block descriptor (SBC-4
// section 6.5.2.2).
func (u *LogicalUnit) blockDescriptor() []byte {
	b := make([]byte, blockDescriptorLength)
	be.PutUint32(b, uint32(min(u.capacity(), 1<<32-1)))
	be.PutUint32(b[4:], blockdev.SectorSize) // the highest byte is reserved
	return b
}

// modeSelect is MODE SELECT(6) and (10) (SPC-5 sections 6.11, 6.12). It takes
// pages that change nothing.
func modeSelect(_ context.Context, _ *LogicalUnit, c *Command) (Result, error) {
	header, length := 4, int(c.CDB[4])
	if c.CDB[0] == 0x55 {
		header, length = 8, int(be.Uint16(c.CDB[7:]))
	}
	r := Result{Transfer: length}
	if c.CDB[1]&0x01 != 0 { // SP: pages cannot be saved
		return r, cdbField(1, 0x01)
	}
	if length == 0 {
		return r, nil
	}
	if length < header || length > len(c.DataOut) {
		return r, parameterListLength
	}
	list := c.DataOut[:length]
	descriptor := int(list[3])
	if header == 8 {
		descriptor = int(be.Uint16(list[6:]))
	}
	if err := checkDescriptor(list, header, descriptor); err != nil {
		return r, err
	}
	return r, checkPages(list, header+descriptor)
}

// checkDescriptor refuses a block descriptor that is not short or asks for
// another block length.
func checkDescriptor(list []byte, header, length int) error {
	switch {
	case length == 0:
		return nil
	case length != blockDescriptorLength:
		return parameterField(header-1, 0)
	case header+length > len(list):
		return parameterListLength
	case be.Uint32(list[header+4:])&0xFFFFFF != blockdev.SectorSize:
		return parameterField(header+5, 0)
	}
	return nil
}

// checkPages refuses pages that would change something. at is where in the list
// they begin.
func checkPages(list []byte, at int) error {
	for at < len(list) {
		page, err := findPage(list, at)
		if err != nil {
			return err
		}
		if len(list)-at < len(page) {
			return parameterListLength
		}
		body := list[at+2 : at+len(page)]
		if !bytes.Equal(body, []byte(page[2:])) {
			i := 0
			for body[i] == page[2+i] {
				i++
			}
			return parameterField(at+2+i, body[i]^page[2+i])
		}
		at += len(page)
	}
	return nil
}

// findPage is the page of ours whose header stands at list[at:].
func findPage(list []byte, at int) (string, error) {
	if len(list)-at < 2 {
		return "", parameterListLength
	}
	for _, p := range modePages() {
		if list[at]&0x7F != p[0] { // PS is reserved here, SPF must be 0
			continue
		}
		if list[at+1] != p[1] {
			return "", parameterField(at+1, 0)
		}
		return p, nil
	}
	return "", parameterField(at, 0x7F)
}
