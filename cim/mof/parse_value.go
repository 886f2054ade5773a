package mof

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"

	"twinlun/cim"
)

// literal reads a value or an array of values.
func (p *parser) literal() *Literal {
	if p.is("{") {
		return p.array()
	}
	return p.scalar()
}

func (p *parser) array() *Literal {
	at := p.tok.Pos
	values := []cim.Value{}
	p.list("{", "}", func() { values = append(values, p.scalar().Value) })
	return &Literal{Pos: at, Value: values}
}

func (p *parser) scalar() *Literal {
	lit := &Literal{Pos: p.tok.Pos}
	switch p.tok.kind {
	case text:
		lit.Value = p.strings()
		return lit
	case number:
		lit.Value = p.number(p.tok)
	case char:
		lit.Value = p.char(p.tok)
	case ident:
		lit.Value = p.constant(p.tok)
	default:
		p.unexpected("a value")
		return lit
	}
	p.advance()
	return lit
}

// strings reads one string or several in a row, which are one.
func (p *parser) strings() string {
	var b strings.Builder
	for p.tok.kind == text {
		b.WriteString(p.tok.text)
		p.advance()
	}
	return b.String()
}

func (p *parser) constant(t token) cim.Value {
	switch strings.ToLower(t.text) {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return nil
	}
	p.unexpected("a value")
	return nil
}

func (p *parser) char(t token) cim.Value {
	units := utf16.Encode([]rune(t.text))
	if len(units) != 1 {
		p.fail(t.Pos, "want one character between the quotes")
		return nil
	}
	return uint64(units[0])
}

func (p *parser) number(t token) cim.Value {
	v, err := parseNumber(t.text)
	switch {
	case errors.Is(err, strconv.ErrRange):
		p.fail(t.Pos, "%s is too large", t.text)
	case err != nil:
		p.fail(t.Pos, "not a number: %s", t.text)
	}
	return v
}

// parseNumber reads an integer, decimal, hexadecimal (0x1F), binary (101b) or
// octal (017), as uint64 or, when negative, int64; or a real as float64.
func parseNumber(s string) (cim.Value, error) {
	digits, base := s, 10
	neg := s[0] == '-'
	if neg || s[0] == '+' {
		digits = s[1:]
	}
	lower := strings.ToLower(digits)
	switch {
	case strings.HasPrefix(lower, "0x"):
		digits, base = digits[2:], 16
	case strings.HasSuffix(lower, "b"):
		digits, base = digits[:len(digits)-1], 2
	case strings.Contains(digits, "."):
		return parseReal(s)
	case len(digits) > 1 && digits[0] == '0':
		base = 8
	}
	mag, err := strconv.ParseUint(digits, base, 64)
	switch {
	case err != nil:
		return nil, err
	case !neg:
		return mag, nil
	case mag > math.MaxInt64+1:
		return nil, strconv.ErrRange
	}
	return int64(-mag), nil
}

func parseReal(s string) (cim.Value, error) {
	if strings.ContainsAny(s, "_pPxX") {
		return nil, strconv.ErrSyntax
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, err
	}
	return f, nil
}
