package xpath

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// kind is what a token is.
type kind uint8

const (
	tokEnd     kind = iota
	tokName         // a QName, "*" or "prefix:*"
	tokLiteral      // in quotes, without them
	tokNumber
	tokSign // punctuation and operators that are not words
)

// token is one word of an expression.
type token struct {
	kind   kind
	text   string
	offset int
}

// String is how messages call the token.
func (t token) String() string {
	if t.kind == tokEnd {
		return "the end"
	}
	return fmt.Sprintf("%.40q", t.text)
}

// lexer splits an expression into tokens.
type lexer struct {
	text string
	pos  int
}

// scan gives the next token; msg says what is wrong, or is empty.
func (l *lexer) scan() (t token, msg string) {
	for l.pos < len(l.text) && strings.IndexByte(" \t\r\n", l.text[l.pos]) >= 0 {
		l.pos++
	}
	t.offset = l.pos
	if l.pos == len(l.text) {
		return t, ""
	}
	rest := l.text[l.pos:]
	switch c := rest[0]; {
	case c == '"' || c == '\'':
		return l.literal(t, c)
	case isDigit(c), c == '.' && len(rest) > 1 && isDigit(rest[1]):
		return l.take(t, tokNumber, numberLength(rest)), ""
	case isNameByte(c, true):
		return l.take(t, tokName, nameLength(rest)), ""
	case c == '*':
		return l.take(t, tokName, 1), ""
	}
	for _, s := range []string{"..", "::", "//", "!=", "<=", ">="} {
		if strings.HasPrefix(rest, s) {
			return l.take(t, tokSign, len(s)), ""
		}
	}
	if strings.IndexByte("./[]()@,|=<>-", rest[0]) >= 0 {
		return l.take(t, tokSign, 1), ""
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return t, fmt.Sprintf("%q is not expected", r)
}

func (l *lexer) take(t token, k kind, n int) token {
	t.kind, t.text = k, l.text[l.pos:l.pos+n]
	l.pos += n
	return t
}

// literal takes a text in quotes.
func (l *lexer) literal(t token, quote byte) (token, string) {
	n := strings.IndexByte(l.text[l.pos+1:], quote)
	if n < 0 {
		return t, "the text in quotes does not end"
	}
	t = l.take(t, tokLiteral, n+2)
	t.text = t.text[1 : n+1]
	return t, ""
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isNameByte takes all that is not ASCII for letters.
func isNameByte(c byte, first bool) bool {
	letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= utf8.RuneSelf
	return letter || !first && (isDigit(c) || c == '-' || c == '.')
}

func numberLength(s string) int {
	n, dots := 0, 0
	for n < len(s) && (isDigit(s[n]) || s[n] == '.' && dots == 0) {
		if s[n] == '.' {
			dots++
		}
		n++
	}
	return n
}

// nameLength is the length of the QName, or "prefix:*", that s begins with.
func nameLength(s string) int {
	n := wordLength(s)
	if n+1 >= len(s) || s[n] != ':' {
		return n
	}
	if s[n+1] == '*' {
		return n + 2
	}
	if isNameByte(s[n+1], true) {
		return n + 1 + wordLength(s[n+1:])
	}
	return n
}

func wordLength(s string) int {
	n := 0
	for n < len(s) && isNameByte(s[n], n == 0) {
		n++
	}
	return n
}
