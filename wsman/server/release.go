package server

import "context"

// handleRelease ends an enumeration before all was pulled (DSP0226 section 8.5).
func (s *Server) handleRelease(_ context.Context, rq *request) (*answer, error) {
	body, err := enumerationBody(rq, "Release")
	if err != nil {
		return nil, err
	}
	id := body.context()
	if body.err != nil {
		return nil, body.err
	}
	if s.isSubscription(id) {
		return s.releaseEvents(rq, id)
	}
	e, err := s.takeContext(rq, id)
	if err != nil {
		return nil, err
	}
	s.contexts.put(e, false, s.config.Time())
	return &answer{}, nil
}
