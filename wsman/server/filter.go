package server

import (
	"context"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// filtered is the source of an enumeration with a filter. The only dialect is
// that of associations (DSP0227 section 8.1).
func (s *Server) filtered(rq *request, en *enumeration) (*source, error) {
	dialect, _ := soap.Attr(en.filter, "", "Dialect")
	if !wsman.SameDialect(dialect, wsman.DialectAssociation) {
		return nil, wsman.FilterDialectUnavailable("the filter dialect %.200q is not served", dialect)
	}
	q, err := s.readAssociation(rq, en.filter)
	if err != nil {
		return nil, err
	}
	if rq.resource.Kind == wsman.KindClass && q.ResultClass == "" {
		q.ResultClass = rq.resource.Class
	}
	ns := q.Object.Namespace
	return instances(rq, en, nil, func(ctx context.Context, yield cim.Yield) error {
		return s.config.Broker.Associated(ctx, ns, q, yield)
	}), nil
}

// readAssociation reads the association filter: what is associated with an
// object, or the associations themselves.
func (s *Server) readAssociation(rq *request, filter *soap.Element) (q cim.AssociationQuery, err error) {
	e := soap.FirstChild(filter)
	switch {
	case soap.Is(e, wsman.NSBinding, "AssociatedInstances"):
	case soap.Is(e, wsman.NSBinding, "AssociationInstances"):
		q.References = true
	default:
		return q, wsman.CannotProcessFilter("the filter must be b:AssociatedInstances or b:AssociationInstances")
	}
	object := soap.Child(e, wsman.NSBinding, "Object")
	if object == nil {
		return q, wsman.CannotProcessFilter("the filter has no b:Object")
	}
	if q.Object, err = s.readObject(rq, object); err != nil {
		return q, err
	}
	q.AssociationClass = soap.ChildText(e, wsman.NSBinding, "AssociationClassName")
	q.ResultClass = soap.ChildText(e, wsman.NSBinding, "ResultClassName")
	q.Role = soap.ChildText(e, wsman.NSBinding, "Role")
	q.ResultRole = soap.ChildText(e, wsman.NSBinding, "ResultRole")
	return q, nil
}

func (s *Server) readObject(rq *request, e *soap.Element) (*cim.Path, error) {
	epr, err := soap.ReadEPR(e)
	if err != nil {
		return nil, wsman.CannotProcessFilter("b:Object: %s", err)
	}
	p, err := wscim.EPRToPath(epr, s.env(rq))
	if err != nil {
		return nil, err
	}
	return p, nil
}
