package xpath

import (
	"math"
	"strings"

	"twinlun/wsman/soap"
)

// term is a part of an expression. Its value is nodes, string, float64 or bool.
type term interface {
	eval(context) any
}

// context is where a term is evaluated (XPath 1.0 section 1).
type context struct {
	node     node
	root     *soap.Element
	position int
	size     int
}

type nodeKind uint8

const (
	element  nodeKind = iota
	document          // the parent of the root
	textNode          // all the text directly in an element
	attrNode
)

// node is a node of a document. The texts of an element are one node.
type node struct {
	element *soap.Element
	kind    nodeKind
	value   string // of an attribute
}

// nodes are a set of nodes in the order of the document.
type nodes []node

// text is the string-value of a node (XPath 1.0 section 5).
func (n node) text() string {
	switch n.kind {
	case attrNode:
		return n.value
	case textNode:
		return soap.RawText(n.element)
	}
	if soap.FirstChild(n.element) == nil {
		return soap.RawText(n.element)
	}
	var b strings.Builder
	gather(&b, n.element)
	return b.String()
}

// gather collects texts. Of mixed content those of an element come before those of
// its children.
func gather(b *strings.Builder, e *soap.Element) {
	b.WriteString(soap.RawText(e))
	for c := range soap.Children(e) {
		gather(b, c)
	}
}

type (
	literal string
	number  float64
)

func (l literal) eval(context) any { return string(l) }
func (n number) eval(context) any  { return float64(n) }

// logic is and, or or.
type logic struct {
	left, right term
	or          bool
}

func (l *logic) eval(c context) any {
	if truth(l.left.eval(c)) == l.or {
		return l.or
	}
	return truth(l.right.eval(c))
}

// union is several paths.
type union struct{ parts []term }

func (u *union) eval(c context) any {
	var all nodes
	for _, p := range u.parts {
		set, _ := p.eval(c).(nodes)
		all = append(all, set...)
	}
	return inOrder(c.node.element, all)
}

// identity tells nodes of one document apart.
type identity struct {
	element *soap.Element
	kind    nodeKind
}

// inOrder sorts nodes by their place below an element and drops what is there
// twice. Attributes of one element stay as they are.
func inOrder(top *soap.Element, set nodes) nodes {
	at := map[identity]nodes{}
	for _, n := range set {
		id := identity{n.element, n.kind}
		if len(at[id]) == 0 || n.kind == attrNode {
			at[id] = append(at[id], n)
		}
	}
	out := at[identity{nil, document}]
	var visit func(*soap.Element)
	visit = func(e *soap.Element) {
		for _, k := range []nodeKind{element, attrNode, textNode} {
			out = append(out, at[identity{e, k}]...)
		}
		for c := range soap.Children(e) {
			visit(c)
		}
	}
	visit(top)
	return out
}

// truth is the function boolean (XPath 1.0 section 4.3).
func truth(v any) bool {
	switch v := v.(type) {
	case nodes:
		return len(v) > 0
	case string:
		return v != ""
	case float64:
		return v != 0 && !math.IsNaN(v)
	case bool:
		return v
	}
	return false
}

// stringOf is the function string (XPath 1.0 section 4.2).
func stringOf(v any) string {
	switch v := v.(type) {
	case nodes:
		if len(v) > 0 {
			return v[0].text()
		}
	case string:
		return v
	case float64:
		return formatNumber(v)
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return ""
}

// numberOf is the function number (XPath 1.0 section 4.4).
func numberOf(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case bool:
		if v {
			return 1
		}
		return 0
	}
	return parseNumber(stringOf(v))
}
