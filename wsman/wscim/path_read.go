package wscim

import (
	"errors"
	"fmt"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// pathText reads an object path in its text form (DSP0004 section 8.4), as cim.Path
// writes it: NAMESPACE:CLASS.KEY="text",KEY=1. The host is not looked at, no more than
// the address of an endpoint reference is.
func (r reader) pathText(text string) (*cim.Path, error) {
	epr, err := r.pathEPR(text, 0)
	if err != nil {
		return nil, err
	}
	return EPRToPath(epr, r.env)
}

// pathEPR makes an endpoint reference of an object path in its text form.
func (r reader) pathEPR(text string, depth int) (wsman.EPR, error) {
	if depth > maxNesting {
		return wsman.EPR{}, fmt.Errorf("references are nested more than %d deep", maxNesting)
	}
	ns, class, keys, err := splitPath(text)
	if err != nil {
		return wsman.EPR{}, err
	}
	epr := wsman.EPR{ResourceURI: wsman.ClassPrefix + class}
	if ns != "" {
		epr.Selectors = append(epr.Selectors, wsman.Selector{Name: wsman.SelectorNamespace, Value: ns})
	}
	c, err := r.env.class(class)
	for keys != "" && err == nil {
		var s wsman.Selector
		s, keys, err = nextKey(keys)
		if p := c.Property(s.Name); err == nil && p != nil && p.Type == cim.Reference {
			var inner wsman.EPR
			inner, err = r.pathEPR(s.Value, depth+1)
			s.EPR = &inner
		}
		epr.Selectors = append(epr.Selectors, s)
	}
	return epr, err
}

// splitPath parts an object path before its class and its keys.
func splitPath(text string) (ns, class, keys string, err error) {
	name, keys, hasKeys := strings.Cut(text, ".")
	if strings.HasPrefix(text, "//") || strings.HasPrefix(text, `\\`) {
		// The host may have dots: what is before the colon is host and namespace.
		host, rest, ok := strings.Cut(text[2:], ":")
		if !ok {
			return "", "", "", errors.New("the object path has a host and no namespace")
		}
		_, ns, _ = strings.Cut(strings.ReplaceAll(host, `\`, "/"), "/")
		name, keys, hasKeys = strings.Cut(rest, ".")
		name = ns + ":" + name
	}
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		ns, name = name[:i], name[i+1:]
	}
	if name == "" || hasKeys && keys == "" {
		return "", "", "", fmt.Errorf("%q is not an object path", clip(text))
	}
	return strings.Trim(ns, "/"), name, keys, nil
}

// nextKey takes KEY=VALUE and the comma after it.
func nextKey(text string) (s wsman.Selector, rest string, err error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" || value == "" {
		return s, "", fmt.Errorf("%q is not KEY=VALUE in an object path", clip(text))
	}
	s.Name = strings.TrimSpace(name)
	if quote := value[0]; quote == '"' || quote == '\'' {
		s.Value, rest, ok = cutQuoted(value[1:], quote)
	} else {
		s.Value, rest, _ = strings.Cut(value, ",")
		return s, rest, nil
	}
	switch {
	case !ok:
		return s, "", fmt.Errorf("the key %s of an object path has a text that does not end", clip(s.Name))
	case rest == "":
		return s, "", nil
	}
	rest, ok = strings.CutPrefix(rest, ",")
	if !ok || rest == "" {
		return s, "", fmt.Errorf("a comma and a key are missing after the key %s of an object path", clip(s.Name))
	}
	return s, rest, nil
}

// cutQuoted parts a text before its closing quote; a backslash takes the meaning from
// what follows it.
func cutQuoted(s string, quote byte) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == quote:
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// cimXMLReference reads VALUE.REFERENCE, or one of the elements that it holds (DSP0201
// section 5.2.4): INSTANCENAME, LOCALINSTANCEPATH or INSTANCEPATH.
func (r reader) cimXMLReference(d decl, e *soap.Element) (cim.Value, error) {
	epr, err := cimXMLEPR(e, 0)
	if err != nil {
		return nil, err
	}
	p, err := EPRToPath(epr, r.env)
	if err != nil {
		return nil, err
	}
	return p, r.checkClass(p.Class, d.refClass)
}

func cimXMLEPR(e *soap.Element, depth int) (wsman.EPR, error) {
	if e != nil && e.Tag == "VALUE.REFERENCE" {
		e = soap.FirstChild(e)
	}
	ns := ""
	if e != nil && (e.Tag == "INSTANCEPATH" || e.Tag == "LOCALINSTANCEPATH") {
		ns = cimXMLNamespace(e)
		e = soap.Child(e, "", "INSTANCENAME")
	}
	if e == nil || e.Tag != "INSTANCENAME" || depth > maxNesting {
		return wsman.EPR{}, errors.New("a reference in CIM-XML must be an INSTANCENAME or a path that has one")
	}
	class, _ := soap.Attr(e, "", "CLASSNAME")
	epr := wsman.EPR{ResourceURI: wsman.ClassPrefix + class}
	if ns != "" {
		epr.Selectors = append(epr.Selectors, wsman.Selector{Name: wsman.SelectorNamespace, Value: ns})
	}
	for k := range soap.Children(e) {
		s, err := cimXMLKey(k, depth)
		if err != nil {
			return epr, err
		}
		epr.Selectors = append(epr.Selectors, s)
	}
	return epr, nil
}

// cimXMLNamespace joins the NAMESPACE elements of a path.
func cimXMLNamespace(e *soap.Element) string {
	if in := soap.Child(e, "", "NAMESPACEPATH"); in != nil {
		e = in
	}
	var parts []string
	for n := range soap.Children(soap.Child(e, "", "LOCALNAMESPACEPATH")) {
		name, _ := soap.Attr(n, "", "NAME")
		parts = append(parts, name)
	}
	return strings.Join(parts, "/")
}

// cimXMLKey reads a KEYBINDING.
func cimXMLKey(e *soap.Element, depth int) (wsman.Selector, error) {
	name, _ := soap.Attr(e, "", "NAME")
	s := wsman.Selector{Name: name}
	switch v := soap.FirstChild(e); {
	case e.Tag != "KEYBINDING" || v == nil:
		return s, fmt.Errorf("%q is not a key binding", clip(e.Tag))
	case v.Tag == "VALUE.REFERENCE":
		epr, err := cimXMLEPR(v, depth+1)
		s.EPR = &epr
		return s, err
	default:
		s.Value = soap.RawText(v)
	}
	return s, nil
}
