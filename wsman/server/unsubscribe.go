package server

import (
	"context"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// handleUnsubscribe ends a subscription (DSP0226 section 10.4).
func (s *Server) handleUnsubscribe(ctx context.Context, rq *request) (*answer, error) {
	id, err := s.subscriptionID(rq, "Unsubscribe")
	if err != nil {
		return nil, err
	}
	if err := s.config.Events.Unsubscribe(rq.who, id); err != nil {
		return nil, err
	}
	return &answer{code: "ok"}, nil
}

// subscriptionID is the subscription that a request is about: that of the header
// e:Identifier, else of a selector of that name.
func (s *Server) subscriptionID(rq *request, body string) (string, error) {
	if s.config.Events == nil {
		return "", wsman.ActionNotSupported("", "the action %s is not served", rq.msg.Action)
	}
	if !soap.Is(rq.msg.Body, wsman.NSEventing, body) {
		return "", wsman.SchemaValidationError("the body must be e:%s", body)
	}
	id := soap.ChildText(rq.msg.Header, wsman.NSEventing, "Identifier")
	if id == "" {
		sel, _ := wsman.FindSelector(rq.msg.Selectors, "Identifier")
		id = sel.Value
	}
	if id == "" {
		return "", wsman.InvalidEventMessage("the header e:Identifier, which names the subscription, is missing")
	}
	rq.objects = []string{id}
	return id, nil
}
