package server

import (
	"context"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// handleRelease ends an enumeration before all was pulled (DSP0226 section 8.6).
func (s *Server) handleRelease(_ context.Context, rq *request) (*answer, error) {
	body := rq.msg.Body
	if !soap.Is(body, wsman.NSEnumeration, "Release") {
		return nil, wsman.SchemaValidationError("the body must be n:Release")
	}
	if s.isSubscription(contextID(body)) {
		return s.releaseEvents(rq, contextID(body))
	}
	e, err := s.contexts.take(contextID(body), rq.who.Name, s.config.Time())
	if err != nil {
		return nil, err
	}
	s.contexts.put(e, false, s.config.Time())
	return &answer{}, nil
}
