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
	root := found[0]
	for root.Parent() != nil {
		root = root.Parent()
	}
	if !text {
		declare(w, root, map[string]bool{})
	}
	for _, e := range found {
		if text {
			w.Text(soap.RawText(e))
			continue
		}
		copyElement(w, e, root)
	}
	w.End()
}

// declare declares the prefixes that an element declares, but for those in done.
func declare(w *soap.Writer, e *soap.Element, done map[string]bool) {
	for i := range e.Attr {
		if a := &e.Attr[i]; a.Space == "xmlns" && !done[a.Key] {
			done[a.Key] = true
			w.Namespace(a.Key, a.Value)
		}
	}
}

// copyElement writes an element and all that is in it, with what is declared between
// it and the root; a nil root is for the elements in it.
func copyElement(w *soap.Writer, e, root *soap.Element) {
	w.Start(e.Space, e.Tag)
	done := map[string]bool{}
	for i := range e.Attr {
		w.Attr(e.Attr[i].Space, e.Attr[i].Key, e.Attr[i].Value)
		done[e.Attr[i].Key] = e.Attr[i].Space == "xmlns"
	}
	if root != nil && e != root {
		for up := e.Parent(); up != root; up = up.Parent() {
			declare(w, up, done)
		}
	}
	if text := soap.RawText(e); text != "" {
		w.Text(text)
	}
	for c := range soap.Children(e) {
		copyElement(w, c, nil)
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
