package soap

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"twinlun/wsman"
)

// ContentType is the HTTP content type of a message in this encoding.
func (e Encoding) ContentType() string {
	if e == UTF8 {
		return "application/soap+xml;charset=UTF-8"
	}
	return "application/soap+xml;charset=UTF-16"
}

// Encode turns a finished message into the bytes to send: UTF-8 as it is, UTF-16
// with a byte order mark.
func (e Encoding) Encode(text []byte) []byte {
	if e == UTF8 {
		return text
	}
	var order binary.AppendByteOrder = binary.LittleEndian
	if e == UTF16BE {
		order = binary.BigEndian
	}
	out := order.AppendUint16(make([]byte, 0, 2*len(text)+2), 0xFEFF)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			out = order.AppendUint16(out, uint16(hi))
			r = lo
		}
		out = order.AppendUint16(out, uint16(r))
	}
	return out
}

// Byte order marks.
const (
	markUTF8 = "\xEF\xBB\xBF"
	markLE   = "\xFF\xFE"
	markBE   = "\xFE\xFF"
)

// decodeText finds the encoding of a message and gives its text in UTF-8, without
// a byte order mark. The mark counts first, then how the first character lies in
// the bytes, for some clients announce another charset than they send; so the
// charset only says what is refused, and how to answer that.
func decodeText(data []byte, contentType string) ([]byte, Encoding, error) {
	_, charset := MediaType(contentType)
	if err := checkName(charset); err != nil {
		return nil, UTF8, err
	}
	switch {
	case isUTF32(data):
		return nil, EncodingFor(contentType), wsman.EncodingLimit(wsman.DetailCharacterSet, "UTF-32 is not served").With(ErrNotSOAP)
	case len(data) < 2:
		return data, EncodingFor(contentType), nil
	case bytes.HasPrefix(data, []byte(markUTF8)):
		return data[3:], UTF8, checkDeclaration(data[3:])
	case bytes.HasPrefix(data, []byte(markLE)):
		return decodeUTF16(data[2:], binary.LittleEndian, UTF16LE)
	case bytes.HasPrefix(data, []byte(markBE)):
		return decodeUTF16(data[2:], binary.BigEndian, UTF16BE)
	case data[0] != 0 && data[1] == 0:
		return decodeUTF16(data, binary.LittleEndian, UTF16LE)
	case data[0] == 0 && data[1] != 0:
		return decodeUTF16(data, binary.BigEndian, UTF16BE)
	}
	return data, UTF8, checkDeclaration(data)
}

// isUTF32 finds what could be taken for UTF-16 with characters 0 in it.
func isUTF32(data []byte) bool {
	return bytes.HasPrefix(data, []byte(markLE+"\x00\x00")) || bytes.HasPrefix(data, []byte("\x00\x00"+markBE)) ||
		bytes.HasPrefix(data, []byte("<\x00\x00\x00")) || bytes.HasPrefix(data, []byte("\x00\x00\x00<"))
}

func decodeUTF16(data []byte, order binary.ByteOrder, enc Encoding) ([]byte, Encoding, error) {
	bad := wsman.EncodingLimit(wsman.DetailCharacterSet, "the message is not valid UTF-16").With(ErrNotSOAP)
	if len(data)%2 != 0 {
		return nil, enc, bad
	}
	out := make([]byte, 0, len(data)/2+len(data)/8)
	for ; len(data) > 0; data = data[2:] {
		r := rune(order.Uint16(data))
		if utf16.IsSurrogate(r) {
			if len(data) < 4 {
				return nil, enc, bad
			}
			data = data[2:]
			if r = utf16.DecodeRune(r, rune(order.Uint16(data))); r == utf8.RuneError {
				return nil, enc, bad
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out, enc, nil
}
