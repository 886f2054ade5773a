package server

import (
	"context"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// associationFilter reads the filter of associations (DSP0227 section 8.2): what is
// associated with an object, or the associations themselves.
func (s *Server) associationFilter(_ context.Context, rq *request, en *enumeration) (*search, error) {
	q, err := s.readAssociation(rq, en.filter)
	if err != nil {
		return nil, err
	}
	found := &search{properties: q.Properties}
	if rq.resource.Kind == wsman.KindClass && q.ResultClass == "" {
		q.ResultClass = rq.resource.Class
	}
	ns := strings.Clone(q.Object.Namespace)
	q.Object.Namespace = ns
	if q.ResultClass != "" {
		if found.class, err = s.config.Broker.Class(ns, q.ResultClass); err != nil {
			return nil, err
		}
	}
	found.run = s.associated(ns, q)
	return found, s.onlyOf(rq, found)
}

// associated finds what a query asks for. An object that does not exist is the
// filter's mistake (DSP0227 R8.2.1-4).
func (s *Server) associated(ns string, q cim.AssociationQuery) func(context.Context, cim.Yield) error {
	broker := s.config.Broker
	return func(ctx context.Context, yield cim.Yield) error {
		var stop error
		err := broker.Associated(ctx, ns, q, func(in *cim.Instance) error {
			stop = yield(in)
			return stop
		})
		if err != nil && stop == nil && cim.StatusOf(err) == cim.StatusNotFound {
			return cannotFilter("b:Object", err)
		}
		return err
	}
}

// readAssociation reads the one element of the filter.
func (s *Server) readAssociation(rq *request, filter *soap.Element) (q cim.AssociationQuery, err error) {
	e, err := filterElement(filter)
	if err != nil {
		return q, err
	}
	switch {
	case soap.Is(e, wsman.NSBinding, "AssociatedInstances"):
	case soap.Is(e, wsman.NSBinding, "AssociationInstances"):
		q.References = true
	default:
		return q, wsman.CannotProcessFilter("the filter must be b:AssociatedInstances or b:AssociationInstances")
	}
	r := associationReader{q: &q, seen: map[string]bool{}, object: func(e *soap.Element) (*cim.Path, error) { return s.readObject(rq, e) }}
	for c := range soap.Children(e) {
		if err := r.read(c); err != nil {
			return q, err
		}
	}
	switch {
	case q.Object == nil:
		return q, wsman.CannotProcessFilter("the filter has no b:Object")
	case q.References && q.ResultRole != "":
		return q, wsman.CannotProcessFilter("b:ResultRole is for b:AssociatedInstances only")
	}
	return q, nil
}

// associationReader reads the children of the filter.
type associationReader struct {
	q      *cim.AssociationQuery
	object func(*soap.Element) (*cim.Path, error)
	seen   map[string]bool
}

// read takes one child. One that is not known would restrict the result, so it is
// refused; one that is empty does not.
func (r *associationReader) read(e *soap.Element) (err error) {
	texts := map[string]*string{
		"AssociationClassName": &r.q.AssociationClass, "ResultClassName": &r.q.ResultClass, "Role": &r.q.Role, "ResultRole": &r.q.ResultRole,
	}
	into := texts[e.Tag]
	switch {
	case !soap.Is(e, wsman.NSBinding, e.Tag):
		return wsman.CannotProcessFilter("the filter has an element %.100q that is not of its namespace", e.Tag)
	case e.Tag == "IncludeResultProperty":
		return r.readProperty(e)
	case r.seen[e.Tag]:
		return wsman.CannotProcessFilter("b:%.100s is there twice", e.Tag)
	case e.Tag == "Object":
		r.q.Object, err = r.object(e)
	case into != nil:
		*into = strings.Clone(soap.Text(e))
	default:
		return wsman.CannotProcessFilter("the filter has no part b:%.100s", e.Tag)
	}
	r.seen[e.Tag] = true
	return err
}

// Bounds of a list of properties, which an enumeration keeps until it ends.
const (
	maxResultProperties   = 256
	maxResultPropertyName = 256 // bytes
)

func (r *associationReader) readProperty(e *soap.Element) error {
	name := soap.Text(e)
	switch {
	case len(r.q.Properties) == maxResultProperties:
		return wsman.CannotProcessFilter("there are more than %d b:IncludeResultProperty", maxResultProperties)
	case len(name) > maxResultPropertyName:
		return wsman.CannotProcessFilter("b:IncludeResultProperty has more than %d bytes, which no property's name has", maxResultPropertyName)
	case name != "":
		r.q.Properties = append(r.q.Properties, strings.Clone(name))
	}
	return nil
}

// readObject reads the endpoint reference of the object.
func (s *Server) readObject(rq *request, e *soap.Element) (*cim.Path, error) {
	epr, err := soap.ReadEPR(e)
	if err != nil {
		return nil, cannotFilter("b:Object", err)
	}
	p, err := wscim.EPRToPath(epr, s.env(rq))
	if err != nil {
		return nil, cannotFilter("b:Object", err)
	}
	return p, nil
}
