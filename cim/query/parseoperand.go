package query

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"twinlun/cim"
)

// operand reads a value; in CQL perhaps one with another added or taken away.
func (p *parser) operand() operand {
	left := p.value()
	if !p.lex.dialect.cql || !p.is("+") && !p.is("-") {
		return left
	}
	s := &sum{where: where(p.tok.off), minus: p.is("-"), left: left}
	p.advance()
	s.right = p.value()
	return s
}

func (p *parser) value() operand {
	t := p.tok
	switch {
	case t.kind == quoted:
		p.advance()
		return &literal{where(t.off), t.text}
	case t.kind == number:
		p.advance()
		return &literal{where(t.off), p.number(t, false)}
	case p.accept("-"), p.accept("+"):
		n := p.expectKind(number, "a number")
		return &literal{where(t.off), p.number(n, t.text == "-")}
	case p.is("#"):
		return p.symbol(t.off, nil)
	case t.kind == word:
		return p.named()
	}
	p.unexpected("a property or a value")
	return &literal{where(t.off), nil}
}

// named reads a constant, a function or a property.
func (p *parser) named() operand {
	off := p.tok.off
	s := p.path()
	switch {
	case p.is("(") && len(s.parts) == 1:
		return p.call(off, s.parts[0].name)
	case p.is("#"):
		return p.symbol(off, s)
	case len(s.parts) == 1 && s.parts[0].class == "" && s.parts[0].index == none:
		if v, ok := constant(s.parts[0].name); ok {
			return &literal{where(off), v}
		}
	}
	return s
}

func constant(name string) (v cim.Value, ok bool) {
	switch strings.ToUpper(name) {
	case "TRUE":
		return true, true
	case "FALSE":
		return false, true
	case "NULL":
		return nil, true
	}
	return nil, false
}

func (p *parser) symbol(off int, property *path) operand {
	if !p.lex.dialect.cql {
		p.stop(p.tok.off, "names of values are written in CQL only: use the number")
	}
	p.expect("#")
	return &symbol{where(off), property, p.expectKind(quoted, "the name of a value in quotes")}
}

func (p *parser) call(off int, function string) operand {
	c := &call{where: where(off), function: function}
	if !p.lex.dialect.cql {
		p.stop(off, "the function %s is not served", clip(function))
	}
	p.expect("(")
	for !p.is(")") && p.err == nil {
		if p.is("*") || p.is("(") {
			p.stop(off, "the function %s is not served", clip(function))
		}
		p.term(p.tok.off)
		p.enter()
		c.args = append(c.args, p.operand())
		p.leave()
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	return c
}

// path reads the names that lead to a property.
func (p *parser) path() *path {
	s := &path{where: where(p.tok.off)}
	for {
		p.term(p.tok.off)
		s.parts = append(s.parts, p.part())
		if !p.accept(".") {
			return s
		}
		if p.is("*") && p.lex.dialect.cql {
			s.parts = append(s.parts, part{where: where(p.tok.off), name: "*", index: none})
			p.advance()
			return s
		}
	}
}

// part reads a name, in CQL perhaps with the class that has it, and an index.
func (p *parser) part() part {
	t := p.expectKind(word, "the name of a property")
	s := part{where: where(t.off), name: t.text, index: none}
	if p.is("::") && !p.lex.dialect.cql {
		p.stop(p.tok.off, "a class before :: is written in CQL only")
	}
	if p.accept("::") {
		s.class, s.name = s.name, p.expectKind(word, "the name of a property").text
	}
	if p.accept("[") {
		s.index = p.index()
		p.expect("]")
	}
	return s
}

func (p *parser) index() int {
	if p.lex.dialect.cql && p.accept("*") {
		return all
	}
	t := p.expectKind(number, "the number of an entry")
	if strings.Contains(t.text, "..") {
		p.stop(t.off, "ranges of an array are not served")
		return none
	}
	n, err := strconv.ParseUint(t.text, 10, 31)
	if err != nil && p.err == nil {
		p.stop(t.off, "%s is not the number of an entry: entries count from 0", t)
		return none
	}
	return int(n)
}

// number is the value of a number: uint64, int64 where it is negative, or float64.
func (p *parser) number(t token, negative bool) cim.Value {
	if p.err != nil {
		return nil
	}
	digits, base := t.text, 10
	switch last := len(digits) - 1; {
	case len(digits) > 2 && strings.EqualFold(digits[:2], "0x"):
		digits, base = digits[2:], 16
	case p.lex.dialect.cql && digits[last]|0x20 == 'b':
		digits, base = digits[:last], 2
	case strings.ContainsAny(digits, ".eE"):
		return p.real(t, negative)
	}
	n, err := strconv.ParseUint(digits, base, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), negative && n > -math.MinInt64:
		p.stop(t.off, "the number %s is too large", clip(t.text))
	case err != nil:
		p.stop(t.off, "%s is not a number", t)
	case negative && n > 0:
		return int64(-n)
	}
	return n
}

func (p *parser) real(t token, negative bool) cim.Value {
	f, err := strconv.ParseFloat(t.text, 64)
	switch {
	case strings.ContainsAny(t.text, "_xXpPiInN"), err != nil && !errors.Is(err, strconv.ErrRange):
		p.stop(t.off, "%s is not a number", t)
	case err != nil:
		p.stop(t.off, "the number %s is too large", clip(t.text))
	case negative:
		return -f
	}
	return f
}
