package client

import (
	"context"
	"errors"
	"strconv"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// Enumerate lists the instances of a class and its subclasses. An error of yield
// ends it and comes back; the server is then told to forget the rest.
func (c *Client) Enumerate(ctx context.Context, ns, class string, yield cim.Yield) error {
	return c.EnumerateWith(ctx, ns, class, cim.EnumerateOptions{}, yield)
}

// EnumerateWith is Enumerate with options.
func (c *Client) EnumerateWith(ctx context.Context, ns, class string, o cim.EnumerateOptions, yield cim.Yield) error {
	p := &cim.Path{Namespace: ns, Class: class}
	e := &enumeration{c: c, header: c.header(wsman.ActionEnumerate, p), ns: c.namespace(ns)}
	return e.run(ctx, func(w *soap.Writer) { writePolymorphism(w, o) }, yield)
}

// writePolymorphism writes the options as DSP0227 has them.
func writePolymorphism(w *soap.Writer, o cim.EnumerateOptions) {
	if o.Shallow {
		w.Element("b", "PolymorphismMode", wsman.PolymorphismNone)
	}
}

// Associators lists what is associated with an instance, or the associations
// themselves, as the query says. With q.Properties the others are hidden.
func (c *Client) Associators(ctx context.Context, q cim.AssociationQuery, yield cim.Yield) error {
	if q.Object == nil {
		return errors.New("an association query needs an object")
	}
	object := *q.Object
	object.Namespace = c.namespace(object.Namespace)
	h := c.header(wsman.ActionEnumerate, &cim.Path{Namespace: object.Namespace})
	h.ResourceURI = wsman.AllClassesURI
	filter := func(w *soap.Writer) {
		q := q
		q.Object = &object
		writeAssociationFilter(w, q)
	}
	e := &enumeration{c: c, header: h, ns: object.Namespace, partial: len(q.Properties) > 0}
	return e.run(ctx, filter, yield)
}

// writeAssociationFilter writes the filter of DSP0227 section 8.2.
func writeAssociationFilter(w *soap.Writer, q cim.AssociationQuery) {
	w.Start("w", "Filter")
	w.Attr("", "Dialect", wsman.DialectAssociation)
	kind := "AssociatedInstances"
	if q.References {
		kind = "AssociationInstances"
	}
	w.Start("b", kind)
	w.Start("b", "Object")
	soap.WriteEPRContent(w, wscim.PathToEPR(q.Object, wsman.ClassPrefix))
	w.End()
	optional := func(local, text string) {
		if text != "" {
			w.Element("b", local, text)
		}
	}
	if !q.References {
		optional("AssociationClassName", q.AssociationClass)
	}
	optional("Role", q.Role)
	optional("ResultClassName", q.ResultClass)
	if !q.References {
		optional("ResultRole", q.ResultRole)
	}
	for _, name := range q.Properties {
		w.Element("b", "IncludeResultProperty", name)
	}
	w.End()
	w.End()
}

// enumeration is an enumeration that the server has begun.
type enumeration struct {
	c       *Client
	header  soap.RequestHeader // of the Enumerate
	ns      string
	partial bool   // instances do not have all their properties
	context string // of the server; empty: none that is open
	done    bool
	empty   int // answers in a row without items
}

// maxEmpty is how often a server may answer that there is more, but not now.
const maxEmpty = 1000

// run begins the enumeration, with what more writes into the request, and pulls to
// its end.
func (e *enumeration) run(ctx context.Context, more func(*soap.Writer), yield cim.Yield) error {
	m, err := e.c.call(ctx, e.header, func(w *soap.Writer) {
		w.Start("n", "Enumerate")
		w.Element("w", "OptimizeEnumeration", "")
		w.Element("w", "MaxElements", strconv.Itoa(e.c.cfg.MaxElements))
		w.Element("w", "EnumerationMode", wsman.ModeObjectAndEPR)
		more(w)
		w.End()
	})
	if err != nil {
		return err
	}
	for {
		if err := e.take(ctx, m.Body, yield); err != nil {
			e.release(ctx)
			return err
		}
		if e.done {
			return nil
		}
		if m, err = e.pull(ctx); err != nil {
			e.release(ctx)
			return err
		}
	}
}

// take yields the items of an answer and notes whether there are more.
func (e *enumeration) take(ctx context.Context, body *soap.Element, yield cim.Yield) error {
	var items *soap.Element
	for el := range soap.Children(body) {
		switch el.Tag {
		case "EnumerationContext":
			e.context = soap.RawText(el)
		case "Items":
			items = el
		case "EndOfSequence":
			e.done = true
		}
	}
	if e.context == "" {
		e.done = true
	}
	if e.empty++; soap.FirstChild(items) != nil {
		e.empty = 0
	}
	if e.empty > maxEmpty {
		return errors.New("the server goes on without an end and without instances")
	}
	env := e.c.env(ctx, e.ns)
	for el := range soap.Children(items) {
		in, err := decodeItem(el, env, e.partial)
		if err != nil {
			return err
		}
		if err := yield(in); err != nil {
			return err
		}
	}
	return nil
}

// decodeItem reads an instance, with its endpoint reference where the server gives
// one. What a partial one does not have is hidden.
func decodeItem(e *soap.Element, env wscim.Env, partial bool) (*cim.Instance, error) {
	object, epr := e, (*soap.Element)(nil)
	if soap.Is(e, wsman.NSWSMan, "Item") {
		object = nil
		for el := range soap.Children(e) {
			if soap.Is(el, wsman.NSAddressing, "EndpointReference") {
				epr = el
			} else if object == nil {
				object = el
			}
		}
	}
	class, err := fragmentClass(object, epr, env)
	if err != nil {
		return nil, err
	}
	in, err := wscim.DecodeInstance(object, class, env)
	if err != nil {
		return nil, err
	}
	if in.Path, err = itemPath(in, epr, env); err != nil || !partial {
		return in, err
	}
	return in.Only(present(object, in.Class)), nil
}

// fragmentClass is the class of an instance that comes as a fragment, which only its
// endpoint reference tells; nil for one that says so itself.
func fragmentClass(object, epr *soap.Element, env wscim.Env) (*cim.Class, error) {
	if object == nil || epr == nil || !soap.Is(object, wsman.NSWSMan, "XmlFragment") {
		return nil, nil
	}
	ref, err := soap.ReadEPR(epr)
	if err != nil {
		return nil, err
	}
	r, err := wsman.ParseResourceURI(ref.ResourceURI)
	if err != nil {
		return nil, err
	}
	if class := env.Class(r.Class); class != nil {
		return class, nil
	}
	return nil, cim.Errorf(cim.StatusInvalidClass, "there is no class %s", r.Class)
}

// present says which properties of a class an element has.
func present(e *soap.Element, class *cim.Class) []bool {
	shown := make([]bool, len(class.Properties))
	for el := range soap.Children(e) {
		if p := class.Property(el.Tag); p != nil {
			shown[p.Index] = true
		}
	}
	return shown
}

func itemPath(in *cim.Instance, e *soap.Element, env wscim.Env) (*cim.Path, error) {
	if e == nil {
		return in.PathIn(env.Namespace)
	}
	epr, err := soap.ReadEPR(e)
	if err != nil {
		return nil, err
	}
	return wscim.EPRToPath(epr, env)
}

func (e *enumeration) pull(ctx context.Context) (*soap.Message, error) {
	h := e.header
	h.Action = wsman.ActionPull
	return e.c.call(ctx, h, func(w *soap.Writer) {
		w.Start("n", "Pull")
		w.Element("n", "EnumerationContext", e.context)
		w.Element("n", "MaxElements", strconv.Itoa(e.c.cfg.MaxElements))
		w.End()
	})
}

// release tells the server to forget an enumeration, also when ctx has ended. What
// comes back does not matter: the context expires by itself.
func (e *enumeration) release(ctx context.Context) {
	if e.done || e.context == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	h := e.header
	h.Action = wsman.ActionRelease
	_, _ = e.c.call(ctx, h, func(w *soap.Writer) {
		w.Start("n", "Release")
		w.Element("n", "EnumerationContext", e.context)
		w.End()
	})
}
