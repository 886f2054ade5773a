package provider

import (
	"context"
	"strings"

	"twinlun/cim"
)

// Associated yields what is associated with an instance: the far ends, or with
// q.References the associations themselves. Each is yielded once. An instance
// that does not exist is StatusNotFound. One that refers to another that is gone
// is left out, not an error.
func (b *Broker) Associated(ctx context.Context, ns string, q cim.AssociationQuery, yield cim.Yield) error {
	if err := b.checkQuery(ns, q); err != nil {
		return err
	}
	object, err := b.Get(ctx, q.Object)
	if err != nil {
		return err
	}
	w := &walk{broker: b, query: q, object: object, seen: map[string]bool{}, yield: yield}
	for _, e := range b.entries {
		if !e.namespaces[object.Path.Namespace] || !w.concerns(e.class) {
			continue
		}
		if err := w.references(ctx, e); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (b *Broker) checkQuery(ns string, q cim.AssociationQuery) error {
	for _, name := range []string{q.AssociationClass, q.ResultClass} {
		if name == "" {
			continue
		}
		if _, err := b.Class(ns, name); err != nil {
			return err
		}
	}
	return nil
}

// walk is one association query under way.
type walk struct {
	broker *Broker
	query  cim.AssociationQuery
	object *cim.Instance
	seen   map[string]bool // paths yielded already
	yield  cim.Yield
}

// concerns says whether instances of an association class can be, or lead to,
// what is asked for.
func (w *walk) concerns(class *cim.Class) bool {
	if !class.Association || (w.query.AssociationClass != "" && !class.IsA(w.query.AssociationClass)) {
		return false
	}
	if w.query.References && w.query.ResultClass != "" && !class.IsA(w.query.ResultClass) {
		return false
	}
	for _, p := range class.Properties {
		if p.Type == cim.Reference && w.isRole(p.Name, w.query.Role) && w.object.Class.IsA(p.RefClass) {
			return true
		}
	}
	return false
}

func (w *walk) isRole(property, role string) bool {
	return role == "" || strings.EqualFold(property, role)
}

// references goes through the instances of one association class that refer to
// the object.
func (w *walk) references(ctx context.Context, e *entry) error {
	visit := func(in *cim.Instance) error { return w.visit(ctx, in) }
	a, ok := e.provider.(Associator)
	if !ok {
		return e.enumerate(ctx, w.object.Path.Namespace, visit)
	}
	var stop error
	err := a.References(ctx, w.object.Path, w.query.Role, func(in *cim.Instance) error {
		stop = visit(in)
		return stop
	})
	if stop != nil {
		return stop
	}
	return known(err)
}

// visit yields what one association instance contributes.
func (w *walk) visit(ctx context.Context, assoc *cim.Instance) error {
	for _, near := range assoc.Class.Properties {
		if !w.refersToObject(assoc, near) {
			continue
		}
		if w.query.References {
			return w.give(assoc)
		}
		if err := w.farEnds(ctx, assoc, near); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) refersToObject(assoc *cim.Instance, p *cim.Property) bool {
	if p.Type != cim.Reference || !w.isRole(p.Name, w.query.Role) {
		return false
	}
	ref, ok := assoc.At(p.Index).(*cim.Path)
	return ok && ref.Equal(w.object.Path)
}

// farEnds yields the instances at the other ends of an association.
func (w *walk) farEnds(ctx context.Context, assoc *cim.Instance, near *cim.Property) error {
	for _, far := range assoc.Class.Properties {
		if far == near || far.Type != cim.Reference || !w.isRole(far.Name, w.query.ResultRole) {
			continue
		}
		ref, ok := assoc.At(far.Index).(*cim.Path)
		if !ok || !w.wanted(ref) || w.seen[ref.String()] {
			continue
		}
		in, err := w.broker.Get(ctx, ref)
		if isNotFound(err) {
			continue // gone since the association was read
		}
		if err == nil {
			err = w.give(in)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) wanted(ref *cim.Path) bool {
	if w.query.ResultClass == "" {
		return true
	}
	c := w.broker.schema.Class(ref.Class)
	return c != nil && c.IsA(w.query.ResultClass)
}

func (w *walk) give(in *cim.Instance) error {
	key := in.Path.String()
	if w.seen[key] {
		return nil
	}
	w.seen[key] = true
	return w.yield(in)
}
