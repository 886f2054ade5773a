package server

import (
	"context"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// handlePull sends the next batch of an enumeration (DSP0226 section 8.4). The
// resource URI is not looked at: the context says it all.
func (s *Server) handlePull(ctx context.Context, rq *request) (*answer, error) {
	body := rq.msg.Body
	if !soap.Is(body, wsman.NSEnumeration, "Pull") {
		return nil, wsman.SchemaValidationError("the body must be n:Pull")
	}
	most, err := readMaxElements(body)
	if err != nil {
		return nil, err
	}
	if s.isSubscription(contextID(body)) {
		return s.pullEvents(ctx, rq, eventPull{id: contextID(body), most: most})
	}
	ctx, cancel, err := withMaxTime(ctx, body)
	if err != nil {
		return nil, err
	}
	defer cancel()
	e, err := s.contexts.take(contextID(body), rq.who.Name, s.config.Time())
	if err != nil {
		return nil, err
	}
	return s.takeBatch(ctx, rq, e, &batch{cursor: e.cursor, wrapper: "PullResponse", prefix: "n", most: most, retry: true})
}

// withMaxTime is ctx with the time that the client gives, if it does.
func withMaxTime(ctx context.Context, pull *soap.Element) (context.Context, context.CancelFunc, error) {
	e := soap.Child(pull, wsman.NSEnumeration, "MaxTime")
	if e == nil {
		return ctx, func() {}, nil
	}
	d, ok := soap.ParseDuration(soap.Text(e))
	if !ok || d <= 0 {
		return nil, nil, wsman.SchemaValidationError("MaxTime is not a positive duration")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d, wsman.EnumerationTimedOut("nothing more was found within MaxTime"))
	return ctx, cancel, nil
}

// contextID is the enumeration that the body names.
func contextID(body *soap.Element) string {
	return soap.ChildText(body, wsman.NSEnumeration, "EnumerationContext")
}
