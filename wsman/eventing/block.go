package eventing

import (
	"slices"
	"strings"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// Block is an XML element apart from the document it came in: what a subscriber
// wants back as a header of every message (WS-Addressing 2004/08 section 2.3).
type Block struct {
	Space    string  `json:",omitempty"`
	Local    string  `json:",omitempty"`
	Attrs    []Attr  `json:",omitempty"`
	Text     string  `json:",omitempty"`
	Children []Block `json:",omitempty"`
}

// Attr is an attribute of a Block.
type Attr struct{ Space, Local, Value string }

// readBlock copies an element. Namespaces are kept, prefixes are not; of mixed
// content the text comes first. Attributes without a declared namespace, or with one
// that is neither the element's nor a usual one, are dropped. room is how many bytes it may have, less what it
// took; below zero it was too much.
func readBlock(e *soap.Element, room *int) Block {
	ns, _ := soap.Namespace(e)
	b := Block{Space: ns, Local: e.Tag, Text: soap.Text(e)}
	*room -= len(b.Space) + len(b.Local) + len(b.Text) + 16
	for i := range e.Attr {
		at := Attr{Space: attrSpace(e, i), Local: e.Attr[i].Key, Value: e.Attr[i].Value}
		if at.Space == "" && e.Attr[i].Space != "" || at.Space == "xmlns" || b.has(at) {
			continue
		}
		b.Attrs = append(b.Attrs, at)
		*room -= len(at.Space) + len(at.Local) + len(at.Value)
	}
	for c := range soap.Children(e) {
		if *room < 0 {
			return b
		}
		b.Children = append(b.Children, readBlock(c, room))
	}
	return b
}

// attrSpace is the namespace of the i-th attribute, empty where its prefix is not
// declared, and "xmlns" of declarations.
func attrSpace(e *soap.Element, i int) string {
	switch a := &e.Attr[i]; {
	case a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns":
		return "xmlns"
	case a.Space == "xml":
		return wsman.NSXML
	case a.Space == "":
		return ""
	default:
		return a.NamespaceURI()
	}
}

// has says whether there is an attribute of that name, which two prefixes can make.
func (b *Block) has(a Attr) bool {
	return slices.ContainsFunc(b.Attrs, func(x Attr) bool { return x.Space == a.Space && x.Local == a.Local })
}

// write writes the block with prefixes of its own.
func (b *Block) write(w *soap.Writer) {
	prefix := ""
	if b.Space != "" {
		prefix = "h"
	}
	w.Start(prefix, b.Local)
	w.Namespace(prefix, b.Space)
	for _, a := range b.Attrs {
		b.writeAttr(w, a)
	}
	if b.Text != "" {
		w.Text(b.Text)
	}
	for i := range b.Children {
		b.Children[i].write(w)
	}
	w.End()
}

func (b *Block) writeAttr(w *soap.Writer, a Attr) {
	switch a.Space {
	case "":
		w.Attr("", a.Local, a.Value)
	case b.Space:
		w.Attr("h", a.Local, a.Value)
	case wsman.NSXML:
		w.Attr("xml", a.Local, a.Value)
	case wsman.NSSOAP:
		w.Attr("s", a.Local, a.Value)
	case wsman.NSXSI:
		w.Attr("xsi", a.Local, a.Value)
	}
}

// reserved says whether a header of this name is the service's own business.
func (b *Block) reserved() bool {
	switch b.Space {
	case wsman.NSSOAP:
		return true
	case wsman.NSWSMan:
		return b.Local == "AckRequested" || b.Local == "Bookmark"
	}
	return strings.HasSuffix(b.Space, "/addressing") // of any version
}
