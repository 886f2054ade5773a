package soap

import (
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// slab makes the nodes of one tree in large pieces, for a tree is made and dropped
// as a whole.
type slab struct {
	elements []etree.Element
	texts    []etree.CharData
	attrs    []etree.Attr
	children []etree.Token
}

// Sizes of the pieces: a request of a usual size takes one of each.
const (
	slabNodes = 32
	slabAttrs = 48
)

// element is a new element, the last child of parent, which may be nil.
func (s *slab) element(parent *Element, name string) *Element {
	if len(s.elements) == 0 {
		s.elements = make([]etree.Element, slabNodes)
	}
	e := &s.elements[0]
	s.elements = s.elements[1:]
	prefix, local, ok := strings.Cut(name, ":")
	if !ok {
		prefix, local = "", name
	}
	e.Space, e.Tag = prefix, local
	e.Child = s.child()
	if parent != nil {
		parent.AddChild(e)
	}
	return e
}

// text adds character data to parent.
func (s *slab) text(parent *Element, data string) {
	if len(s.texts) == 0 {
		s.texts = make([]etree.CharData, slabNodes)
	}
	t := &s.texts[0]
	s.texts = s.texts[1:]
	t.Data = data
	parent.AddChild(t)
}

// child is an empty list with room for one child, which most elements have.
func (s *slab) child() []etree.Token {
	if len(s.children) == 0 {
		s.children = make([]etree.Token, slabNodes)
	}
	one := s.children[:0:1]
	s.children = s.children[1:]
	return one
}

// attributes is an empty list that may be appended to until keep is called.
func (s *slab) attributes() []etree.Attr {
	if len(s.attrs) == 0 {
		s.attrs = make([]etree.Attr, slabAttrs)
	}
	return s.attrs[:0]
}

// keep is a list that is whole. One that has grown out of its place has memory of
// its own.
func (s *slab) keep(list []etree.Attr) []etree.Attr {
	if n := len(list); n <= len(s.attrs) {
		s.attrs = s.attrs[n:]
	}
	return slices.Clip(list)
}
