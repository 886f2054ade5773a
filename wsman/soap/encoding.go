package soap

import (
	"bytes"
	"encoding/binary"
	"mime"
	"strings"
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
// the bytes, for some clients announce another charset than they send.
func decodeText(data []byte, contentType string) ([]byte, Encoding, error) {
	if err := checkCharset(contentType); err != nil {
		return nil, UTF8, err
	}
	switch {
	case bytes.HasPrefix(data, []byte(markUTF8)):
		return data[3:], UTF8, nil
	case bytes.HasPrefix(data, []byte(markLE)):
		return decodeUTF16(data[2:], binary.LittleEndian, UTF16LE)
	case bytes.HasPrefix(data, []byte(markBE)):
		return decodeUTF16(data[2:], binary.BigEndian, UTF16BE)
	case len(data) > 1 && data[0] != 0 && data[1] == 0:
		return decodeUTF16(data, binary.LittleEndian, UTF16LE)
	case len(data) > 1 && data[0] == 0 && data[1] != 0:
		return decodeUTF16(data, binary.BigEndian, UTF16BE)
	}
	return data, UTF8, checkDeclaration(data)
}

// checkCharset refuses a charset that is none of UTF-8 and UTF-16.
func checkCharset(contentType string) error {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil // the bytes tell
	}
	return checkName(params["charset"])
}

// checkDeclaration refuses an XML declaration that names another encoding.
func checkDeclaration(data []byte) error {
	if !bytes.HasPrefix(data, []byte("<?xml")) {
		return nil
	}
	decl, _, _ := bytes.Cut(data[:min(len(data), 200)], []byte("?>"))
	_, value, found := bytes.Cut(decl, []byte("encoding"))
	if !found {
		return nil
	}
	return checkName(string(bytes.Trim(value, " \t\r\n='\"")))
}

func checkName(charset string) error {
	name, _, _ := strings.Cut(charset, `"`)
	name, _, _ = strings.Cut(name, `'`)
	switch strings.ToLower(name) {
	case "", "utf-8", "utf8", "us-ascii", "utf-16", "utf16", "utf-16le", "utf-16be":
		return nil
	}
	return wsman.EncodingLimit(wsman.DetailCharacterSet, "the character set is neither UTF-8 nor UTF-16")
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
