package soap

import (
	"strings"

	"twinlun/wsman"
)

// maxSelectors bounds a selector set.
const maxSelectors = 64

// ReadSelectorSet reads a w:SelectorSet. Besides w:Selector, with text or an
// endpoint reference in it, it takes what some clients write for reference keys:
// an element with the name of the key that holds the keys of the instance.
func ReadSelectorSet(e *Element) ([]wsman.Selector, error) {
	set := []wsman.Selector{}
	for c := range Children(e) {
		if len(set) == maxSelectors {
			return nil, wsman.EncodingLimit(wsman.DetailSelectorLimit, "there are more than %d selectors", maxSelectors)
		}
		s, err := readSelector(c)
		if err != nil {
			return nil, err
		}
		set = append(set, s)
	}
	return set, nil
}

func readSelector(e *Element) (wsman.Selector, error) {
	if e.Tag != "Selector" {
		return wsman.Selector{Name: e.Tag, EPR: keysEPR(e)}, nil
	}
	name, _ := Attr(e, "", "Name")
	s := wsman.Selector{Name: strings.TrimSpace(name)}
	if s.Name == "" {
		return s, wsman.InvalidSelectors("", "a selector has no name")
	}
	if !IsEPR(e) {
		s.Value = Text(e)
		return s, nil
	}
	epr, err := ReadEPR(e)
	s.EPR = &epr
	return s, err
}

// keysEPR makes an endpoint reference of an instance that stands for one.
func keysEPR(e *Element) *wsman.EPR {
	class := strings.TrimSuffix(TypeName(e), "_Type")
	epr := &wsman.EPR{}
	for c := range Children(e) {
		if ns, _ := Namespace(c); epr.ResourceURI == "" && strings.HasSuffix(ns, "/"+class) {
			epr.ResourceURI = ns
		}
		if len(epr.Selectors) < maxSelectors {
			epr.Selectors = append(epr.Selectors, wsman.Selector{Name: c.Tag, Value: Text(c)})
		}
	}
	if epr.ResourceURI == "" {
		epr.ResourceURI = wsman.ClassPrefix + class
	}
	return epr
}

// IsEPR says whether an element holds an endpoint reference: the wrapper
// a:EndpointReference, or its parts without it.
func IsEPR(e *Element) bool {
	for c := range Children(e) {
		switch c.Tag {
		case "EndpointReference", "ReferenceParameters", "ReferenceProperties":
			return true
		}
	}
	return false
}

// ReadEPR reads an endpoint reference from the element that holds it: with or
// without the wrapper a:EndpointReference, or the wrapper itself. Names count,
// namespaces do not: clients that write them inline forget declarations.
func ReadEPR(e *Element) (wsman.EPR, error) {
	if in := Child(e, "", "EndpointReference"); in != nil {
		e = in
	}
	epr := wsman.EPR{Address: ChildText(e, "", "Address")}
	params := Child(e, "", "ReferenceParameters")
	if params == nil {
		params = Child(e, "", "ReferenceProperties")
	}
	epr.ResourceURI = ChildText(params, "", "ResourceURI")
	if epr.ResourceURI == "" {
		return epr, wsman.InvalidSelectors("", "an endpoint reference has no ResourceURI")
	}
	set := Child(params, "", "SelectorSet")
	if set == nil {
		return epr, nil
	}
	var err error
	epr.Selectors, err = ReadSelectorSet(set)
	return epr, err
}
