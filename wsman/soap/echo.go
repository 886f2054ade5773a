package soap

import (
	"github.com/beevik/etree"

	"twinlun/wsman"
)

// maxEcho bounds the reference parameters that an answer repeats.
const maxEcho = 2048

// Echo makes header blocks of the reference parameters (and, of the first version
// of WS-Addressing, properties) of an endpoint reference in a message's header: who
// sends to it must put them there (DSP0226 R5.4.2-5, R5.4.3-4). It fails where they
// are more than fit, or where a prefix in them is not declared.
func (m *Message) Echo(header string) ([]byte, error) {
	var w Writer
	e := Child(m.Header, m.Addressing, header)
	for _, name := range []string{"ReferenceProperties", "ReferenceParameters"} {
		for p := range Children(Child(e, m.Addressing, name)) {
			c := copier{w: &w, marked: m.Addressing == wsman.NSAddressing10}
			if !c.copy(p, true) {
				return nil, wsman.InvalidHeader("", "the reference parameters of %s have undeclared prefixes, or more than %d bytes", header, maxEcho)
			}
		}
	}
	return w.Bytes(), nil
}

// copier writes elements of one document into another.
type copier struct {
	w      *Writer
	marked bool // outermost elements are marked as reference parameters
}

// copy writes an element and all that is in it. The outermost one declares what was
// declared around it.
func (c *copier) copy(e *Element, outermost bool) bool {
	if _, declared := Namespace(e); !declared {
		return false
	}
	c.w.Start(e.Space, e.Tag)
	for i := range e.Attr {
		a := &e.Attr[i]
		if a.Space != "" && a.Space != "xmlns" && attrNamespace(a) == "" {
			return false
		}
		c.w.Attr(a.Space, a.Key, a.Value)
	}
	if outermost {
		c.finish(e)
	}
	for _, t := range e.Child {
		switch t := t.(type) {
		case *etree.CharData:
			c.w.Text(t.Data)
		case *Element:
			if !c.copy(t, false) {
				return false
			}
		}
		if c.w.Len() > maxEcho {
			return false
		}
	}
	c.w.End()
	return c.w.Len() <= maxEcho
}

// finish declares the namespaces that are declared around an outermost element and
// not by itself, and marks it.
func (c *copier) finish(e *Element) {
	seen := map[string]bool{}
	for up := e; up != nil && len(c.w.buf) <= maxEcho; up = up.Parent() {
		for _, a := range up.Attr {
			prefix, ok := declares(a.Space, a.Key)
			if ok && !seen[prefix] && up != e {
				c.w.Namespace(prefix, a.Value)
			}
			seen[prefix] = seen[prefix] || ok
		}
	}
	if _, marked := Attr(e, wsman.NSAddressing10, "IsReferenceParameter"); marked || !c.marked {
		return
	}
	prefix := "a"
	for seen[prefix] {
		prefix += "_"
	}
	c.w.Namespace(prefix, wsman.NSAddressing10)
	c.w.Attr(prefix, "IsReferenceParameter", "true")
}

// declares is the prefix that an attribute declares; empty for the default
// namespace.
func declares(space, key string) (prefix string, ok bool) {
	if space == "xmlns" {
		return key, true
	}
	return "", space == "" && key == "xmlns"
}
