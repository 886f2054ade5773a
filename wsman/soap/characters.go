package soap

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// normalize makes every end of line a line feed (XML 1.0 section 2.11).
func normalize(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// resolve replaces references to characters.
func (b *builder) resolve(s string) string {
	i := strings.IndexByte(s, '&')
	if i < 0 {
		return s
	}
	var out strings.Builder
	for ; i >= 0; i = strings.IndexByte(s, '&') {
		out.WriteString(s[:i])
		name, rest, ok := strings.Cut(s[i+1:], ";")
		r := reference(name)
		if !ok || r < 0 {
			b.fail("a reference to nothing")
			return ""
		}
		out.WriteRune(r)
		s = rest
	}
	out.WriteString(s)
	return out.String()
}

// reference is the character that a reference stands for, negative if it is none.
func reference(name string) rune {
	switch name {
	case "lt":
		return '<'
	case "gt":
		return '>'
	case "amp":
		return '&'
	case "quot":
		return '"'
	case "apos":
		return '\''
	}
	digits, ok := strings.CutPrefix(name, "#")
	if !ok {
		return -1
	}
	base := 10
	if hex, isHex := strings.CutPrefix(digits, "x"); isHex {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	r := rune(n)
	if err != nil || n > unicode.MaxRune || !utf8.ValidRune(r) || r < 0x20 && !isSpace(byte(r)) || r == 0xFFFE || r == 0xFFFF {
		return -1
	}
	return r
}

// blank makes white space a blank.
func blank(r rune) rune {
	if r < utf8.RuneSelf && isSpace(byte(r)) {
		return ' '
	}
	return r
}

// name takes a qualified name (Namespaces in XML 1.0 section 4).
func (b *builder) name() string {
	n, start, colons := 0, true, 0
	for n < len(b.rest) {
		if isLetter(b.rest[n]) {
			start = false
			n++
			continue
		}
		r, size := utf8.DecodeRuneInString(b.rest[n:])
		switch {
		case r == ':' && !start && colons == 0:
			colons, start = 1, true
		case isNameRune(r, start):
			start = false
		default:
			size = 0
		}
		if size == 0 {
			break
		}
		n += size
	}
	name := b.rest[:n]
	if start {
		b.fail("a name is missing")
	}
	b.rest = b.rest[n:]
	return name
}

// isLetter says whether c is what most of a name is made of.
func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
}

// isNameRune says whether a name can have r, or begin with it.
func isNameRune(r rune, start bool) bool {
	switch {
	case r < utf8.RuneSelf && isLetter(byte(r)):
		return true
	case '0' <= r && r <= '9', r == '-', r == '.':
		return !start
	case r < utf8.RuneSelf:
		return false
	}
	return unicode.IsLetter(r) || !start && (unicode.IsDigit(r) || unicode.IsMark(r))
}
