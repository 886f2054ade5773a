package mof

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// kind is the kind of a token.
type kind uint8

const (
	eof kind = iota
	ident
	text   // a string literal, decoded
	char   // a character literal, decoded
	number // as written
	punct  // one byte
)

// token is one word of the text.
type token struct {
	Pos
	kind kind
	text string
}

// String names the token in messages.
func (t token) String() string {
	switch t.kind {
	case eof:
		return "the end of the text"
	case text:
		return "a string"
	default:
		return strconv.Quote(t.text)
	}
}

// lexer cuts a text into tokens. After its first error it gives eof for ever.
type lexer struct {
	file      string
	src       string
	off       int
	line      int
	lineStart int // offset of the first byte of the line
	err       *Error
}

func newLexer(file string, src []byte) *lexer {
	return &lexer{file: file, src: string(src), line: 1}
}

func (l *lexer) pos() Pos { return Pos{File: l.file, Line: l.line, Col: l.off - l.lineStart + 1} }

// fail keeps the first error and drops the rest of the text.
func (l *lexer) fail(at Pos, format string, args ...any) {
	if l.err == nil {
		l.err = errorf(at, format, args...)
	}
	l.off = len(l.src)
}

// peek is the byte n places ahead, 0 beyond the end.
func (l *lexer) peek(n int) byte {
	if l.off+n < len(l.src) {
		return l.src[l.off+n]
	}
	return 0
}

func (l *lexer) next() token {
	l.skipBlank()
	t := token{Pos: l.pos()}
	if l.off >= len(l.src) {
		return t
	}
	switch c := l.src[l.off]; {
	case isLetter(c):
		t.kind, t.text = ident, l.take(isWordByte)
	case isDigit(c), (c == '+' || c == '-') && isDigit(l.peek(1)), (c == '.') && isDigit(l.peek(1)):
		t.kind, t.text = number, l.takeNumber()
	case c == '"':
		t.kind, t.text = text, l.takeQuoted('"')
	case c == '\'':
		t.kind, t.text = char, l.takeQuoted('\'')
	case strings.IndexByte("[](){}:;,=#", c) >= 0:
		t.kind, t.text = punct, l.src[l.off:l.off+1]
		l.off++
	default:
		r, _ := utf8.DecodeRuneInString(l.src[l.off:])
		l.fail(t.Pos, "unexpected character %q", r)
	}
	if l.err != nil {
		return token{Pos: l.err.Pos}
	}
	return t
}

// skipBlank passes white space and comments.
func (l *lexer) skipBlank() {
	for l.off < len(l.src) {
		switch c := l.src[l.off]; {
		case c == '\n':
			l.off++
			l.line, l.lineStart = l.line+1, l.off
		case c == ' ', c == '\t', c == '\r', c == '\f':
			l.off++
		case c == '/' && l.peek(1) == '/':
			l.skipLine()
		case c == '/' && l.peek(1) == '*':
			l.skipComment()
		default:
			return
		}
	}
}

func (l *lexer) skipLine() {
	if i := strings.IndexByte(l.src[l.off:], '\n'); i >= 0 {
		l.off += i
		return
	}
	l.off = len(l.src)
}

func (l *lexer) skipComment() {
	i := strings.Index(l.src[l.off+2:], "*/")
	if i < 0 {
		l.fail(l.pos(), "this comment does not end")
		return
	}
	body := l.src[l.off : l.off+2+i]
	l.line += strings.Count(body, "\n")
	if nl := strings.LastIndexByte(body, '\n'); nl >= 0 {
		l.lineStart = l.off + nl + 1
	}
	l.off += i + 4
}

func (l *lexer) take(while func(byte) bool) string {
	start := l.off
	for l.off < len(l.src) && while(l.src[l.off]) {
		l.off++
	}
	return l.src[start:l.off]
}

// takeNumber takes a sign, and then everything that can be part of a number;
// whether it is one, parseNumber says.
func (l *lexer) takeNumber() string {
	start := l.off
	l.off++
	for l.off < len(l.src) {
		c, before := l.src[l.off], l.src[l.off-1]
		exponentSign := (c == '+' || c == '-') && (before == 'e' || before == 'E')
		if !isWordByte(c) && c != '.' && !exponentSign {
			break
		}
		l.off++
	}
	return l.src[start:l.off]
}

// takeQuoted takes a literal in quotes and decodes it.
func (l *lexer) takeQuoted(quote byte) string {
	start := l.pos()
	var b strings.Builder
	for l.off++; l.off < len(l.src); {
		switch c := l.src[l.off]; {
		case c == quote:
			l.off++
			return b.String()
		case c == '\n':
			l.fail(start, "this literal does not end on its line")
		case c == '\\':
			b.WriteRune(l.takeEscape())
		default:
			b.WriteRune(l.takeRune())
		}
	}
	l.fail(start, "this literal does not end")
	return ""
}

func (l *lexer) takeRune() rune {
	r, n := utf8.DecodeRuneInString(l.src[l.off:])
	if r == utf8.RuneError && n <= 1 {
		l.fail(l.pos(), "the text is not UTF-8")
		return 0
	}
	l.off += n
	return r
}

// escapes are the characters after a backslash (DSP0004 annex A) and what they
// stand for, in pairs.
const escapes = "b\bt\tn\nf\fr\r\"\"''\\\\"

func (l *lexer) takeEscape() rune {
	c := l.peek(1)
	if c == 'x' || c == 'X' {
		return l.takeHexEscape()
	}
	for i := 0; i < len(escapes); i += 2 {
		if escapes[i] == c {
			l.off += 2
			return rune(escapes[i+1])
		}
	}
	l.fail(l.pos(), "unknown escape \\%c", c)
	return 0
}

// takeHexEscape reads \x and one to four hexadecimal digits.
func (l *lexer) takeHexEscape() rune {
	at := l.pos()
	l.off += 2
	digits := 0
	for digits < 4 && isHex(l.peek(digits)) {
		digits++
	}
	n, err := strconv.ParseUint(l.src[l.off:l.off+digits], 16, 16)
	if err != nil || utf16.IsSurrogate(rune(n)) {
		l.fail(at, "\\x wants the number of a character")
		return 0
	}
	l.off += digits
	return rune(n)
}

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}
func isDigit(c byte) bool    { return c >= '0' && c <= '9' }
func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) }
func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
