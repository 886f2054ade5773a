package server

import (
	"context"
	"slices"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// selectorFilter reads a filter that is a selector set (DSP0226 annex E): wanted
// are the instances that have all these values. Any property will do that has one
// value. Where all keys are given the instance is looked up.
func (s *Server) selectorFilter(ctx context.Context, rq *request, en *enumeration) (*search, error) {
	e, err := filterElement(en.filter)
	if err != nil {
		return nil, err
	}
	if !soap.Is(e, wsman.NSWSMan, "SelectorSet") {
		return nil, wsman.CannotProcessFilter("the filter must be w:SelectorSet")
	}
	class, err := s.filteredClass(rq)
	if err != nil {
		return nil, err
	}
	set, err := soap.ReadSelectorSet(e)
	if err != nil {
		return nil, cannotFilter("w:SelectorSet", err)
	}
	values, err := s.selectorValues(ctx, rq, class, set)
	if err != nil {
		return nil, err
	}
	found, err := s.wholeClass(ctx, rq, en)
	if err != nil {
		return nil, err
	}
	found.count = nil
	if p := pathOf(class, rq.ns, values); p != nil {
		found.run = s.lookUp(p)
	}
	found.match = func(in *cim.Instance) (bool, error) { return has(in, values), nil }
	return found, nil
}

// selectorValues are the values that the selectors ask for, typed by the class. A
// namespace is that of the request.
func (s *Server) selectorValues(ctx context.Context, rq *request, class *cim.Class, set []wsman.Selector) ([]cim.PropertyValue, error) {
	var all []cim.PropertyValue
	for _, sel := range set {
		if strings.EqualFold(sel.Name, wsman.SelectorNamespace) && cim.CanonicalNamespace(sel.Value) == rq.ns {
			continue
		}
		p := class.Property(sel.Name)
		switch {
		case p == nil:
			return nil, wsman.CannotProcessFilter("class %s has no property %.100q", class.Name, sel.Name)
		case p.Array || p.Embedded != "":
			return nil, wsman.CannotProcessFilter("%s of %s does not have one value, which a selector can name", p.Name, class.Name)
		case slices.ContainsFunc(all, func(v cim.PropertyValue) bool { return v.Name == p.Name }):
			return nil, wsman.CannotProcessFilter("the selector %s is there twice", p.Name)
		}
		v, err := wscim.SelectorValue(p, sel, s.env(rq))
		if err != nil {
			return nil, cannotFilter("w:SelectorSet", err)
		}
		if v, err = s.canonical(ctx, v); err != nil {
			return nil, err
		}
		all = append(all, cim.PropertyValue{Name: p.Name, Value: v})
	}
	return all, nil
}

// canonical is a reference as instances have it, who may be named by a superclass.
// What is not there, nobody refers to.
func (s *Server) canonical(ctx context.Context, v cim.Value) (cim.Value, error) {
	ref, ok := v.(*cim.Path)
	if !ok || ref == nil {
		return v, nil
	}
	in, err := s.config.Broker.Get(ctx, ref)
	switch {
	case err == nil:
		return in.Path, nil
	case cim.StatusOf(err) == cim.StatusNotFound:
		return v, nil
	}
	return nil, cannotFilter("w:SelectorSet", err)
}

// pathOf is the path that values make which have all keys of a class, else nil.
func pathOf(class *cim.Class, ns string, values []cim.PropertyValue) *cim.Path {
	p := &cim.Path{Namespace: ns, Class: class.Name}
	for _, k := range class.Keys {
		i := slices.IndexFunc(values, func(v cim.PropertyValue) bool { return v.Name == k.Name })
		if i < 0 {
			return nil
		}
		p.Keys = append(p.Keys, cim.Key{Name: k.Name, Value: values[i].Value})
	}
	if len(p.Keys) == 0 {
		return nil
	}
	return p
}

// lookUp finds one instance, or none.
func (s *Server) lookUp(p *cim.Path) func(context.Context, cim.Yield) error {
	broker := s.config.Broker
	return func(ctx context.Context, yield cim.Yield) error {
		in, err := broker.Get(ctx, p)
		switch {
		case err == nil:
			return yield(in)
		case cim.StatusOf(err) == cim.StatusNotFound:
			return nil
		}
		return err
	}
}

// has says whether an instance has all the values. NULL is none.
func has(in *cim.Instance, values []cim.PropertyValue) bool {
	for _, v := range values {
		if have := in.Get(v.Name); have == nil || !cim.Equal(have, v.Value) {
			return false
		}
	}
	return true
}
