package xpath

import "strings"

// path reads a location path (XPath 1.0 section 2).
func (p *parser) path() term {
	t := &path{}
	switch {
	case p.tok.kind == tokSign && p.tok.text == "//":
		p.failf("// is not understood, only paths that name every step")
	case p.tok.kind == tokSign && p.tok.text == "/":
		p.upwards()
		p.next()
		t.absolute = true
		if !p.startsStep() {
			return t
		}
	}
	for p.err == nil {
		s := p.step()
		t.steps = append(t.steps, s)
		if p.tok.kind == tokSign && p.tok.text == "//" {
			p.failf("// is not understood, only paths that name every step")
		}
		if s.axis == attribute || s.axis == text {
			break
		}
		if !p.sign("/") {
			break
		}
		p.count()
	}
	return t
}

// upwards refuses what would leave the context in brackets.
func (p *parser) upwards() {
	if p.brackets > 0 {
		p.failf("in brackets paths can only go down")
	}
}

func (p *parser) startsStep() bool {
	return p.tok.kind == tokName || p.tok.kind == tokSign && strings.Contains(" . .. @ ", " "+p.tok.text+" ")
}

// step reads one step with its predicates.
func (p *parser) step() *step {
	switch {
	case p.sign("."):
		return &step{axis: self}
	case p.tok.kind == tokSign && p.tok.text == "..":
		p.upwards()
		p.next()
		return &step{axis: parent}
	case p.sign("@"):
		return p.attribute()
	case p.tok.kind == tokName && p.tok.text == "text" && p.calls():
		p.next()
		p.expect("(")
		p.expect(")")
		return &step{axis: text}
	}
	if p.tok.kind == tokName && (p.tok.text == "child" || p.tok.text == "attribute") && strings.HasPrefix(p.text[p.pos:], "::") {
		axis := p.tok.text
		p.next()
		p.expect("::")
		if axis == "attribute" {
			return p.attribute()
		}
	}
	s := &step{axis: child}
	p.name(s)
	for p.tok.kind == tokSign && p.tok.text == "[" {
		p.predicate(s)
	}
	return s
}

// attribute reads the name of an attribute, which only a condition can look at.
func (p *parser) attribute() *step {
	if p.brackets == 0 {
		p.failf("an attribute can only stand in brackets")
	}
	s := &step{axis: attribute}
	p.name(s)
	return s
}

// name reads the name that a step asks for.
func (p *parser) name(s *step) {
	if p.tok.kind != tokName || p.calls() {
		p.failf("a name is missing before %s", p.tok)
		return
	}
	prefix, local, ok := strings.Cut(p.tok.text, ":")
	if !ok {
		prefix, local = "", prefix
	}
	s.local = local
	if prefix != "" && p.namespace != nil {
		s.space, _ = p.namespace(prefix)
	}
	p.next()
}

func (p *parser) predicate(s *step) {
	if !p.enter() {
		return
	}
	p.brackets++
	p.next()
	s.predicates = append(s.predicates, p.or())
	p.brackets--
	p.leave()
	p.expect("]")
}
