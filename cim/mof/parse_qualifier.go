package mof

import "strings"

func (p *parser) qualifierDecl() Decl {
	p.expectWord("qualifier")
	d := &QualifierDecl{ToSubclass: true, Overridable: true}
	d.Name, d.Pos = p.name("the name of a qualifier")
	p.expect(":")
	d.Type = p.intrinsic()
	d.Array = p.arrayMark()
	if p.accept("=") {
		d.Default = p.literal()
	}
	p.expect(",")
	p.expectWord("scope")
	p.list("(", ")", func() { p.scope(d) })
	if p.accept(",") {
		p.expectWord("flavor")
		p.list("(", ")", func() { p.flavor(d) })
	}
	p.expect(";")
	return d
}

func (p *parser) scope(d *QualifierDecl) {
	word, at := p.name("a scope")
	switch scope := strings.ToLower(word); scope {
	case scopeAny, scopeClass, scopeAssociation, scopeIndication, scopeProperty, scopeReference, scopeMethod, scopeParameter:
		d.Scopes = append(d.Scopes, scope)
	default:
		p.fail(at, "no such scope: %s", word)
	}
}

func (p *parser) flavor(d *QualifierDecl) {
	word, at := p.name("a flavor")
	switch strings.ToLower(word) {
	case "enableoverride":
		d.Overridable = true
	case "disableoverride":
		d.Overridable = false
	case "tosubclass":
		d.ToSubclass = true
	case "restricted":
		d.ToSubclass = false
	case "translatable":
	default:
		p.fail(at, "no such flavor: %s", word)
	}
}

// qualifiers reads the list in brackets before a declaration, if there is one.
func (p *parser) qualifiers() []QualifierUse {
	var uses []QualifierUse
	if p.is("[") {
		p.list("[", "]", func() { uses = append(uses, p.qualifierUse()) })
	}
	return uses
}

func (p *parser) qualifierUse() QualifierUse {
	var u QualifierUse
	u.Name, u.Pos = p.name("a qualifier")
	switch {
	case p.accept("("):
		u.Value = p.scalar()
		p.expect(")")
	case p.is("{"):
		u.Value = p.array()
	}
	if p.is(":") {
		p.fail(p.tok.Pos, "flavors belong to the declaration of a qualifier")
	}
	return u
}
