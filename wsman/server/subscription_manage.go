package server

import (
	"context"

	"twinlun/wsman"
	"twinlun/wsman/eventing"
	"twinlun/wsman/soap"
)

// handleRenewSubscription gives a subscription a new time to end (DSP0226 section
// 10.5).
func (s *Server) handleRenewSubscription(ctx context.Context, rq *request) (*answer, error) {
	id, err := s.subscriptionID(rq, "Renew")
	if err != nil {
		return nil, err
	}
	asked, err := eventing.ReadExpires(rq.msg.Body)
	if err != nil {
		return nil, err
	}
	st, err := s.config.Events.Renew(ctx, rq.who, id, asked)
	if err != nil {
		return nil, err
	}
	return statusAnswer("RenewResponse", st, asked), nil
}

// handleSubscriptionStatus says when a subscription ends (DSP0226 section 10.3).
func (s *Server) handleSubscriptionStatus(_ context.Context, rq *request) (*answer, error) {
	id, err := s.subscriptionID(rq, "GetStatus")
	if err != nil {
		return nil, err
	}
	st, err := s.config.Events.Status(rq.who, id)
	if err != nil {
		return nil, err
	}
	return statusAnswer("GetStatusResponse", st, eventing.Expiry{}), nil
}

func statusAnswer(local string, st *eventing.Status, asked eventing.Expiry) *answer {
	return &answer{code: "ok", body: func(w *soap.Writer) error {
		w.Start("e", local)
		w.Namespace("e", wsman.NSEventing)
		writeSubscriptionExpires(w, st, asked)
		w.End()
		return nil
	}}
}
