package xpath

import (
	"math"

	"twinlun/wsman/soap"
)

type axis uint8

const (
	child axis = iota
	self
	parent
	attribute
	text
)

// path is a location path.
type path struct {
	absolute bool
	steps    []*step
}

// step is one step of a path. An empty space stands for every namespace, the local
// name "*" for every name.
type step struct {
	axis         axis
	space, local string
	predicates   []term
}

func (p *path) eval(c context) any { return p.walk(c) }

// walk takes all steps.
func (p *path) walk(c context) nodes {
	set := nodes{c.node}
	if p.absolute {
		set = nodes{{kind: document}}
	}
	for _, s := range p.steps {
		var next nodes
		for _, n := range set {
			next = s.from(c, n, next)
		}
		set = next
	}
	return set
}

// from adds what the step reaches from one node.
func (s *step) from(c context, n node, into nodes) nodes {
	switch {
	case s.axis == self:
		return append(into, n)
	case s.axis == parent:
		return appendParent(c.root, n, into)
	case n.kind == document:
		return s.filter(c, into, func(add func(*soap.Element)) { add(c.root) })
	case n.kind != element:
		return into
	case s.axis == text:
		if soap.RawText(n.element) == "" {
			return into
		}
		return append(into, node{element: n.element, kind: textNode})
	case s.axis == attribute:
		return s.attributes(n, into)
	}
	return s.filter(c, into, func(add func(*soap.Element)) {
		for e := range soap.Children(n.element) {
			add(e)
		}
	})
}

// appendParent adds the parent of a node, once for all its children.
func appendParent(root *soap.Element, n node, into nodes) nodes {
	up := node{kind: document}
	switch {
	case n.kind == document:
		return into
	case n.kind == textNode:
		up = node{element: n.element}
	case n.element != root:
		up = node{element: n.element.Parent()}
	}
	if len(into) > 0 && into[len(into)-1] == up {
		return into
	}
	return append(into, up)
}

// filter adds those elements of one parent that the step asks for.
func (s *step) filter(c context, into nodes, each func(add func(*soap.Element))) nodes {
	if s.axis != child {
		return into
	}
	first := len(into)
	each(func(e *soap.Element) {
		if s.matches(e) {
			into = append(into, node{element: e})
		}
	})
	kept := into[first:]
	for _, p := range s.predicates {
		kept = narrow(c, kept, p)
	}
	return into[:first+len(kept)]
}

func (s *step) matches(e *soap.Element) bool {
	switch {
	case s.local != "*":
		return soap.Is(e, s.space, s.local)
	case s.space == "":
		return true
	}
	ns, declared := soap.Namespace(e)
	return ns == s.space || !declared
}

// narrow keeps, in place, the nodes for which a predicate holds (XPath 1.0 section
// 2.4).
func narrow(c context, set nodes, predicate term) nodes {
	kept := set[:0]
	size := len(set)
	for i, n := range set {
		inner := context{node: n, root: c.root, position: i + 1, size: size}
		v := predicate.eval(inner)
		if f, ok := v.(float64); ok && f == float64(inner.position) || !ok && truth(v) {
			kept = append(kept, n)
		}
	}
	return kept
}

func (s *step) attributes(n node, into nodes) nodes {
	for i := range n.element.Attr {
		a := &n.element.Attr[i]
		if a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns" || s.local != "*" && a.Key != s.local {
			continue
		}
		if v, ok := soap.Attr(n.element, s.space, a.Key); ok {
			into = append(into, node{element: n.element, kind: attrNode, value: v})
		}
	}
	return into
}

// position is the one position that the step asks for, 0 where it asks for none; ok
// is false where it asks for something else.
func (s *step) position() (n int, ok bool) {
	switch len(s.predicates) {
	case 0:
		return 0, true
	case 1:
		f, isNumber := s.predicates[0].(number)
		v := float64(f)
		return int(v), isNumber && v >= 1 && v <= math.MaxInt32 && v == math.Trunc(v)
	}
	return 0, false
}

// textOnly says whether a term selects nothing but texts, and selectsText whether
// it selects any.
func textOnly(t term) bool {
	switch t := t.(type) {
	case *path:
		return len(t.steps) > 0 && t.steps[len(t.steps)-1].axis == text
	case *union:
		for _, p := range t.parts {
			if !textOnly(p) {
				return false
			}
		}
		return true
	}
	return false
}

func selectsText(t term) bool {
	u, ok := t.(*union)
	if !ok {
		return textOnly(t)
	}
	for _, p := range u.parts {
		if selectsText(p) {
			return true
		}
	}
	return false
}
