package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/auth"
	"twinlun/wsman/soap"
)

// action is one row of the table: what is done for an action URI.
type action struct {
	name    string // in metrics and logs
	handle  func(context.Context, *request) (*answer, error)
	changes bool // something may be different afterwards
	// bare needs no resource.
	bare bool
}

// actionTable lists all actions, by URI, and the one for calls of methods, whose
// URIs name the method.
func actionTable(s *Server) (byURI map[string]action, invoke action) {
	return map[string]action{
		wsman.ActionGet:       {name: "Get", handle: s.handleGet},
		wsman.ActionEnumerate: {name: "Enumerate", handle: s.handleEnumerate},
		wsman.ActionPull:      {name: "Pull", handle: s.handlePull, bare: true},
		wsman.ActionRelease:   {name: "Release", handle: s.handleRelease, bare: true},
		wsman.ActionEnd:       {name: "End", handle: s.handleEnd, bare: true},
		wsman.ActionAckMS:     {name: "Acknowledge", handle: s.handleEnd, bare: true},

		wsman.ActionPut:         {name: "Put", handle: s.handlePut, changes: true},
		wsman.ActionCreate:      {name: "Create", handle: s.handleCreate, changes: true},
		wsman.ActionDelete:      {name: "Delete", handle: s.handleDelete, changes: true},
		wsman.ActionRenew:       {name: "Renew", handle: s.handleRenew, bare: true},
		wsman.ActionGetStatus:   {name: "GetStatus", handle: s.handleGetStatus, bare: true},
		wsman.ActionSubscribe:   {name: "Subscribe", handle: s.handleSubscribe, changes: true},
		wsman.ActionUnsubscribe: {name: "Unsubscribe", handle: s.handleUnsubscribe, changes: true, bare: true},

		wsman.ActionRenewSubscription:  {name: "RenewSubscription", handle: s.handleRenewSubscription, changes: true, bare: true},
		wsman.ActionSubscriptionStatus: {name: "GetStatusOfSubscription", handle: s.handleSubscriptionStatus, bare: true},
	}, action{name: "Invoke", handle: s.handleInvoke, changes: true}
}

// find is the row for a request.
func (s *Server) find(rq *request) (action, bool) {
	if isIdentify(rq.msg) {
		return action{name: "Identify", handle: s.handleIdentify, bare: true}, true
	}
	if row, ok := s.actions[rq.msg.Action]; ok {
		return row, true
	}
	_, ok := wsman.ParseAction(rq.msg.Action)
	return s.invoke, ok
}

// handleUnserved answers the actions that are known and not served.
func (s *Server) handleUnserved(_ context.Context, rq *request) (*answer, error) {
	return nil, wsman.ActionNotSupported("", "the action %s is not served", rq.msg.Action)
}

// handle carries out the request with this body and answers it.
func (s *Server) handle(rq *request, body []byte) {
	repeated := &repetition{all: s.repeats, time: s.config.Time}
	defer repeated.end()
	row, err := s.perform(rq, body, repeated)
	result := "ok"
	switch {
	case errors.Is(err, auth.ErrNoCredentials):
		s.refuseUser(rq.out, rq.http, err)
		return
	case err != nil:
		f := faultOf(err)
		result = resultOf(f)
		s.logFault(rq, row, f, err)
		s.sendFault(rq, f, statusOf(err))
	}
	took := s.config.Time().Sub(rq.start)
	s.metrics.observe(row.name, result, took)
	s.config.Logger.LogAttrs(rq.http.Context(), slog.LevelDebug, "wsman: request",
		slog.String("action", row.name), slog.String("result", result), slog.String("user", rq.who.Name),
		slog.String("message", rq.relatesTo()), slog.Duration("duration", took))
}

// perform reads the message, finds the action, calls it and sends its answer. A
// panic below it is an error like others; its stack goes to the log.
func (s *Server) perform(rq *request, body []byte, repeated *repetition) (row action, err error) {
	row = action{name: "unknown"}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	rq.size = len(body)
	rq.msg, err = soap.Decode(body, rq.http.Header.Get("Content-Type"), s.config.Limits.soap())
	switch stranger := rq.who.Name == ""; {
	case stranger && (err != nil || !isIdentify(rq.msg)):
		return row, auth.ErrNoCredentials
	case err != nil && len(rq.msg.NotUnderstood) > 0:
		return row, wsman.NotUnderstood(rq.msg.NotUnderstood) // before all else (SOAP 1.2 part 1 section 2.6)
	case err != nil:
		return row, err
	}
	found, ok := s.find(rq)
	if ok {
		row = found
	}
	if row.name != "Identify" {
		if err := rq.checkHeaders(); err != nil {
			return row, err
		}
	}
	if !ok {
		return row, wsman.ActionNotSupported("", "the action %.200q is not known", rq.msg.Action)
	}
	ctx, cancel := s.operation(rq, row)
	defer cancel()
	if row.changes {
		if first := repeated.begin(rq, body); first != nil {
			return row, s.answerAgain(ctx, rq, first)
		}
	}
	a, err := s.run(ctx, rq, row)
	if err != nil {
		return row, err
	}
	return row, s.sendAnswer(rq, a, row)
}

func (s *Server) run(ctx context.Context, rq *request, row action) (a *answer, err error) {
	if !row.bare {
		if err := rq.locate(s.config.DefaultNamespace); err != nil {
			return nil, err
		}
	}
	if row.changes {
		defer func() { s.audit(rq, row, a, err) }()
	}
	return row.handle(ctx, rq)
}

// operation is the context of an operation: with its time, and who asks. What
// changes something goes on when the client hangs up.
func (s *Server) operation(rq *request, row action) (context.Context, context.CancelFunc) {
	ctx, stop := rq.http.Context(), func() {}
	if row.changes {
		ctx, stop = detached(ctx)
	}
	if rq.who.Name != "" {
		ctx = cim.WithPrincipal(ctx, rq.who)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout(rq))
	return ctx, func() { cancel(); stop() }
}

func (s *Server) timeout(rq *request) time.Duration {
	if rq.msg.Timeout > 0 {
		return min(rq.msg.Timeout, s.config.Limits.MaxOperation)
	}
	return s.config.Limits.Operation
}

// statusOf is the HTTP status of a fault: 500 for all SOAP faults (DSP0226
// section C.3), 400 for what is not SOAP.
func statusOf(err error) int {
	if errors.Is(err, soap.ErrNotSOAP) {
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// logFault logs what the client is not told, and failures of our own louder.
func (s *Server) logFault(rq *request, row action, f *wsman.Fault, err error) {
	cause := f.Err
	if cause == nil {
		cause = err
	}
	log, most := s.config.Logger.Info, maxLogged
	if f.Internal() {
		log, most = s.config.Logger.Error, maxCause
	}
	log("wsman: fault", "action", row.name, "fault", resultOf(f), "reason", clip(f.Error(), maxLogged), "cause", clip(cause.Error(), most),
		"user", rq.who.Name, "remote", rq.http.RemoteAddr, "message", rq.relatesTo())
}
