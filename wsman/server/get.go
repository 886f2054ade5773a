package server

import (
	"context"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// handleGet answers WS-Transfer Get (DSP0226 section 7.3): an instance or a fragment
// of one, or with the resource URI of the schema a class.
func (s *Server) handleGet(ctx context.Context, rq *request) (*answer, error) {
	f, err := readFragment(rq)
	if err != nil {
		return nil, err
	}
	if rq.resource.Kind == wsman.KindSchema {
		if f != nil {
			return nil, wsman.UnsupportedFeature(wsman.DetailFragment, "there are no fragments of classes")
		}
		return s.getClass(rq)
	}
	path, _, err := s.target(rq)
	if err != nil {
		return nil, err
	}
	in, err := s.config.Broker.Get(ctx, path)
	switch {
	case err != nil:
		return nil, selectorFault(err)
	case f != nil:
		return f.get(rq, in)
	}
	return s.writeRepresentation(rq, in), nil
}

// writeRepresentation answers with an instance, in the family of URIs that the
// request is of. It can be the body of a Put, which then changes nothing.
func (s *Server) writeRepresentation(rq *request, in *cim.Instance) *answer {
	return &answer{code: resultOK, body: func(w *soap.Writer) error {
		wscim.WriteInstance(w, rq.resource.Prefix, in, wscim.InstanceOptions{Standalone: true, PreciseArrays: rq.preciseArrays(), Tags: &s.tags})
		return nil
	}}
}

// preciseArrays says whether the client tells NULL arrays from those without entries.
func (rq *request) preciseArrays() bool {
	o, ok := rq.msg.Option(wsman.OptionPreciseArrays)
	return ok && isTrue(o.Value)
}
