package wscim

import (
	"strings"

	"twinlun/cim"
	"twinlun/wsman/soap"
)

// ClassOptions say what WriteClass leaves in.
type ClassOptions struct {
	Qualifiers  bool // QUALIFIER elements
	ClassOrigin bool // CLASSORIGIN attributes
	Inherited   bool // members that superclasses declare
	Hierarchy   bool // SUPERCLASS and DERIVATION
}

// WriteClass writes a class as a bare CLASS element of CIM-XML (DSP0201 section
// 5.2.3.1), in no namespace.
func WriteClass(w *soap.Writer, c *cim.Class, o ClassOptions) {
	x := classWriter{w, o}
	w.Start("", "CLASS")
	w.Attr("", "NAME", c.Name)
	if o.Hierarchy && c.Super != nil {
		w.Attr("", "SUPERCLASS", c.Super.Name)
		w.Attr("", "DERIVATION", strings.Join(derivation(c), ","))
	}
	x.flag("Association", c.Association)
	x.flag("Abstract", c.Abstract)
	x.flag("Indication", c.Indication)
	x.qualifiers(c.Qualifiers, "Association", "Abstract", "Indication")
	for _, p := range c.Properties {
		if o.Inherited || !p.Propagated {
			x.property(p)
		}
	}
	for _, m := range c.Methods {
		if o.Inherited || !m.Propagated {
			x.method(m)
		}
	}
	w.End()
}

// derivation lists the superclasses, nearest first.
func derivation(c *cim.Class) []string {
	var names []string
	for s := c.Super; s != nil; s = s.Super {
		names = append(names, s.Name)
	}
	return names
}

type classWriter struct {
	w *soap.Writer
	o ClassOptions
}

// member starts an element and writes the attributes that members share.
func (x classWriter) member(element, name string, attrs ...string) {
	x.w.Start("", element)
	x.w.Attr("", "NAME", name)
	for i := 0; i+1 < len(attrs); i += 2 {
		if attrs[i+1] != "" {
			x.w.Attr("", attrs[i], attrs[i+1])
		}
	}
}

// origin is the CLASSORIGIN attribute's value, empty if it is left out.
func (x classWriter) origin(class string) string {
	if x.o.ClassOrigin {
		return class
	}
	return ""
}

func propagated(is bool) string {
	if is {
		return "true"
	}
	return ""
}

func (x classWriter) property(p *cim.Property) {
	origin, inherited := x.origin(p.Origin), propagated(p.Propagated)
	switch {
	case p.Type == cim.Reference:
		x.member("PROPERTY.REFERENCE", p.Name, "REFERENCECLASS", p.RefClass, "CLASSORIGIN", origin, "PROPAGATED", inherited)
	case p.Array:
		x.member("PROPERTY.ARRAY", p.Name, "TYPE", p.Type.String(), "CLASSORIGIN", origin, "PROPAGATED", inherited)
	default:
		x.member("PROPERTY", p.Name, "TYPE", p.Type.String(), "CLASSORIGIN", origin, "PROPAGATED", inherited)
	}
	x.flag("key", p.Key)
	x.embedded(p.Embedded)
	x.qualifiers(p.Qualifiers, "Key", "EmbeddedInstance", "EmbeddedObject")
	if p.Default != nil && p.Type != cim.Reference {
		x.value(p.Default)
	}
	x.w.End()
}

func (x classWriter) method(m *cim.Method) {
	x.member("METHOD", m.Name, "TYPE", m.Return.String(), "CLASSORIGIN", x.origin(m.Origin), "PROPAGATED", propagated(m.Propagated))
	x.flag("static", m.Static)
	x.qualifiers(m.Qualifiers, "Static")
	for _, p := range m.Params {
		x.parameter(p)
	}
	x.w.End()
}

func (x classWriter) parameter(p *cim.Parameter) {
	switch {
	case p.Type == cim.Reference && p.Array:
		x.member("PARAMETER.REFARRAY", p.Name, "REFERENCECLASS", p.RefClass)
	case p.Type == cim.Reference:
		x.member("PARAMETER.REFERENCE", p.Name, "REFERENCECLASS", p.RefClass)
	case p.Array:
		x.member("PARAMETER.ARRAY", p.Name, "TYPE", p.Type.String())
	default:
		x.member("PARAMETER", p.Name, "TYPE", p.Type.String())
	}
	x.embedded(p.Embedded)
	x.flag("in", p.In)
	x.flag("out", p.Out)
	x.qualifiers(p.Qualifiers, "In", "Out", "EmbeddedInstance", "EmbeddedObject")
	x.w.End()
}

// embedded writes the qualifier of an embedded instance or object.
func (x classWriter) embedded(class string) {
	switch class {
	case "":
	case "*":
		x.flag("EmbeddedObject", true)
	default:
		x.qualifier(cim.Qualifier{Name: "EmbeddedInstance", Type: cim.String, Value: class})
	}
}

// flag writes a boolean qualifier that is set. The ones that clients depend on are
// written from the declaration, whatever its list of qualifiers says.
func (x classWriter) flag(name string, set bool) {
	if set {
		x.qualifier(cim.Qualifier{Name: name, Type: cim.Boolean, Value: true})
	}
}

// qualifiers writes a list without those that are written already.
func (x classWriter) qualifiers(qs cim.Qualifiers, written ...string) {
next:
	for _, q := range qs {
		for _, name := range written {
			if strings.EqualFold(q.Name, name) {
				continue next
			}
		}
		x.qualifier(q)
	}
}

func (x classWriter) qualifier(q cim.Qualifier) {
	if !x.o.Qualifiers {
		return
	}
	x.member("QUALIFIER", q.Name, "TYPE", q.Type.String())
	if q.Value != nil {
		x.value(q.Value)
	}
	x.w.End()
}

// value writes VALUE or VALUE.ARRAY.
func (x classWriter) value(v cim.Value) {
	list, ok := v.([]cim.Value)
	if !ok {
		x.w.Element("", "VALUE", cim.FormatText(v))
		return
	}
	x.w.Start("", "VALUE.ARRAY")
	for _, e := range list {
		if e == nil {
			x.w.Element("", "VALUE.NULL", "")
		} else {
			x.w.Element("", "VALUE", cim.FormatText(e))
		}
	}
	x.w.End()
}
