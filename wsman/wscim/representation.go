package wscim

import (
	"fmt"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// RepresentationClass is the class that the body of a Put or Create is an instance
// of: that of the element's name, in the namespace that its resource URI is. An
// element without a namespace passes. The errors are *wsman.Fault.
func RepresentationClass(e *soap.Element, env Env) (*cim.Class, error) {
	if e == nil {
		return nil, wsman.InvalidRepresentation(wsman.DetailMissingValues, "the message has no instance in its body")
	}
	if ns, _ := soap.Namespace(e); ns != "" {
		r, err := wsman.ParseResourceURI(ns)
		switch {
		case err != nil || r.Kind != wsman.KindClass || !strings.EqualFold(r.Class, e.Tag):
			return nil, wsman.InvalidRepresentation(wsman.DetailInvalidNamespace, "the XML namespace of %s is not the URI of that class", clip(e.Tag))
		case r.Namespace != "" && r.Namespace != env.Namespace:
			return nil, wsman.InvalidRepresentation(wsman.DetailInvalidNamespace, "the body is of namespace %s, the request of %s", clip(r.Namespace), env.Namespace)
		}
	}
	c, err := env.class(e.Tag)
	if err != nil {
		return nil, wsman.InvalidRepresentation(wsman.DetailInvalidNamespace, "%v", err)
	}
	return c, nil
}

// DecodeRepresentation reads the properties of c that an instance in XML has, in the
// order of the class, coerced; NULL is in the result, what is absent is not. Names
// count regardless of case and namespace. The errors are *wsman.Fault and name the
// property.
func DecodeRepresentation(e *soap.Element, c *cim.Class, env Env) ([]cim.PropertyValue, error) {
	groups, err := groupByProperty(e, c, env.IgnoreUnknown)
	if err != nil {
		return nil, err
	}
	var values []cim.PropertyValue
	for i, es := range groups {
		if len(es) == 0 {
			continue
		}
		v, err := DecodeProperty(c.Properties[i], es, env)
		if err != nil {
			return nil, err
		}
		values = append(values, cim.PropertyValue{Name: c.Properties[i].Name, Value: v})
	}
	return values, nil
}

// DecodeSome is DecodeRepresentation for some properties only, each once: others are
// not looked at, nor is what the class does not have. An array of them that is absent
// has no entries, for there is no other way to write that; anything else that is
// absent is an error.
func DecodeSome(e *soap.Element, c *cim.Class, names []string, env Env) ([]cim.PropertyValue, error) {
	groups, err := groupByProperty(e, c, true)
	if err != nil {
		return nil, err
	}
	var values []cim.PropertyValue
	seen := map[*cim.Property]bool{}
	for _, name := range names {
		p := c.Property(name)
		if p == nil {
			return nil, wsman.InvalidRepresentation(wsman.DetailInvalidValues, "class %s has no property %q", c.Name, clip(name))
		}
		if seen[p] {
			continue
		}
		seen[p] = true
		v := cim.Value([]cim.Value{})
		switch es := groups[p.Index]; {
		case len(es) > 0:
			v, err = DecodeProperty(p, es, env)
		case !p.Array:
			err = wsman.InvalidRepresentation(wsman.DetailMissingValues, "the property %s is to be modified and is not in the body", p.Name)
		}
		if err != nil {
			return nil, err
		}
		values = append(values, cim.PropertyValue{Name: p.Name, Value: v})
	}
	return values, nil
}

// DecodeProperty reads the value of a property from all its elements, of which there
// is at least one. What they are called does not matter. The errors are *wsman.Fault.
func DecodeProperty(p *cim.Property, es []*soap.Element, env Env) (cim.Value, error) {
	d := ofProperty(p)
	v, err := reader{env: env}.value(d, es)
	if err == nil {
		v, err = cim.Coerce(v, d.kind, d.array, d.embedded != "")
	}
	if err != nil {
		return nil, wsman.InvalidRepresentation(wsman.DetailInvalidValues, "property %s: %v", p.Name, err).With(err)
	}
	return v, nil
}

// groupByProperty sorts the children of an instance by the Index of their property.
func groupByProperty(e *soap.Element, c *cim.Class, ignoreUnknown bool) ([][]*soap.Element, error) {
	groups := make([][]*soap.Element, len(c.Properties))
	for el := range soap.Children(e) {
		p := c.Property(el.Tag)
		switch {
		case p != nil:
			groups[p.Index] = append(groups[p.Index], el)
		case !ignoreUnknown:
			return nil, wsman.InvalidRepresentation(wsman.DetailInvalidValues, "class %s has no property %q", c.Name, clip(el.Tag))
		}
	}
	return groups, nil
}

// WriteRepresentation writes some properties of an instance of a class as the body of
// a Put or Create; what the class does not have is left out. The values must be
// coerced. An array without entries leaves no trace.
func WriteRepresentation(w *soap.Writer, prefix string, c *cim.Class, values []cim.PropertyValue) {
	w.Start("p", c.Name)
	w.Namespace("p", prefix+c.Name)
	w.Attr("xsi", "type", "p:"+c.Name+"_Type")
	x := emitter{w: w, prefix: prefix}
	for _, v := range values {
		if p := c.Property(v.Name); p != nil {
			x.value("p", ofProperty(p), v.Value)
		}
	}
	w.End()
}

// WriteResourceCreated writes the answer to Create: the name of the new instance, with
// the parts of an endpoint reference right in the element (DSP0226 section 7.6).
func WriteResourceCreated(w *soap.Writer, prefix string, p *cim.Path) {
	w.Start("x", resourceCreated)
	soap.WriteEPRContent(w, PathToEPR(p, prefix))
	w.End()
}

// ReadResourceCreated reads what WriteResourceCreated wrote, with or without a wrapper
// a:EndpointReference, as servers differ in it.
func ReadResourceCreated(e *soap.Element, env Env) (*cim.Path, error) {
	if e == nil || e.Tag != resourceCreated {
		return nil, fmt.Errorf("the answer is not x:%s", resourceCreated)
	}
	epr, err := soap.ReadEPR(e)
	if err != nil {
		return nil, err
	}
	return EPRToPath(epr, env)
}

const resourceCreated = "ResourceCreated"
