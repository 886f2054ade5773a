package server

import (
	"context"
	"strings"

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
		found := &search{run: func(ctx context.Context, yield cim.Yield) error { return broker.Query(ctx, ns, q, yield) }}
		if language == cim.LanguageWQL && !isSelect(text) {
			return found, s.onlyOf(rq, found)
		}
		f, err := broker.Filter(ns, q)
		if err != nil {
			return nil, err
		}
		found.class = f.Class()
		return found, s.checkQueried(rq, f.Class())
	}
}

// isSelect tells a select statement from the others of WQL, ASSOCIATORS OF and
// REFERENCES OF, which are about no class.
func isSelect(text string) bool {
	word, _, _ := strings.Cut(strings.Join(strings.Fields(text), " "), " ")
	return strings.EqualFold(word, "select")
}

// checkQueried compares the class of a query with that of the resource URI.
func (s *Server) checkQueried(rq *request, class *cim.Class) error {
	if rq.resource.Kind == wsman.KindAll {
		return nil
	}
	named, err := s.class(rq)
	if err == nil && !class.IsA(named.Name) {
		err = wsman.CannotProcessFilter("the query is about %s, the resource URI about %s", class.Name, named.Name)
	}
	return err
}

// onlyOf leaves the instances of the class that the resource URI names.
func (s *Server) onlyOf(rq *request, found *search) error {
	if rq.resource.Kind == wsman.KindAll {
		return nil
	}
	class, err := s.class(rq)
	if err != nil {
		return err
	}
	all := found.run
	found.run = func(ctx context.Context, yield cim.Yield) error {
		return all(ctx, func(in *cim.Instance) error {
			if !in.Class.IsA(class.Name) {
				return nil
			}
			return yield(in)
		})
	}
	return nil
}
