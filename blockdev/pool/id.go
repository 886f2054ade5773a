package pool

import (
	"encoding/hex"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"twinlun/blockdev"
)

// companyID is the locally administered IEEE company id of our identifiers; see
// docs/decisions.md.
const companyID = 0x02544C

// idDigits is the length of a VolumeID.
const idDigits = 32

// maxName is the longest volume name, in bytes.
const maxName = 200

// NewID makes a VolumeID from 100 bits of rand: NAA 6 (SPC-5 section 7.7.6.6.5),
// our company id, and the bits. It fails only if rand does.
func NewID(rand io.Reader) (VolumeID, error) {
	var b [idDigits / 2]byte
	if _, err := io.ReadFull(rand, b[3:]); err != nil {
		return "", blockdev.Wrap(blockdev.KindInternal, "make volume id", err)
	}
	const head = 6<<28 | companyID<<4 // the first 28 bits, left-aligned in 32
	b[0], b[1], b[2] = head>>24, head>>16&0xff, head>>8&0xff
	b[3] = head&0xf0 | b[3]&0x0f
	return VolumeID(hex.EncodeToString(b[:])), nil
}

// ValidID says whether id has the form of a VolumeID: 32 lower-case hexadecimal
// digits that begin with 6. The error is KindInvalid.
func ValidID(id VolumeID) error {
	if len(id) != idDigits || id[0] != '6' || strings.Trim(string(id), "0123456789abcdef") != "" {
		return blockdev.Errorf(blockdev.KindInvalid, "check volume id",
			"%.40q is not 32 lower-case hexadecimal digits that begin with 6", string(id))
	}
	return nil
}

// ValidName says whether a volume can be called name: 1 to 200 bytes of
// printable UTF-8 that neither begin nor end with a space. The error is
// KindInvalid.
func ValidName(name string) error {
	switch {
	case name == "" || len(name) > maxName:
		return invalidName(name, "must have 1 to 200 bytes")
	case !utf8.ValidString(name):
		return invalidName(name, "is not UTF-8")
	case strings.TrimSpace(name) != name:
		return invalidName(name, "begins or ends with a space")
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return invalidName(name, "has a character that cannot be printed")
	}
	return nil
}

func invalidName(name, why string) error {
	return blockdev.Errorf(blockdev.KindInvalid, "check volume name", "%.210q %s", name, why)
}

// foldName is the form of a name by which it is unique.
func foldName(name string) string { return strings.ToLower(name) }
