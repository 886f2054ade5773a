package server

import (
	"context"

	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// handleGet answers WS-Transfer Get (DSP0226 section 7.3): an instance, or with
// the resource URI of the schema a class.
func (s *Server) handleGet(ctx context.Context, rq *request) (*answer, error) {
	if rq.resource.Kind == wsman.KindSchema {
		return s.getClass(rq)
	}
	path, _, err := s.target(rq)
	if err != nil {
		return nil, err
	}
	in, err := s.config.Broker.Get(ctx, path)
	if err != nil {
		return nil, selectorFault(err)
	}
	return &answer{body: func(w *soap.Writer) error {
		wscim.WriteInstance(w, rq.resource.Prefix, in, wscim.InstanceOptions{Standalone: true})
		return nil
	}}, nil
}
