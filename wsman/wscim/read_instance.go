package wscim

import (
	"fmt"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// DecodeInstance reads an instance. Its class is c or, where c is nil, that of
// xsi:type or of the element's name. Properties are found by name regardless of
// case and namespace and typed by the class; those that are absent keep the
// class's default. The instance has no path. The errors are *wsman.Fault.
func DecodeInstance(e *soap.Element, c *cim.Class, env Env) (*cim.Instance, error) {
	if e == nil {
		return nil, wsman.InvalidRepresentation(wsman.DetailMissingValues, "the message has no instance")
	}
	r := reader{env: env}
	if c == nil {
		var err error
		if c, err = env.class(r.className(e)); err != nil {
			return nil, wsman.InvalidRepresentation(wsman.DetailInvalidNamespace, "%v", err)
		}
	}
	in, err := r.instance(c, e)
	if err != nil {
		return nil, wsman.InvalidRepresentation(wsman.DetailInvalidValues, "%v", err).With(err)
	}
	return in, nil
}

// instance reads the properties that are children of e.
func (r reader) instance(c *cim.Class, e *soap.Element) (*cim.Instance, error) {
	groups := make([][]*soap.Element, len(c.Properties))
	for el := range soap.Children(e) {
		p := c.Property(el.Tag)
		if p == nil && r.env.IgnoreUnknown {
			continue
		}
		if p == nil {
			return nil, fmt.Errorf("class %s has no property %q", c.Name, clip(el.Tag))
		}
		groups[p.Index] = append(groups[p.Index], el)
	}
	in := cim.NewInstance(c)
	for i, es := range groups {
		if len(es) == 0 {
			continue
		}
		p := c.Properties[i]
		v, err := r.value(ofProperty(p), es)
		if err == nil {
			err = in.Set(p.Name, v)
		}
		if err != nil {
			return nil, fmt.Errorf("property %s: %w", p.Name, err)
		}
	}
	return in, nil
}

// typeClass is the class that xsi:type names, with or without the suffix that
// DSP0230 gives it; empty if it names another type.
func (r reader) typeClass(e *soap.Element) string {
	t := soap.TypeName(e)
	if class, ok := strings.CutSuffix(t, "_Type"); ok || r.known(class) {
		return class
	}
	return ""
}

// className is the class that an element says it is an instance of.
func (r reader) className(e *soap.Element) string {
	if c := r.typeClass(e); c != "" {
		return c
	}
	return e.Tag
}

// embedded reads an embedded instance: as children of the element, as an element
// within it, or as escaped text.
func (r reader) embedded(d decl, e *soap.Element) (cim.Value, error) {
	if r.depth++; r.depth > maxNesting {
		return nil, fmt.Errorf("instances are nested more than %d deep", maxNesting)
	}
	text := soap.Text(e)
	switch {
	case soap.FirstChild(e) == nil && text != "":
		return r.embeddedText(d, text)
	case soap.FirstChild(e) == nil && r.typeClass(e) == "":
		return nil, nil
	case isCIMXML(soap.FirstChild(e)):
		return r.cimXML(d, soap.FirstChild(e))
	}
	c, e, err := r.classOf(d, e)
	if err != nil {
		return nil, err
	}
	return r.instance(c, e)
}

// classOf finds the class of an embedded instance and the element that has its
// properties. The class is that of xsi:type; else, where the only child is named
// after a class, the child is the instance; else it is the declared class.
func (r reader) classOf(d decl, e *soap.Element) (*cim.Class, *soap.Element, error) {
	name := r.typeClass(e)
	if in := soap.FirstChild(e); name == "" && in != nil && soap.FirstChild(in) != nil && r.known(r.className(in)) {
		name, e = r.className(in), in
	}
	if name == "" && d.embedded != "*" {
		name = d.embedded
	}
	c, err := r.env.class(name)
	if err == nil {
		err = checkEmbedded(c, d.embedded)
	}
	return c, e, err
}

func (r reader) known(class string) bool {
	_, err := r.env.class(class)
	return err == nil
}

func checkEmbedded(c *cim.Class, want string) error {
	if want == "" || want == "*" || c.IsA(want) {
		return nil
	}
	return fmt.Errorf("%s is not a %s", c.Name, want)
}

// embeddedText reads an instance from text: an XML element as it would be inline,
// CIM-XML, or MOF.
func (r reader) embeddedText(d decl, text string) (cim.Value, error) {
	if !strings.HasPrefix(text, "<") {
		return r.embeddedMOF(d, text)
	}
	e, err := soap.Parse([]byte(text), r.env.Limits)
	if err != nil {
		return nil, err
	}
	if isCIMXML(e) {
		return r.cimXML(d, e)
	}
	c, err := r.env.class(r.className(e))
	if err == nil {
		err = checkEmbedded(c, d.embedded)
	}
	if err != nil {
		return nil, err
	}
	return r.instance(c, e)
}

// isCIMXML recognizes an instance of DSP0201.
func isCIMXML(e *soap.Element) bool {
	if e == nil || e.Tag != "INSTANCE" {
		return false
	}
	_, ok := soap.Attr(e, "", "CLASSNAME")
	return ok
}

// cimXML reads an INSTANCE of DSP0201 section 5.2.4.1.
func (r reader) cimXML(d decl, e *soap.Element) (cim.Value, error) {
	name, _ := soap.Attr(e, "", "CLASSNAME")
	c, err := r.env.class(name)
	if err == nil {
		err = checkEmbedded(c, d.embedded)
	}
	if err != nil {
		return nil, err
	}
	in := cim.NewInstance(c)
	for el := range soap.Children(e) {
		if el.Tag == "QUALIFIER" {
			continue
		}
		if err := r.cimXMLProperty(in, el); err != nil {
			return nil, err
		}
	}
	return in, nil
}

func (r reader) cimXMLProperty(in *cim.Instance, e *soap.Element) error {
	name, _ := soap.Attr(e, "", "NAME")
	p := in.Class.Property(name)
	if p == nil {
		return fmt.Errorf("class %s has no property %q", in.Class.Name, clip(name))
	}
	var v cim.Value
	var err error
	switch e.Tag {
	case "PROPERTY":
		v, err = r.cimXMLValue(ofProperty(p), soap.Child(e, "", "VALUE"))
	case "PROPERTY.ARRAY":
		v, err = r.cimXMLArray(ofProperty(p), soap.Child(e, "", "VALUE.ARRAY"))
	case "PROPERTY.REFERENCE":
		v, err = r.cimXMLValue(ofProperty(p), soap.Child(e, "", "VALUE.REFERENCE"))
	default:
		err = fmt.Errorf("%q is not understood here", clip(e.Tag))
	}
	if err == nil {
		err = in.Set(p.Name, v)
	}
	if err != nil {
		return fmt.Errorf("property %s: %w", p.Name, err)
	}
	return nil
}

func (r reader) cimXMLArray(d decl, e *soap.Element) (cim.Value, error) {
	if e == nil {
		return nil, nil
	}
	list := []cim.Value{}
	for el := range soap.Children(e) {
		var v cim.Value
		var err error
		if el.Tag != "VALUE.NULL" {
			v, err = r.cimXMLValue(d, el)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (r reader) cimXMLValue(d decl, e *soap.Element) (cim.Value, error) {
	switch {
	case e == nil:
		return nil, nil
	case d.kind == cim.Reference:
		return r.cimXMLReference(d, e)
	}
	return r.scalar(d, e)
}
