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
	p := &cim.Path{Namespace: ns, Class: class}
	return c.enumerate(ctx, c.header(wsman.ActionEnumerate, p), c.namespace(ns), nil, yield)
}

// Associators lists what is associated with an instance, or the associations
// themselves, as the query says.
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
	return c.enumerate(ctx, h, object.Namespace, filter, yield)
}

// writeAssociationFilter writes the filter of DSP0227 section 9.2.
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
	w.End()
	w.End()
}

// enumeration is an enumeration that the server has begun.
type enumeration struct {
	c       *Client
	header  soap.RequestHeader // of the Enumerate
	ns      string
	context string // of the server; empty: none that is open
	done    bool
	empty   int // answers in a row without items
}

// maxEmpty is how often a server may answer that there is more, but not now.
const maxEmpty = 1000

func (c *Client) enumerate(ctx context.Context, h soap.RequestHeader, ns string, filter func(*soap.Writer), yield cim.Yield) error {
	m, err := c.call(ctx, h, func(w *soap.Writer) {
		w.Start("n", "Enumerate")
		w.Element("w", "OptimizeEnumeration", "")
		w.Element("w", "MaxElements", strconv.Itoa(c.cfg.MaxElements))
		w.Element("w", "EnumerationMode", wsman.ModeObjectAndEPR)
		if filter != nil {
			filter(w)
		}
		w.End()
	})
	if err != nil {
		return err
	}
	e := &enumeration{c: c, header: h, ns: ns}
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
		in, err := decodeItem(el, env)
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
// one.
func decodeItem(e *soap.Element, env wscim.Env) (*cim.Instance, error) {
	var epr *soap.Element
	if soap.Is(e, wsman.NSWSMan, "Item") {
		item := e
		e = nil
		for el := range soap.Children(item) {
			if soap.Is(el, wsman.NSAddressing, "EndpointReference") {
				epr = el
			} else if e == nil {
				e = el
			}
		}
	}
	in, err := wscim.DecodeInstance(e, nil, env)
	if err != nil {
		return nil, err
	}
	in.Path, err = itemPath(in, epr, env)
	return in, err
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
