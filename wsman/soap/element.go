package soap

import (
	"iter"
	"strings"

	"github.com/beevik/etree"

	"twinlun/wsman"
)

// Namespace is the namespace of an element, empty if it has none. ok is false
// where its prefix is not declared, which some clients do.
func Namespace(e *Element) (uri string, ok bool) {
	if e.Space == "xml" {
		return wsman.NSXML, true
	}
	uri = e.NamespaceURI()
	return uri, e.Space == "" || uri != ""
}

// Is says whether an element has this name. An empty ns stands for any namespace,
// and so does a prefix that is not declared: clients that forget the declaration
// mean the usual one.
func Is(e *Element, ns, local string) bool {
	if e == nil || e.Tag != local {
		return false
	}
	if ns == "" {
		return true
	}
	have, ok := Namespace(e)
	return have == ns || !ok
}

// Child is the first child element of that name, nil if there is none; see Is.
func Child(e *Element, ns, local string) *Element {
	for c := range Children(e) {
		if Is(c, ns, local) {
			return c
		}
	}
	return nil
}

// Children are the child elements in order. Of a nil element there are none.
func Children(e *Element) iter.Seq[*Element] {
	return func(yield func(*Element) bool) {
		if e == nil {
			return
		}
		for _, t := range e.Child {
			if c, ok := t.(*Element); ok && !yield(c) {
				return
			}
		}
	}
}

// FirstChild is the first child element, nil if there is none.
func FirstChild(e *Element) *Element {
	for c := range Children(e) {
		return c
	}
	return nil
}

// Text is the text directly in an element without the blanks around it; empty for
// nil.
func Text(e *Element) string { return strings.TrimSpace(RawText(e)) }

// RawText is the text directly in an element, as it is. Comments within it do not
// end it.
func RawText(e *Element) string {
	if e == nil {
		return ""
	}
	var first string
	var more strings.Builder
	for _, t := range e.Child {
		d, ok := t.(*etree.CharData)
		switch {
		case !ok:
		case first == "":
			first = d.Data
		default:
			more.WriteString(d.Data)
		}
	}
	if more.Len() == 0 {
		return first
	}
	return first + more.String()
}

// ChildText is the text of the first child of that name.
func ChildText(e *Element, ns, local string) string { return Text(Child(e, ns, local)) }

// Attr is the value of an attribute. An empty ns stands for any namespace, and
// for none; an undeclared prefix for the one that is asked for.
func Attr(e *Element, ns, local string) (string, bool) {
	for i := range e.Attr {
		a := &e.Attr[i]
		if a.Key != local || a.Space == "xmlns" {
			continue
		}
		if ns == "" || attrNamespace(a) == ns || a.Space != "" && attrNamespace(a) == "" {
			return a.Value, true
		}
	}
	return "", false
}

func attrNamespace(a *etree.Attr) string {
	if a.Space == "xml" {
		return wsman.NSXML
	}
	return a.NamespaceURI()
}

// IsNil says whether an element holds NULL: xsi:nil, whatever the client has bound
// the prefix to.
func IsNil(e *Element) bool {
	for i := range e.Attr {
		if a := &e.Attr[i]; a.Key == "nil" && a.Space != "" && a.Space != "xmlns" {
			return truth(a.Value)
		}
	}
	return false
}

// TypeName is the local part of xsi:type, empty if there is none. Its prefix is
// not looked at: clients use undeclared ones.
func TypeName(e *Element) string {
	for i := range e.Attr {
		if a := &e.Attr[i]; a.Key == "type" && a.Space != "" && a.Space != "xmlns" {
			v := strings.TrimSpace(a.Value)
			return v[strings.LastIndexByte(v, ':')+1:]
		}
	}
	return ""
}

// truth reads an XML boolean, in any case.
func truth(s string) bool {
	s = strings.TrimSpace(s)
	return s == "1" || strings.EqualFold(s, "true")
}

// sameOption compares option names; a prefix before ':' does not count.
func sameOption(have, want string) bool {
	return strings.EqualFold(have[strings.LastIndexByte(have, ':')+1:], want)
}
