package wscim

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// mofKind is what a word of MOF is.
type mofKind uint8

const (
	mofEnd mofKind = iota
	mofWord
	mofNumber
	mofString
	mofChar
	mofSign // one of { } = , ;
)

// mofToken is one word of MOF; of strings and characters text is what they stand for.
type mofToken struct {
	kind mofKind
	text string
	at   int
}

// mofLexer splits MOF into words (DSP0004 annex A). It keeps the first error, after
// which there are no more words.
type mofLexer struct {
	text string
	pos  int
	tok  mofToken
	err  error
}

func (l *mofLexer) failf(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf("MOF at character %d: %s", l.tok.at+1, fmt.Sprintf(format, args...))
	}
	l.tok, l.pos = mofToken{at: l.tok.at}, len(l.text)
}

// next goes on to the next word.
func (l *mofLexer) next() {
	l.skip()
	l.tok = mofToken{at: l.pos}
	if l.err != nil || l.pos == len(l.text) {
		return
	}
	switch c := l.text[l.pos]; {
	case strings.IndexByte("{}=,;", c) >= 0:
		l.take(mofSign, 1)
	case c == '"':
		l.strings()
	case c == '\'':
		l.quoted(mofChar, '\'')
	case isLetter(c):
		l.take(mofWord, l.span(func(c byte) bool { return isLetter(c) || isDecimal(c) }))
	case isDecimal(c), strings.IndexByte("+-.", c) >= 0:
		l.take(mofNumber, l.span(func(c byte) bool { return isLetter(c) || isDecimal(c) || strings.IndexByte("+-.", c) >= 0 }))
	default:
		r, _ := utf8.DecodeRuneInString(l.text[l.pos:])
		l.failf("%q is not expected", r)
	}
}

func isLetter(c byte) bool  { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDecimal(c byte) bool { return '0' <= c && c <= '9' }

func (l *mofLexer) take(k mofKind, n int) {
	l.tok.kind, l.tok.text = k, l.text[l.pos:l.pos+n]
	l.pos += n
}

func (l *mofLexer) span(in func(byte) bool) int {
	n := 0
	for l.pos+n < len(l.text) && in(l.text[l.pos+n]) {
		n++
	}
	return n
}

// skip passes over blanks and comments.
func (l *mofLexer) skip() {
	for l.pos < len(l.text) {
		rest := l.text[l.pos:]
		end, after := "", 0
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			l.pos++
			continue
		case strings.HasPrefix(rest, "//"):
			end, after = "\n", 2
		case strings.HasPrefix(rest, "/*"):
			end, after = "*/", 2
		default:
			return
		}
		n := strings.Index(rest[after:], end)
		if n < 0 {
			l.pos = len(l.text)
			return
		}
		l.pos += after + n + len(end)
	}
}

// strings takes a string, which may go on in another one.
func (l *mofLexer) strings() {
	at := l.pos
	var whole strings.Builder
	for l.pos < len(l.text) && l.text[l.pos] == '"' && l.err == nil {
		l.quoted(mofString, '"')
		whole.WriteString(l.tok.text)
		l.skip()
	}
	l.tok.at = at
	if l.err == nil {
		l.tok.text = whole.String()
	}
}

// quoted takes a text in quotes.
func (l *mofLexer) quoted(k mofKind, quote byte) {
	var b strings.Builder
	for i := l.pos + 1; i < len(l.text); {
		switch c := l.text[i]; c {
		case quote:
			l.tok.kind, l.tok.text, l.pos = k, b.String(), i+1
			return
		case '\\':
			n, ok := unescapeMOF(&b, l.text[i+1:])
			if !ok {
				l.tok.at = i
				l.failf("the escape is not understood")
				return
			}
			i += 1 + n
		default:
			b.WriteByte(c)
			i++
		}
	}
	l.failf("the text in quotes does not end")
}

// unescapeMOF writes what an escape stands for, and says how long it is after its
// backslash.
func unescapeMOF(b *strings.Builder, s string) (n int, ok bool) {
	if s == "" {
		return 0, false
	}
	if i := strings.IndexByte(`btnfr"'\`, s[0]); i >= 0 {
		b.WriteByte("\b\t\n\f\r\"'\\"[i])
		return 1, true
	}
	if s[0]|0x20 != 'x' {
		return 0, false
	}
	digits := 0
	for digits < 4 && 1+digits < len(s) && strings.IndexByte("0123456789abcdefABCDEF", s[1+digits]) >= 0 {
		digits++
	}
	r, err := strconv.ParseUint(s[1:1+digits], 16, 32)
	if err != nil {
		return 0, false
	}
	b.WriteRune(rune(r))
	return 1 + digits, true
}
