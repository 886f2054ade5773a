package scsi

import "twinlun/blockdev"

// physicalBlock is the number of logical blocks in a physical one, and
// physicalExponent its logarithm.
const (
	physicalBlock    = blockdev.BlockSize / blockdev.SectorSize
	physicalExponent = 3
)

// optimalTransfer is the transfer length that serves best, in bytes.
const optimalTransfer = 1 << 20

// vpdPage is a vital product data page (SPC-5 section 7.7, SBC-4 section 6.6).
type vpdPage struct {
	code byte
	body func(u *LogicalUnit) []byte // without the 4-byte header
}

// vpdPages lists the pages in ascending order of their codes.
func vpdPages() []vpdPage {
	return []vpdPage{
		{0x00, supportedPages},
		{0x80, func(u *LogicalUnit) []byte { return []byte(u.serial) }},
		{0x83, deviceIdentification},
		{0xB0, blockLimits},
		{0xB1, blockCharacteristics},
		{0xB2, provisioning},
	}
}

// vpd puts a header before the body of a page.
func vpd(code byte, body []byte) []byte {
	b := make([]byte, 4, 4+len(body))
	b[1] = code
	be.PutUint16(b[2:], uint16(len(body)))
	return append(b, body...)
}

// supportedPages is page 0x00.
func supportedPages(*LogicalUnit) []byte {
	var codes []byte
	for _, p := range vpdPages() {
		codes = append(codes, p.code)
	}
	return codes
}

// Fields of a designation descriptor (SPC-5 section 7.7.6.1).
const (
	codeBinary     = 0x01
	codeASCII      = 0x02
	protocolISCSI  = 0x50
	ofTargetPort   = 0x90 // PIV and association 1
	typeVendorID   = 0x01
	typeNAA        = 0x03
	typeTargetPort = 0x04
)

// deviceIdentification is page 0x83: the NAA identifier and the T10 vendor
// identification of the unit, and the relative target port, of which there is
// one.
func deviceIdentification(u *LogicalUnit) []byte {
	vendor := make([]byte, 8, 8+len(u.serial))
	pad(vendor, u.vendor)
	vendor = append(vendor, u.serial...)

	b := designator(nil, codeBinary, typeNAA, u.id[:])
	b = designator(b, codeASCII, typeVendorID, vendor)
	return designator(b, protocolISCSI|codeBinary, ofTargetPort|typeTargetPort, []byte{0, 0, 0, 1})
}

// designator appends a designation descriptor.
func designator(b []byte, code, kind byte, value []byte) []byte {
	return append(append(b, code, kind, 0, byte(len(value))), value...)
}

// blockLimits is page 0xB0.
func blockLimits(*LogicalUnit) []byte {
	b := make([]byte, 0x3C)
	b[0] = 0x01 // WSNZ: WRITE SAME of 0 blocks is refused
	b[1] = maxCompare
	be.PutUint16(b[2:], physicalBlock)
	be.PutUint32(b[4:], MaxTransfer/blockdev.SectorSize)
	be.PutUint32(b[8:], optimalTransfer/blockdev.SectorSize)
	be.PutUint32(b[16:], maxUnmapBlocks)
	be.PutUint32(b[20:], maxUnmapDescriptors)
	be.PutUint32(b[24:], physicalBlock) // optimal unmap granularity
	be.PutUint32(b[28:], 0x80000000)    // UGAVALID, alignment 0
	be.PutUint64(b[32:], maxSameBytes/blockdev.SectorSize)
	return b
}

// blockCharacteristics is page 0xB1: a medium that does not rotate.
func blockCharacteristics(*LogicalUnit) []byte {
	b := make([]byte, 0x3C)
	be.PutUint16(b, 0x0001)
	return b
}

// provisioning is page 0xB2: LBPU, LBPWS, LBPWS10, LBPRZ 1, thin.
func provisioning(*LogicalUnit) []byte { return []byte{0, 0xE4, 0x02, 0} }
