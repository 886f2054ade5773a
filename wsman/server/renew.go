package server

import (
	"context"
	"time"

	"twinlun/wsman/soap"
)

// handleRenew gives an enumeration a new end (WS-Enumeration section 3.3). Without
// n:Expires it lives again for as long as it is pulled. It may be under way.
func (s *Server) handleRenew(_ context.Context, rq *request) (*answer, error) {
	body, err := enumerationBody(rq, "Renew")
	if err != nil {
		return nil, err
	}
	now := s.config.Time()
	id, life := body.context(), body.expires(now, s.config.Limits.ContextLife)
	if body.err != nil {
		return nil, body.err
	}
	end, err := s.contexts.look(id, rq.who.Name, now, func(e *contextEntry) (renewed bool, err error) {
		if err := continues(rq, e.cursor.source); err != nil {
			return false, err
		}
		e.life = life
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return expiresAnswer("RenewResponse", life.clock, end, now), nil
}

// expiresAnswer is an answer that says when an enumeration ends.
func expiresAnswer(wrapper string, clock bool, end, now time.Time) *answer {
	return &answer{body: func(w *soap.Writer) error {
		w.Start("n", wrapper)
		writeExpires(w, clock, end, now)
		w.End()
		return nil
	}}
}
