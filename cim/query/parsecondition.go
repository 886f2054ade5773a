package query

// condition reads terms with OR between them.
func (p *parser) condition() condition {
	return p.junction(false, "OR", func() condition {
		return p.junction(true, "AND", p.factor)
	})
}

func (p *parser) junction(and bool, between string, term func() condition) condition {
	first := term()
	if !p.isWord(between) {
		return first
	}
	j := &junction{where: where(p.tok.off), and: and, terms: []condition{first}}
	for p.acceptWord(between) {
		j.terms = append(j.terms, term())
	}
	return j
}

// factor reads NOT, parentheses or a predicate.
func (p *parser) factor() condition {
	off := p.tok.off
	p.enter()
	defer p.leave()
	switch {
	case p.acceptWord("NOT"):
		return &negation{where: where(off), term: p.factor()}
	case p.accept("("):
		c := p.condition()
		p.expect(")")
		return c
	case p.lex.dialect.cql && (p.isWord("ANY") || p.isWord("EVERY")):
		return p.quantified()
	}
	return p.predicate()
}

// predicate reads what is said of one value.
func (p *parser) predicate() condition {
	left := p.operand()
	off := p.tok.off
	if p.tok.kind == mark {
		if op, ok := operatorOf(p.tok.text); ok {
			p.advance()
			return &comparison{where: where(off), op: op, left: left, right: p.operand()}
		}
	}
	switch {
	case p.acceptWord("LIKE"):
		return p.likeness(off, left)
	case p.acceptWord("NOT"):
		p.expectWord("LIKE")
		return &negation{where: where(off), term: p.likeness(off, left)}
	case p.acceptWord("IS"):
		return p.nullness(off, left)
	case p.acceptWord("ISA"):
		return p.kinship(off, left)
	case p.isWord("IN"):
		p.stop(off, "IN is not served: compare with each value and write OR between")
	case p.arithmetic():
		p.stop(off, "arithmetic with %s is not served", p.tok)
	default:
		p.unexpected("a comparison, LIKE, IS NULL or ISA")
	}
	return nil
}

// arithmetic says whether the next token would calculate something.
func (p *parser) arithmetic() bool {
	return p.is("+") || p.is("-") || p.is("*") || p.is("/") || p.is("||")
}

func (p *parser) likeness(off int, left operand) condition {
	return &likeness{where: where(off), value: left, pattern: p.expectKind(quoted, "a pattern in quotes")}
}

func (p *parser) nullness(off int, left operand) condition {
	not := p.acceptWord("NOT")
	p.expectWord("NULL")
	c := condition(&nullness{where: where(off), value: left})
	if not {
		c = &negation{where: where(off), term: c}
	}
	return c
}

func (p *parser) kinship(off int, left operand) condition {
	value, ok := left.(*path)
	if !ok {
		p.stop(off, "ISA is said of an instance, not of a value")
		return nil
	}
	k := &kinship{where: where(off), value: value, class: p.tok}
	if p.tok.kind != word && p.tok.kind != quoted {
		p.unexpected("the name of a class")
		return nil
	}
	p.advance()
	return k
}

// quantified reads ANY or EVERY: of an array and an operator (DSP0212), or with a
// name for the entry and SATISFIES (DSP0202).
func (p *parser) quantified() condition {
	q := &quantified{where: where(p.tok.off), every: p.isWord("EVERY")}
	p.advance()
	first := p.path()
	if !p.acceptWord("IN") {
		q.array = first
		q.term = p.entryComparison(first.at())
		return q
	}
	if len(first.parts) != 1 {
		p.stop(first.at(), "want a name for the entries, have %s", first)
		return nil
	}
	q.name = first.parts[0].name
	q.array = p.path()
	p.expectWord("SATISFIES")
	p.expect("(")
	q.term = p.condition()
	p.expect(")")
	return q
}

// entryComparison reads the operator and the value that entries without a name are
// compared with.
func (p *parser) entryComparison(off int) condition {
	entry := &path{where: where(off)}
	at := p.tok.off
	if p.acceptWord("LIKE") {
		return p.likeness(at, entry)
	}
	op, ok := operatorOf(p.tok.text)
	if p.tok.kind != mark || !ok {
		p.unexpected("a comparison, LIKE or IN")
		return nil
	}
	p.advance()
	return &comparison{where: where(at), op: op, left: entry, right: p.operand()}
}
