package mof

import (
	"strings"

	"twinlun/cim"
)

// methods adds the methods of a declaration to those inherited.
func (l *linker) methods(c *cim.Class, d *ClassDecl) {
	names := make([]string, len(c.Methods))
	for i, m := range c.Methods {
		names[i] = m.Name
	}
	ps := newPlaces(l, names)
	for _, md := range d.Methods {
		i, ok := ps.find(member{md.Pos, "method", md.Name, md.Qualifiers})
		switch {
		case !ok:
		case i < 0:
			m := l.method(md, &cim.Method{})
			m.Origin = c.Name
			c.Methods = append(c.Methods, m)
		default:
			before := c.Methods[i]
			m := l.method(md, before)
			m.Origin = before.Origin
			l.checkOverride(md, m, before)
			c.Methods[i] = m
		}
	}
}

// method makes what a declaration says; before is the method that it overrides,
// or an empty one.
func (l *linker) method(d *MethodDecl, before *cim.Method) *cim.Method {
	m := &cim.Method{Name: d.Name, Return: d.Return}
	m.Qualifiers = l.qualifiers(scopeMethod, d.Qualifiers, before.Qualifiers)
	m.Static = m.Qualifiers.Flag(qualStatic)
	l.checkValues(d.Pos, d.Name, m.Qualifiers)
	seen := map[string]Pos{}
	for _, pd := range d.Params {
		key := strings.ToLower(pd.Name)
		if at, twice := seen[key]; twice {
			l.errorf(pd.Pos, "parameter %s is already declared at %s", pd.Name, at)
			continue
		}
		seen[key] = pd.Pos
		m.Params = append(m.Params, l.param(pd, before.Param(pd.Name)))
	}
	return m
}

// param makes a parameter; before is the one that it overrides, or nil.
func (l *linker) param(d *ParamDecl, before *cim.Parameter) *cim.Parameter {
	if before == nil {
		before = &cim.Parameter{}
	}
	p := &cim.Parameter{Name: d.Name, Type: d.Type.Type, Array: d.Type.Array, RefClass: d.Type.RefClass}
	p.Qualifiers = l.qualifiers(scopeParameter, d.Qualifiers, before.Qualifiers)
	p.In, p.Out = directions(p.Qualifiers)
	p.Embedded = l.embedded(d.Pos, d.Name, p.Type, p.Qualifiers)
	l.checkValues(d.Pos, d.Name, p.Qualifiers)
	l.use(d.Pos, "parameter "+d.Name, p.RefClass, before.RefClass)
	l.use(d.Pos, "parameter "+d.Name, p.Embedded, before.Embedded)
	return p
}

// directions: In is true where it is not given, Out is not (DSP0004 sections
// 5.6.3.23 and 5.6.3.37), so that [Out] alone is both.
func directions(qs cim.Qualifiers) (in, out bool) {
	in = true
	if _, given := qs.Get(qualIn); given {
		in = qs.Flag(qualIn)
	}
	return in, qs.Flag(qualOut)
}

// checkOverride wants an overriding method to be callable as the overridden one
// is: same result, and every parameter there with its type and directions.
func (l *linker) checkOverride(d *MethodDecl, m, before *cim.Method) {
	if m.Return != before.Return {
		l.errorf(d.Pos, "method %s returns %s but overrides one that returns %s", m.Name, m.Return, before.Return)
	}
	for _, old := range before.Params {
		p := m.Param(old.Name)
		switch {
		case p == nil:
			l.errorf(d.Pos, "method %s lacks parameter %s of the method that it overrides", m.Name, old.Name)
		case p.Type != old.Type || p.Array != old.Array:
			l.errorf(d.Pos, "parameter %s of %s is %s but overrides %s",
				p.Name, m.Name, typeName(p.Type, p.Array), typeName(old.Type, old.Array))
		case p.In != old.In || p.Out != old.Out:
			l.errorf(d.Pos, "parameter %s of %s has other directions than the one that it overrides", p.Name, m.Name)
		}
	}
}
