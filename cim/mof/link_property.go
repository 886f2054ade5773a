package mof

import "twinlun/cim"

// properties adds the properties of a declaration to those inherited.
func (l *linker) properties(c *cim.Class, d *ClassDecl) {
	names := make([]string, len(c.Properties))
	for i, p := range c.Properties {
		names[i] = p.Name
	}
	ps := newPlaces(l, names)
	for _, pd := range d.Properties {
		i, ok := ps.find(member{pd.Pos, "property", pd.Name, pd.Qualifiers})
		switch {
		case !ok:
		case i < 0:
			c.Properties = append(c.Properties, l.newProperty(c, pd))
		default:
			c.Properties[i] = l.override(c, pd, c.Properties[i])
		}
	}
}

func (l *linker) newProperty(c *cim.Class, d *PropertyDecl) *cim.Property {
	p := l.property(c, d, nil)
	p.Origin = c.Name
	if p.Key && c.Super != nil && len(c.Super.Keys) > 0 {
		l.errorf(d.Pos, "class %s adds key %s, but %s has keys already", c.Name, p.Name, c.Super.Name)
	}
	l.use(d.Pos, "property "+d.Name, p.RefClass, "")
	l.use(d.Pos, "property "+d.Name, p.Embedded, "")
	return p
}

func (l *linker) override(c *cim.Class, d *PropertyDecl, before *cim.Property) *cim.Property {
	p := l.property(c, d, before.Qualifiers)
	p.Origin = before.Origin
	if d.Default == nil {
		p.Default = before.Default
	}
	if p.Type != before.Type || p.Array != before.Array {
		l.errorf(d.Pos, "property %s is %s but overrides %s of %s",
			p.Name, typeName(p.Type, p.Array), typeName(before.Type, before.Array), before.Origin)
	}
	if p.Key && !before.Key && len(c.Super.Keys) > 0 {
		l.errorf(d.Pos, "class %s makes %s a key, but %s has keys already", c.Name, p.Name, c.Super.Name)
	}
	l.use(d.Pos, "property "+d.Name, p.RefClass, before.RefClass)
	l.use(d.Pos, "property "+d.Name, p.Embedded, before.Embedded)
	return p
}

// property makes what a declaration says; inherited are the qualifiers of what
// it overrides.
func (l *linker) property(c *cim.Class, d *PropertyDecl, inherited cim.Qualifiers) *cim.Property {
	scope := scopeProperty
	if d.Type.Type == cim.Reference {
		scope = scopeReference
	}
	p := &cim.Property{Name: d.Name, Type: d.Type.Type, Array: d.Type.Array, RefClass: d.Type.RefClass}
	p.Qualifiers = l.qualifiers(scope, d.Qualifiers, inherited)
	p.Key = p.Qualifiers.Flag(qualKey)
	p.Embedded = l.embedded(d.Pos, d.Name, p.Type, p.Qualifiers)
	if d.Default != nil {
		p.Default = l.fit(d.Default, d.Type, "the default of "+d.Name)
	}
	l.checkProperty(c, d, p)
	return p
}

func (l *linker) checkProperty(c *cim.Class, d *PropertyDecl, p *cim.Property) {
	l.checkValues(d.Pos, d.Name, p.Qualifiers)
	switch {
	case p.RefClass != "" && !c.Association:
		l.errorf(d.Pos, "reference %s in %s, which is not an association", p.Name, c.Name)
	case p.RefClass != "" && p.Array:
		l.errorf(d.Pos, "reference %s is an array", p.Name)
	case p.Key && (p.Array || p.Embedded != ""):
		l.errorf(d.Pos, "key %s is an array or an embedded instance", p.Name)
	}
}

// anyClass is Embedded of an object of any class.
const anyClass = "*"

// embedded is the class of the embedded instances that an element holds.
func (l *linker) embedded(at Pos, name string, t cim.Type, qs cim.Qualifiers) string {
	class := qs.Text(qualEmbeddedInstance)
	if class == "" && qs.Flag(qualEmbeddedObject) {
		class = anyClass
	}
	if class != "" && t != cim.String {
		l.errorf(at, "%s holds an embedded instance but is %s, not string", name, t)
	}
	return class
}

// use notes that something names a class.
func (l *linker) use(at Pos, what, class, within string) {
	if class == "" || class == anyClass {
		return
	}
	if within == anyClass {
		within = ""
	}
	l.uses = append(l.uses, classUse{at: at, what: what, class: class, within: within})
}

func typeName(t cim.Type, array bool) string {
	if array {
		return t.String() + "[]"
	}
	return t.String()
}
