package server

import "context"

// handleGetStatus says when an enumeration ends (WS-Enumeration section 3.4). It
// may be under way, and lives no longer for being asked about.
func (s *Server) handleGetStatus(_ context.Context, rq *request) (*answer, error) {
	body, err := enumerationBody(rq, "GetStatus")
	if err != nil {
		return nil, err
	}
	id := body.context()
	if body.err != nil {
		return nil, body.err
	}
	now, clock := s.config.Time(), false
	end, err := s.contexts.look(id, rq.who.Name, now, func(e *contextEntry) (renewed bool, err error) {
		clock = e.life.clock
		return false, continues(rq, e.cursor.source)
	})
	if err != nil {
		return nil, err
	}
	return expiresAnswer("GetStatusResponse", clock, end, now), nil
}
