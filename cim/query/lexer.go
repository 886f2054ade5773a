package query

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is the kind of a token.
type kind uint8

const (
	eof kind = iota
	word
	quoted // a string, decoded
	number // as written
	mark   // punctuation
)

// token is one word of a statement.
type token struct {
	off  int // in bytes
	kind kind
	text string
}

// String names the token in messages.
func (t token) String() string {
	switch t.kind {
	case eof:
		return "the end of the query"
	case quoted:
		return "a string"
	default:
		return strconv.Quote(clip(t.text))
	}
}

// longMarks are the marks of two characters; all others have one.
const longMarks = "<> <= >= != == :: ||"

// lexer cuts a statement into tokens. After its first error it gives eof for ever.
type lexer struct {
	*faults
	dialect dialect
	off     int
}

func (l *lexer) next() token {
	l.skipBlank()
	t := token{off: l.off}
	if l.err != nil || l.off >= len(l.text) {
		return t
	}
	c := l.text[l.off]
	switch r := l.peekRune(); {
	case isLetter(r):
		t.kind, t.text = word, l.take(func(r rune) bool { return isLetter(r) || isDigit(r) })
	case isDigit(r), r == '.' && l.off+1 < len(l.text) && isDigit(rune(l.text[l.off+1])):
		t.kind, t.text = number, l.takeNumber()
	case c == '"' || c == '\'':
		t.kind, t.text = quoted, l.takeQuoted(c)
	default:
		t.kind, t.text = mark, l.takeMark(r)
	}
	if l.err != nil {
		return token{off: l.off}
	}
	return t
}

func (l *lexer) skipBlank() {
	for l.off < len(l.text) && strings.IndexByte(" \t\r\n\f\v", l.text[l.off]) >= 0 {
		l.off++
	}
}

func (l *lexer) peekRune() rune {
	r, _ := utf8.DecodeRuneInString(l.text[l.off:])
	return r
}

func (l *lexer) take(while func(rune) bool) string {
	start := l.off
	for l.off < len(l.text) {
		r, n := utf8.DecodeRuneInString(l.text[l.off:])
		if !while(r) {
			break
		}
		l.off += n
	}
	return l.text[start:l.off]
}

// takeNumber takes everything that can be part of a number; whether it is one,
// parseNumber says.
func (l *lexer) takeNumber() string {
	start := l.off
	hex := len(l.text) > start+1 && l.text[start] == '0' && l.text[start+1]|0x20 == 'x'
	for l.off < len(l.text) {
		c := rune(l.text[l.off])
		sign := !hex && (c == '+' || c == '-') && l.off > start && l.text[l.off-1]|0x20 == 'e'
		if !isDigit(c) && !isLetter(c) && c != '.' && !sign {
			break
		}
		l.off++
	}
	return l.text[start:l.off]
}

func (l *lexer) takeMark(r rune) string {
	n := utf8.RuneLen(r)
	switch {
	case unicode.IsControl(r) || r == utf8.RuneError:
		l.fail(l.off, "unexpected character %q", r)
		return ""
	case l.off+2 <= len(l.text) && strings.Contains(longMarks, l.text[l.off:l.off+2]) && l.text[l.off+1] != ' ':
		n = 2
	}
	l.off += n
	return l.text[l.off-n : l.off]
}

// takeQuoted takes a string. In WQL a backslash stands before a quote or another
// backslash, and for itself before anything else; a quote may be written twice. In
// CQL a backslash begins one of the escapes of DSP0202 annex A.
func (l *lexer) takeQuoted(quote byte) string {
	start := l.off
	var b strings.Builder
	for l.off++; l.off < len(l.text); {
		switch c := l.text[l.off]; {
		case c == quote && !l.dialect.cql && strings.HasPrefix(l.text[l.off+1:], string(quote)):
			b.WriteByte(quote)
			l.off += 2
		case c == quote:
			l.off++
			return b.String()
		case c == '\\':
			b.WriteString(l.takeEscape())
		default:
			b.WriteString(l.takeRune())
		}
		if l.err != nil {
			return ""
		}
	}
	l.fail(start, "this string has no end: %c is missing", quote)
	return ""
}

func (l *lexer) takeRune() string {
	r, n := utf8.DecodeRuneInString(l.text[l.off:])
	if r == utf8.RuneError && n <= 1 {
		l.fail(l.off, "the query is not UTF-8")
		return ""
	}
	l.off += n
	return l.text[l.off-n : l.off]
}

// escapes are the characters after a backslash in CQL and what they stand for, in
// pairs.
const escapes = "b\bt\tn\nf\fr\r\"\"''\\\\"

func (l *lexer) takeEscape() string {
	if l.off+1 >= len(l.text) {
		l.off++ // the missing quote is what is told
		return ""
	}
	c := l.text[l.off+1]
	if !l.dialect.cql {
		return l.takePlainEscape(c)
	}
	if c == 'u' || c == 'U' {
		return l.takeCodePoint(c)
	}
	for i := 0; i < len(escapes); i += 2 {
		if escapes[i] == c {
			l.off += 2
			return escapes[i+1 : i+2]
		}
	}
	l.fail(l.off, `there is no escape \%c: a backslash is written \\`, c)
	return ""
}

func (l *lexer) takePlainEscape(c byte) string {
	if strings.IndexByte(`\'"`, c) < 0 {
		l.off++
		return `\`
	}
	l.off += 2
	return l.text[l.off-1 : l.off]
}

// takeCodePoint reads \u and four hexadecimal digits, or \U and eight.
func (l *lexer) takeCodePoint(c byte) string {
	digits := 4
	if c == 'U' {
		digits = 8
	}
	at, end := l.off+2, l.off+2+digits
	if end > len(l.text) {
		end = at
	}
	n, err := strconv.ParseUint(l.text[at:end], 16, 32)
	if err != nil || !utf8.ValidRune(rune(n)) || n > unicode.MaxRune {
		l.fail(l.off, `\%c wants the %d hexadecimal digits of a character`, c, digits)
		return ""
	}
	l.off = end
	return string(rune(n))
}

func isLetter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r > unicode.MaxASCII && unicode.IsLetter(r)
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }
