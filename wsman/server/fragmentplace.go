package server

import (
	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// place is the part of an instance that a fragment is to change: a property, or some
// entries of an array.
type place struct {
	property *cim.Property
	text     bool // the expression ends in text()
	all      bool // the whole property
	at       []int
	// beyond is the position, from 1, of an entry that is not there; or 0.
	beyond int
	old    cim.Value
}

// list are the entries that the property has.
func (p *place) list() []cim.Value {
	list, _ := p.old.([]cim.Value)
	return list
}

func invalidFragment(format string, args ...any) error {
	return wsman.InvalidRepresentation(wsman.DetailInvalidFragment, format, args...)
}

// place finds out what the expression means in an instance. Only properties and
// entries of arrays can be changed one by one, not parts of what they hold.
func (f *fragment) place(rq *request, in *cim.Instance) (*place, error) {
	tree, err := f.tree(rq, in)
	if err != nil {
		return nil, err
	}
	found, text := f.expr.Select(tree)
	name, position, named := f.expr.Child(tree)
	switch {
	case !named && len(found) == 0:
		return nil, invalidFragment("the expression selects nothing of the instance")
	case !named && (found[0] == tree || found[0].Parent() != tree):
		return nil, wsman.UnsupportedFeature(wsman.DetailFragment, "only properties and entries of arrays can be changed by a fragment")
	case !named:
		name = found[0].Tag
	}
	property := in.Class.Property(name)
	if property == nil || property.Name != name {
		return nil, invalidFragment("class %s has no property %.100q", in.Class.Name, name)
	}
	p := &place{property: property, text: text, old: in.At(property.Index)}
	if !named {
		return p, p.choose(tree, found)
	}
	p.number(position)
	return p, nil
}

// number takes a position, from 1; 0 stands for the whole property.
func (p *place) number(position int) {
	size := len(p.list())
	if wscim.IsWhole(p.property) {
		size = 1
	}
	switch {
	case position == 0 || position == 1 && wscim.IsWhole(p.property):
		p.all = true
	case position > size:
		p.beyond = position
	default:
		p.at = []int{position - 1}
	}
}

// choose takes elements for the entries that they stand for.
func (p *place) choose(tree *soap.Element, found []*soap.Element) error {
	if wscim.IsWhole(p.property) || len(p.list()) == 0 {
		p.all = true
	}
	wanted := make(map[*soap.Element]bool, len(found))
	for _, e := range found {
		if e.Tag != p.property.Name {
			return invalidFragment("the expression selects %s and %s; one property can be changed at a time", p.property.Name, e.Tag)
		}
		wanted[e] = true
	}
	i := 0
	for e := range soap.Children(tree) {
		if e.Tag != p.property.Name {
			continue
		}
		if wanted[e] && !p.all {
			p.at = append(p.at, i)
		}
		i++
	}
	return nil
}

// present fails where the place is an entry that is not there.
func (p *place) present() error {
	if p.beyond > 0 {
		return invalidFragment("%s has %d entries, there is none at %d", p.property.Name, len(p.list()), p.beyond)
	}
	return nil
}
