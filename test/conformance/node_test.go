package conformance

import (
	"encoding/xml"
	"strings"
)

// node is an element, read by a parser that is not ours.
type node struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
	Nodes   []node     `xml:",any"`
}

// find are the elements at a path: the first name at any depth below n, the others
// children of the one before. "*" is any name.
func (n node) find(path string) []node {
	first, rest, more := strings.Cut(path, "/")
	found := n.all(first)
	for more {
		var next []node
		first, rest, more = strings.Cut(rest, "/")
		for _, f := range found {
			next = append(next, f.children(first)...)
		}
		found = next
	}
	return found
}

// all are the elements of a name at any depth, in the order of the document.
func (n node) all(local string) []node {
	var found []node
	for _, c := range n.Nodes {
		if c.named(local) {
			found = append(found, c)
		}
		found = append(found, c.all(local)...)
	}
	return found
}

func (n node) children(local string) []node {
	var found []node
	for _, c := range n.Nodes {
		if c.named(local) {
			found = append(found, c)
		}
	}
	return found
}

func (n node) named(local string) bool { return local == "*" || n.XMLName.Local == local }

// child is the first child of a name, or nothing.
func (n node) child(local string) node {
	for _, c := range n.children(local) {
		return c
	}
	return node{}
}

// text is that of the first element at a path, or "".
func (n node) text(path string) string {
	for _, f := range n.find(path) {
		return strings.TrimSpace(f.Text)
	}
	return ""
}

// texts are those of all elements at a path.
func (n node) texts(path string) []string {
	var all []string
	for _, f := range n.find(path) {
		all = append(all, strings.TrimSpace(f.Text))
	}
	return all
}

// attr is the value of an attribute, or "".
func (n node) attr(local string) string {
	for _, a := range n.Attrs {
		if a.Name.Local == local && a.Name.Space != "xmlns" {
			return a.Value
		}
	}
	return ""
}

// namespace is what a prefix is bound to where target is, a descendant at a path of
// local names.
func (n node) namespace(prefix string, path ...string) string {
	space := ""
	for _, a := range n.Attrs {
		if a.Name.Space == "xmlns" && a.Name.Local == prefix {
			space = a.Value
		}
	}
	if len(path) > 0 {
		if s := n.child(path[0]).namespace(prefix, path[1:]...); s != "" {
			return s
		}
	}
	return space
}
