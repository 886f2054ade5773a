package server

import (
	"context"
	"strings"
	"time"

	"twinlun/wsman"
	"twinlun/wsman/wscim"
)

// handlePull sends the next batch of an enumeration (DSP0226 section 8.4).
func (s *Server) handlePull(ctx context.Context, rq *request) (*answer, error) {
	body, err := enumerationBody(rq, "Pull")
	if err != nil {
		return nil, err
	}
	id, most, maxTime := body.context(), body.most(), body.duration("MaxTime", wsman.NSEnumeration)
	chars := body.number(0, "MaxCharacters", wsman.NSEnumeration)
	if body.err != nil {
		return nil, body.err
	}
	if s.isSubscription(id) {
		return s.pullEvents(ctx, rq, eventPull{id: id, most: most, maxTime: maxTime, chars: chars})
	}
	ctx, cancel := withMaxTime(ctx, maxTime)
	defer cancel()
	e, err := s.takeContext(rq, id)
	if err != nil {
		return nil, err
	}
	return s.takeBatch(ctx, rq, e, &batch{cursor: e.cursor, wrapper: "PullResponse", prefix: "n", most: most, chars: chars, again: true})
}

// withMaxTime is ctx with the time that the client gives a Pull; 0: it does not.
func withMaxTime(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, d, wsman.EnumerationTimedOut("nothing was found within MaxTime; there may be more"))
}

// takeContext finds the enumeration that a request goes on with, in use by the
// caller, who must put it back.
func (s *Server) takeContext(rq *request, id string) (*contextEntry, error) {
	e, err := s.contexts.take(id, rq.who.Name, s.config.Time())
	if err != nil {
		return nil, err
	}
	if err := continues(rq, e.cursor.source); err != nil {
		s.contexts.put(e, true, s.config.Time())
		return nil, err
	}
	return e, nil
}

// continues refuses a request whose resource URI or namespace is another than that
// of the enumeration. It may leave them out: the context says it all.
func continues(rq *request, of *source) error {
	if rq.msg.ResourceURI == "" {
		return nil
	}
	r, err := wsman.ParseResourceURI(rq.msg.ResourceURI)
	if err != nil {
		return err
	}
	if r.Kind != of.resource.Kind || !strings.EqualFold(r.Class, of.resource.Class) || wscim.Namespace(r, rq.msg.Selectors, of.ns) != of.ns {
		return wsman.InvalidHeader("", "the enumeration is of %s in %s, not of the resource that the header names", of.resource.URI(), of.ns)
	}
	return nil
}
