package xpath

import (
	"fmt"
	"strconv"
	"strings"
)

// parser reads an expression by recursive descent (XPath 1.0 section 3). It keeps
// the first error; after it every token is the end.
type parser struct {
	lexer
	namespace func(string) (string, bool)
	tok       token
	depth     int // of parentheses and brackets
	brackets  int // of brackets alone
	terms     int
	err       error
}

func (p *parser) failf(format string, args ...any) {
	if p.err == nil {
		p.err = &SyntaxError{Offset: p.tok.offset, Msg: fmt.Sprintf(format, args...)}
	}
	p.tok = token{offset: p.tok.offset}
}

func (p *parser) next() {
	if p.err != nil {
		return
	}
	t, msg := p.scan()
	p.tok = t
	if msg != "" {
		p.failf("%s", msg)
	}
}

// sign takes a token if it is this sign.
func (p *parser) sign(s string) bool {
	if p.tok.kind != tokSign || p.tok.text != s {
		return false
	}
	p.next()
	return true
}

// word takes a token if it is this operator that is a word.
func (p *parser) word(s string) bool {
	if p.tok.kind != tokName || p.tok.text != s {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(s string) {
	if p.err == nil && !p.sign(s) {
		p.failf("%q is missing before %s", s, p.tok)
	}
}

// count counts a term against the limit.
func (p *parser) count() {
	if p.terms++; p.terms > maxTerms {
		p.failf("the expression has more than %d terms", maxTerms)
	}
}

// enter goes one level deeper; leave comes back.
func (p *parser) enter() bool {
	if p.depth++; p.depth > maxDepth {
		p.failf("brackets are nested more than %d deep", maxDepth)
		return false
	}
	return true
}

func (p *parser) leave() { p.depth-- }

func (p *parser) or() term {
	left := p.and()
	for p.word("or") {
		p.count()
		left = &logic{left: left, right: p.and(), or: true}
	}
	return left
}

func (p *parser) and() term {
	left := p.equality()
	for p.word("and") {
		p.count()
		left = &logic{left: left, right: p.equality()}
	}
	return left
}

func (p *parser) equality() term { return p.binary(p.relation, "=", "!=") }
func (p *parser) relation() term { return p.binary(p.union, "<=", "<", ">=", ">") }

// binary reads operands that are joined by comparisons.
func (p *parser) binary(operand func() term, signs ...string) term {
	left := operand()
	for {
		op := ""
		for _, s := range signs {
			if p.sign(s) {
				op = s
				break
			}
		}
		if op == "" {
			return left
		}
		p.count()
		left = &comparison{op: op, left: left, right: operand()}
	}
}

func (p *parser) union() term {
	at := p.tok.offset
	left := p.primary()
	if p.tok.kind != tokSign || p.tok.text != "|" {
		return left
	}
	u := &union{parts: []term{left}}
	for p.sign("|") {
		p.count()
		u.parts = append(u.parts, p.primary())
	}
	for _, part := range u.parts {
		if !isPath(part) && p.err == nil {
			p.err = &SyntaxError{Offset: at, Msg: "only paths can be united by |"}
		}
	}
	return u
}

func isPath(t term) bool {
	switch t.(type) {
	case *path, *union:
		return true
	}
	return false
}

// primary reads what has no operator in it.
func (p *parser) primary() term {
	p.count()
	t := p.tok
	switch {
	case p.err != nil:
		return literal("")
	case t.kind == tokLiteral:
		p.next()
		return literal(t.text)
	case t.kind == tokNumber:
		return p.number("")
	case p.sign("-"):
		return p.number("-")
	case p.sign("("):
		return p.group()
	case t.kind == tokName && t.text != "text" && p.calls():
		return p.call()
	}
	return p.path()
}

func (p *parser) number(prefix string) term {
	f, err := strconv.ParseFloat(prefix+p.tok.text, 64)
	if p.tok.kind != tokNumber || err != nil {
		p.failf("%s is not a number", p.tok)
		return literal("")
	}
	p.next()
	return number(f)
}

func (p *parser) group() term {
	if !p.enter() {
		return literal("")
	}
	defer p.leave()
	inner := p.or()
	p.expect(")")
	return inner
}

// calls says whether a parenthesis follows the name at hand.
func (p *parser) calls() bool {
	return strings.HasPrefix(strings.TrimLeft(p.text[p.pos:], " \t\r\n"), "(")
}

// call reads a function call.
func (p *parser) call() term {
	name := p.tok
	f, ok := functions()[name.text]
	if !ok {
		p.failf("the function %s is not known", name)
		return literal("")
	}
	if !p.enter() {
		return literal("")
	}
	defer p.leave()
	p.next()
	p.expect("(")
	c := &call{function: f}
	for p.err == nil && !p.sign(")") {
		if len(c.args) > 0 {
			p.expect(",")
		}
		c.args = append(c.args, p.or())
	}
	switch n := len(c.args); {
	case p.err != nil:
	case n < f.least || n > f.most:
		p.err = &SyntaxError{Offset: name.offset, Msg: fmt.Sprintf("the function %s does not take %d arguments", name, n)}
	case f.nodes && n > 0 && !isPath(c.args[0]):
		p.err = &SyntaxError{Offset: name.offset, Msg: fmt.Sprintf("the function %s takes a path", name)}
	}
	return c
}
