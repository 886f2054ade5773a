package server

import (
	"context"

	"twinlun/cim"
	"twinlun/wsman"
)

// queryFilter reads the filters that are queries (DSP0227 section 8.1, [MS-WSMV]
// section 3.1.4.1.13). The resource URI is that of all classes, or of the class of
// the query or one above it. Instances show what the select list names.
func queryFilter(language string) func(*Server, context.Context, *request, *enumeration) (*search, error) {
	return func(s *Server, _ context.Context, rq *request, en *enumeration) (*search, error) {
		text, err := filterText(en.filter)
		if err != nil {
			return nil, err
		}
		broker, ns, q := s.config.Broker, rq.ns, cim.Query{Language: language, Text: text}
		f, err := broker.Filter(ns, q)
		if err != nil {
			return nil, err
		}
		if rq.resource.Kind == wsman.KindClass {
			named, err := s.class(rq)
			if err != nil {
				return nil, err
			}
			if !f.Class().IsA(named.Name) {
				return nil, wsman.CannotProcessFilter("the query is about %s, the resource URI about %s", f.Class().Name, named.Name)
			}
		}
		return &search{class: f.Class(), run: func(ctx context.Context, yield cim.Yield) error {
			return broker.Query(ctx, ns, q, yield)
		}}, nil
	}
}
