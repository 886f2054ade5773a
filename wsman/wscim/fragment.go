package wscim

import (
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// InstanceTree is an instance as the elements that WriteInstance writes, for XPath.
func InstanceTree(prefix string, in *cim.Instance, o InstanceOptions) (*soap.Element, error) {
	var w soap.Writer
	o.Standalone = true
	WriteInstance(&w, prefix, in, o)
	size := w.Len()
	return soap.Parse(w.Bytes(), soap.Limits{Bytes: size, Elements: size, TextLen: size})
}

// IsWhole says whether a property is one element whatever its value is: it is no
// array, or one that is written as base64.
func IsWhole(p *cim.Property) bool { return !p.Array || ofProperty(p).octets }

// WriteSelected writes w:XmlFragment with elements of an InstanceTree, or with their
// texts. Where there are none it holds NULL (DSP0226 section 7.8).
func WriteSelected(w *soap.Writer, found []*soap.Element, text bool) {
	if len(found) == 0 {
		w.Nil("w", xmlFragment)
		return
	}
	w.Start("w", xmlFragment)
	for _, e := range found {
		if text {
			w.Text(soap.RawText(e))
			continue
		}
		copyElement(w, e, true)
	}
	w.End()
}

// copyElement writes an element and all that is in it. The outermost one declares what
// was declared around it.
func copyElement(w *soap.Writer, e *soap.Element, outermost bool) {
	w.Start(e.Space, e.Tag)
	declared := map[string]bool{}
	for i := range e.Attr {
		w.Attr(e.Attr[i].Space, e.Attr[i].Key, e.Attr[i].Value)
		declared[e.Attr[i].Key] = e.Attr[i].Space == "xmlns"
	}
	for up := e.Parent(); outermost && up != nil; up = up.Parent() {
		for i := range up.Attr {
			if a := &up.Attr[i]; a.Space == "xmlns" && !declared[a.Key] {
				declared[a.Key] = true
				w.Namespace(a.Key, a.Value)
			}
		}
	}
	if text := soap.RawText(e); text != "" {
		w.Text(text)
	}
	for c := range soap.Children(e) {
		copyElement(w, c, false)
	}
	w.End()
}

// CheckFragment refuses a body that is not w:XmlFragment. The errors are *wsman.Fault.
func CheckFragment(e *soap.Element) error {
	if !soap.Is(e, wsman.NSWSMan, xmlFragment) {
		return wsman.InvalidRepresentation(wsman.DetailInvalidFragment, "the body must be w:%s", xmlFragment)
	}
	return nil
}

// FragmentElements are the elements of a property that a w:XmlFragment holds: of NULL
// there are none. Other elements, and text, are refused. The errors are *wsman.Fault.
func FragmentElements(fragment *soap.Element, p *cim.Property) ([]*soap.Element, error) {
	if soap.IsNil(fragment) {
		return nil, nil
	}
	var es []*soap.Element
	for e := range soap.Children(fragment) {
		if !strings.EqualFold(e.Tag, p.Name) {
			return nil, wsman.InvalidRepresentation(wsman.DetailInvalidFragment, "the fragment holds %q where %s is meant", clip(e.Tag), p.Name)
		}
		es = append(es, e)
	}
	if soap.Text(fragment) != "" {
		return nil, wsman.InvalidRepresentation(wsman.DetailInvalidFragment, "the fragment holds text where %s is meant; text() asks for text", p.Name)
	}
	return es, nil
}

const xmlFragment = "XmlFragment"
