package wscim

import (
	"fmt"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// ReadClass reads a CLASS element of CIM-XML. Superclasses are known by name only.
// The errors are *wsman.Fault.
func ReadClass(e *soap.Element) (*cim.Class, error) {
	c, err := readClass(e)
	if err != nil {
		return nil, wsman.SchemaValidationError("a class in CIM-XML: %v", err).With(err)
	}
	c.Link()
	return c, nil
}

func readClass(e *soap.Element) (*cim.Class, error) {
	if e == nil || e.Tag != "CLASS" || attr(e, "NAME") == "" {
		return nil, fmt.Errorf("there is no CLASS element with a name")
	}
	c := &cim.Class{Name: attr(e, "NAME"), Super: superclasses(e)}
	for el := range soap.Children(e) {
		if err := readMember(c, el); err != nil {
			return nil, err
		}
	}
	c.Association = c.Qualifiers.Flag("Association")
	c.Abstract = c.Qualifiers.Flag("Abstract")
	c.Indication = c.Qualifiers.Flag("Indication")
	return c, nil
}

func attr(e *soap.Element, name string) string {
	v, _ := soap.Attr(e, "", name)
	return strings.TrimSpace(v)
}

// superclasses makes the chain that SUPERCLASS and DERIVATION name.
func superclasses(e *soap.Element) *cim.Class {
	names := strings.FieldsFunc(attr(e, "DERIVATION"), func(r rune) bool { return r == ',' || r == ' ' })
	if len(names) == 0 && attr(e, "SUPERCLASS") != "" {
		names = []string{attr(e, "SUPERCLASS")}
	}
	var super *cim.Class
	for i := len(names) - 1; i >= 0; i-- {
		super = &cim.Class{Name: names[i], Super: super}
		super.Link()
	}
	return super
}

// readMember takes one child of a CLASS. What is not known is passed over.
func readMember(c *cim.Class, e *soap.Element) error {
	switch e.Tag {
	case "QUALIFIER":
		q, err := readQualifier(e)
		c.Qualifiers = append(c.Qualifiers, q)
		return err
	case "PROPERTY", "PROPERTY.ARRAY", "PROPERTY.REFERENCE":
		p, err := readProperty(e)
		c.Properties = append(c.Properties, p)
		return err
	case "METHOD":
		m, err := readMethod(e)
		c.Methods = append(c.Methods, m)
		return err
	}
	return nil
}

// readQualifiers reads all qualifiers within an element.
func readQualifiers(e *soap.Element) (cim.Qualifiers, error) {
	var qs cim.Qualifiers
	for el := range soap.Children(e) {
		if el.Tag != "QUALIFIER" {
			continue
		}
		q, err := readQualifier(el)
		if err != nil {
			return nil, err
		}
		qs = append(qs, q)
	}
	return qs, nil
}

func readQualifier(e *soap.Element) (cim.Qualifier, error) {
	q := cim.Qualifier{Name: attr(e, "NAME")}
	t, err := typeNamed(e)
	if err != nil {
		return q, fmt.Errorf("qualifier %q: %w", clip(q.Name), err)
	}
	q.Type = t
	if q.Value, err = readValues(e, t); err != nil {
		return q, fmt.Errorf("qualifier %q: %w", clip(q.Name), err)
	}
	_, q.Array = q.Value.([]cim.Value)
	return q, nil
}

func typeNamed(e *soap.Element) (cim.Type, error) {
	t, ok := cim.TypeNamed(strings.ToLower(attr(e, "TYPE")))
	if !ok {
		return 0, fmt.Errorf("there is no type %q", clip(attr(e, "TYPE")))
	}
	return t, nil
}

// readValues reads the VALUE or VALUE.ARRAY within an element.
func readValues(e *soap.Element, t cim.Type) (cim.Value, error) {
	if v := soap.Child(e, "", "VALUE"); v != nil {
		return parseScalar(t, soap.RawText(v))
	}
	array := soap.Child(e, "", "VALUE.ARRAY")
	if array == nil {
		return nil, nil
	}
	list := []cim.Value{}
	for el := range soap.Children(array) {
		if el.Tag == "VALUE.NULL" {
			list = append(list, nil)
			continue
		}
		v, err := parseScalar(t, soap.RawText(el))
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func readProperty(e *soap.Element) (*cim.Property, error) {
	p := &cim.Property{
		Name: attr(e, "NAME"), RefClass: attr(e, "REFERENCECLASS"), Origin: attr(e, "CLASSORIGIN"),
		Propagated: attr(e, "PROPAGATED") == "true", Array: e.Tag == "PROPERTY.ARRAY", Type: cim.Reference,
	}
	var err error
	if p.Qualifiers, err = readQualifiers(e); err != nil {
		return p, err
	}
	if e.Tag != "PROPERTY.REFERENCE" {
		if p.Type, err = typeNamed(e); err != nil {
			return p, fmt.Errorf("property %q: %w", clip(p.Name), err)
		}
		if p.Default, err = readValues(e, p.Type); err != nil {
			return p, fmt.Errorf("property %q: %w", clip(p.Name), err)
		}
	}
	p.Key = p.Qualifiers.Flag("Key")
	p.Embedded = embeddedClass(p.Qualifiers)
	if p.Embedded != "" {
		p.Default = nil
	}
	return p, nil
}

// embeddedClass is the class of an embedded instance, "*" for any object.
func embeddedClass(qs cim.Qualifiers) string {
	if qs.Flag("EmbeddedObject") {
		return "*"
	}
	return qs.Text("EmbeddedInstance")
}

func readMethod(e *soap.Element) (*cim.Method, error) {
	m := &cim.Method{
		Name: attr(e, "NAME"), Origin: attr(e, "CLASSORIGIN"), Propagated: attr(e, "PROPAGATED") == "true",
	}
	var err error
	if m.Return, err = typeNamed(e); err != nil {
		return m, fmt.Errorf("method %q: %w", clip(m.Name), err)
	}
	if m.Qualifiers, err = readQualifiers(e); err != nil {
		return m, err
	}
	m.Static = m.Qualifiers.Flag("Static")
	for el := range soap.Children(e) {
		if !strings.HasPrefix(el.Tag, "PARAMETER") {
			continue
		}
		p, err := readParameter(el)
		if err != nil {
			return m, fmt.Errorf("method %q: %w", clip(m.Name), err)
		}
		m.Params = append(m.Params, p)
	}
	return m, nil
}

func readParameter(e *soap.Element) (*cim.Parameter, error) {
	p := &cim.Parameter{Name: attr(e, "NAME"), RefClass: attr(e, "REFERENCECLASS"), Type: cim.Reference}
	p.Array = e.Tag == "PARAMETER.ARRAY" || e.Tag == "PARAMETER.REFARRAY"
	var err error
	if p.Qualifiers, err = readQualifiers(e); err != nil {
		return p, err
	}
	if e.Tag == "PARAMETER" || e.Tag == "PARAMETER.ARRAY" {
		if p.Type, err = typeNamed(e); err != nil {
			return p, fmt.Errorf("parameter %q: %w", clip(p.Name), err)
		}
	}
	p.Embedded = embeddedClass(p.Qualifiers)
	p.Out = p.Qualifiers.Flag("Out")
	_, said := p.Qualifiers.Get("In")
	p.In = p.Qualifiers.Flag("In") || !said && !p.Out
	return p, nil
}
