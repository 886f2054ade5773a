package mof

import "twinlun/cim"

func (p *parser) classDecl() Decl {
	c := &ClassDecl{Qualifiers: p.qualifiers()}
	p.expectWord("class")
	c.Name, c.Pos = p.name("the name of a class")
	if p.accept(":") {
		c.Super, c.SuperAt = p.name("the name of a class")
	}
	p.expect("{")
	for !p.is("}") && p.tok.kind != eof {
		p.feature(c)
	}
	p.expect("}")
	p.expect(";")
	return c
}

// feature reads a property, reference or method.
func (p *parser) feature(c *ClassDecl) {
	quals := p.qualifiers()
	typ := p.typeRef()
	name, at := p.name("the name of a property or method")
	if !p.is("(") {
		c.Properties = append(c.Properties, p.property(PropertyDecl{Pos: at, Name: name, Type: typ, Qualifiers: quals}))
		return
	}
	if typ.Type == cim.Reference {
		p.fail(at, "a method does not return a reference")
	}
	m := &MethodDecl{Pos: at, Name: name, Return: typ.Type, Qualifiers: quals}
	p.list("(", ")", func() { m.Params = append(m.Params, p.param()) })
	p.expect(";")
	c.Methods = append(c.Methods, m)
}

// property reads what follows the name.
func (p *parser) property(d PropertyDecl) *PropertyDecl {
	d.Type.Array = p.arrayMark()
	if p.accept("=") {
		d.Default = p.literal()
	}
	p.expect(";")
	return &d
}

func (p *parser) param() *ParamDecl {
	d := &ParamDecl{Qualifiers: p.qualifiers()}
	d.Type = p.typeRef()
	d.Name, d.Pos = p.name("the name of a parameter")
	d.Type.Array = p.arrayMark()
	return d
}
