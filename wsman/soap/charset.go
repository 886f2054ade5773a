package soap

import (
	"bytes"
	"strings"

	"twinlun/wsman"
)

// MediaType splits an HTTP content type into its media type, in lower case, and
// the value of its charset parameter. It takes what clients write: values with
// either kind of quotes or none, unquoted URIs, blanks everywhere. Other
// parameters, such as action, are left out.
func MediaType(contentType string) (kind, charset string) {
	kind, rest, _ := strings.Cut(contentType, ";") // no type has quotes
	for rest != "" {
		var p string
		p, rest = cutParameter(rest)
		name, value, _ := strings.Cut(p, "=")
		if charset == "" && strings.EqualFold(strings.TrimSpace(name), "charset") {
			charset = strings.Trim(value, " \t\"'")
		}
	}
	return strings.ToLower(strings.TrimSpace(kind)), charset
}

// cutParameter cuts s at the first semicolon that is not in double quotes.
func cutParameter(s string) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ';' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// EncodingFor is the encoding to answer in where only the content type of the
// request is known: UTF-8 unless it names a kind of UTF-16 (DSP0226 R13.1-5).
func EncodingFor(contentType string) Encoding {
	_, charset := MediaType(contentType)
	e, _ := encodingNamed(charset)
	return e
}

// encodingNamed finds an encoding by its name, however it is spelt; ok is false
// for one that is not served. No name is UTF-8.
func encodingNamed(name string) (e Encoding, ok bool) {
	if strings.EqualFold(name, "utf-8") {
		return UTF8, true
	}
	switch strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(name)) {
	case "", "utf8", "usascii", "ascii":
		return UTF8, true
	case "utf16", "utf16le", "unicode", "ucs2", "iso10646ucs2":
		return UTF16LE, true
	case "utf16be":
		return UTF16BE, true
	}
	return UTF8, false
}

// checkName refuses a charset that is none of UTF-8 and UTF-16. Its name is not
// repeated: it can be anything.
func checkName(charset string) error {
	if _, ok := encodingNamed(charset); ok {
		return nil
	}
	return wsman.EncodingLimit(wsman.DetailCharacterSet, "the character set is neither UTF-8 nor UTF-16")
}

// checkDeclaration refuses an XML declaration that names an encoding that is not
// served. One that is, but is not that of the bytes, is a mistake without
// consequence.
func checkDeclaration(text []byte) error {
	if !bytes.HasPrefix(text, []byte("<?xml")) {
		return nil
	}
	decl, _, _ := bytes.Cut(text[:min(len(text), 200)], []byte("?>"))
	_, value, found := bytes.Cut(decl, []byte("encoding"))
	if !found {
		return nil
	}
	value = bytes.TrimLeft(value, " \t\r\n=")
	if len(value) == 0 {
		return nil
	}
	name, _, _ := bytes.Cut(value[1:], value[:1])
	return checkName(string(name))
}
