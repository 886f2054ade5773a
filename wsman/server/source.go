package server

import (
	"context"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// search is how the instances of an enumeration are found.
type search struct {
	// class is what the polymorphism mode relates to: the class that was asked for;
	// nil where none was.
	class *cim.Class
	run   func(context.Context, cim.Yield) error
	// match says whether an instance, as it would be sent, is wanted; nil: it is.
	match func(*cim.Instance) (bool, error)
	// properties are those that are shown, as fragments; nil: instances are whole.
	properties []string
	options    wscim.InstanceOptions // for writing them
	count      func(context.Context) (int, bool)
}

// source finds out what is enumerated: instances, what is associated with one, or
// classes.
func (s *Server) source(ctx context.Context, rq *request, en *enumeration) (*source, error) {
	if err := checkEnumerateSelectors(rq); err != nil {
		return nil, err
	}
	if rq.resource.Kind == wsman.KindSchema {
		return s.enumerateClasses(rq, en)
	}
	find := s.wholeClass
	if en.filter != nil {
		d, err := dialectOf(en.filter)
		if err != nil {
			return nil, err
		}
		find = func(ctx context.Context, rq *request, en *enumeration) (*search, error) {
			return d.read(s, ctx, rq, en)
		}
	}
	found, err := find(ctx, rq, en)
	if err != nil {
		return nil, err
	}
	if found.class == nil && en.shapes() {
		return nil, wsman.PolymorphismUnsupported("the polymorphism mode %s needs a class that it relates to", en.polymorphism)
	}
	found.options = wscim.InstanceOptions{PreciseArrays: rq.preciseArrays(), Tags: &s.tags}
	return found.source(rq, en), nil
}

// checkEnumerateSelectors refuses selectors that would be without effect: which
// instances are wanted is said by a filter.
func checkEnumerateSelectors(rq *request) error {
	for _, sel := range rq.msg.Selectors {
		known := strings.EqualFold(sel.Name, wsman.SelectorNamespace) ||
			rq.resource.Kind == wsman.KindSchema && strings.EqualFold(sel.Name, wsman.SelectorClassName)
		if !known {
			return wsman.InvalidSelectors(wsman.DetailUnexpectedSelectors,
				"an enumeration takes no selector %.100q; use a filter of the dialect %s", sel.Name, wsman.DialectSelector)
		}
	}
	return nil
}

// wholeClass finds all instances of the class that the resource URI names.
func (s *Server) wholeClass(_ context.Context, rq *request, en *enumeration) (*search, error) {
	if rq.resource.Kind == wsman.KindAll {
		return nil, wsman.CannotProcessFilter("the resource URI of all classes needs a filter")
	}
	class, err := s.class(rq)
	if err != nil {
		return nil, err
	}
	broker, ns, options := s.config.Broker, rq.ns, cim.EnumerateOptions{Shallow: en.polymorphism == wsman.PolymorphismNone}
	return &search{
		class: class,
		run: func(ctx context.Context, yield cim.Yield) error {
			return broker.Enumerate(ctx, ns, class.Name, options, yield)
		},
		count: func(ctx context.Context) (int, bool) {
			// What is wrong with the request is for Enumerate to say.
			n, known, err := broker.Count(ctx, ns, class.Name, options)
			return n, known && err == nil
		},
	}, nil
}

// source is what the search finds, in the modes that the client wants. It keeps
// nothing of the message.
func (f *search) source(rq *request, en *enumeration) *source {
	mode := en.polymorphism
	return &source{
		resource: rq.resource, ns: rq.ns, count: f.count, write: f.writer(en.mode, rq.resource.Prefix),
		items: func(ctx context.Context, yield func(item) error) error {
			show := shower(f.properties)
			return f.run(ctx, func(in *cim.Instance) error {
				in, wanted, err := f.shape(mode, in)
				if err != nil || !wanted {
					return err
				}
				return yield(item{instance: show(in)})
			})
		},
	}
}

// shape is an instance in a polymorphism mode, and whether it is wanted.
func (f *search) shape(mode string, in *cim.Instance) (_ *cim.Instance, wanted bool, err error) {
	switch mode {
	case wsman.PolymorphismNone:
		if in.Class != f.class {
			return nil, false, nil
		}
	case wsman.PolymorphismExclude:
		in = asBase(in, f.class)
	}
	if f.match == nil {
		return in, true, nil
	}
	wanted, err = f.match(in)
	return in, wanted, err
}

// asBase is an instance as one of a superclass; what is hidden stays so. It keeps
// its path: that names the instance by its own class, which is what it is. Values
// fit: a subclass may only narrow what it overrides.
func asBase(in *cim.Instance, base *cim.Class) *cim.Instance {
	if in.Class == base {
		return in
	}
	out := cim.NewInstance(base)
	out.Path = in.Path
	shown := make([]bool, len(base.Properties))
	for _, p := range base.Properties {
		own := in.Class.Property(p.Name)
		if own == nil || out.Set(p.Name, in.At(own.Index)) != nil {
			continue // NULL, where it does not fit after all
		}
		shown[p.Index] = !in.Hidden(own.Index)
	}
	return out.Only(shown)
}

// shower shows some properties of instances, by name; nil names show all. A class
// that does not have one is not asked for it. It is for one goroutine.
func shower(names []string) func(*cim.Instance) *cim.Instance {
	if names == nil {
		return func(in *cim.Instance) *cim.Instance { return in }
	}
	masks := map[*cim.Class][]bool{}
	return func(in *cim.Instance) *cim.Instance {
		mask, ok := masks[in.Class]
		if !ok {
			mask = make([]bool, len(in.Class.Properties))
			for _, name := range names {
				if p := in.Class.Property(name); p != nil {
					mask[p.Index] = true
				}
			}
			masks[in.Class] = mask
		}
		return in.Only(mask)
	}
}

// writer writes instances, their endpoint references, or both (DSP0226 section
// 8.7).
func (f *search) writer(mode, prefix string) func(*soap.Writer, item) {
	object := func(w *soap.Writer, it item) {
		wscim.WriteInstance(w, prefix, it.instance, f.options)
	}
	if f.properties != nil {
		object = func(w *soap.Writer, it item) { wscim.WriteFragment(w, prefix, it.instance) }
	}
	epr := func(w *soap.Writer, it item) { soap.WriteEPR(w, wscim.PathToEPR(it.instance.Path, prefix)) }
	switch mode {
	case wsman.ModeEPR:
		return epr
	case wsman.ModeObjectAndEPR:
		return func(w *soap.Writer, it item) {
			w.Start("w", "Item")
			object(w, it)
			epr(w, it)
			w.End()
		}
	}
	return object
}
