package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/eventing"
	"twinlun/wsman/soap"
)

// handleSubscribe begins a subscription to indications (DSP0226 section 10.2).
func (s *Server) handleSubscribe(ctx context.Context, rq *request) (*answer, error) {
	if s.config.Events == nil {
		return s.handleUnserved(ctx, rq)
	}
	r, err := s.readSubscribe(rq)
	if err != nil {
		return nil, err
	}
	st, err := s.config.Events.Subscribe(ctx, rq.who, r)
	if err != nil {
		return nil, filterFault(err)
	}
	rq.objects = []string{st.ID}
	return &answer{code: "ok", note: r.Query.Text, body: func(w *soap.Writer) error {
		writeSubscribed(w, rq.msg.To, st, r.Expires)
		return nil
	}}, nil
}

// readSubscribe reads the request. A resource URI that names a class stands for the
// query of all of its indications.
func (s *Server) readSubscribe(rq *request) (*eventing.Request, error) {
	r, err := s.config.Events.Read(rq.msg)
	if err != nil {
		return nil, err
	}
	r.Namespace, r.Prefix = rq.ns, rq.resource.Prefix
	mode := soap.ChildText(rq.msg.Body, wsman.NSBinding, "PolymorphismMode")
	switch {
	case mode != "" && mode != wsman.PolymorphismInclude:
		return nil, wsman.PolymorphismUnsupported("the polymorphism mode %.100q is not served for subscriptions", mode)
	case rq.resource.Kind == wsman.KindSchema:
		return nil, wsman.SourceUnableToProcess("classes are no source of events")
	case r.Query.Text != "":
		return r, nil
	case rq.resource.Kind == wsman.KindAll:
		return nil, wsman.FilteringUnavailable(wsman.DetailFiltering, "the resource URI of all classes needs a filter")
	}
	class, err := s.class(rq)
	if err != nil {
		return nil, err
	}
	if !class.Indication {
		return nil, wsman.SourceUnableToProcess("the class %s is not one of indications", class.Name)
	}
	r.Query = cim.Query{Language: cim.LanguageWQL, Text: "SELECT * FROM " + class.Name}
	return r, nil
}

// filterFault is err where a query is what is wrong: with subscriptions that has
// faults of its own.
func filterFault(err error) error {
	e, ok := errors.AsType[*cim.Error](err)
	switch {
	case !ok:
		return err
	case e.Status == cim.StatusQueryLanguageNotSupported:
		return wsman.FilteringUnavailable("", "%s", e.Msg).WithCIM(e).With(e.Err)
	case e.Status == cim.StatusInvalidQuery, e.Status == cim.StatusInvalidClass:
		return wsman.CannotProcessEventFilter("%s", e.Msg).WithCIM(e).With(e.Err)
	}
	return err
}

// writeSubscribed writes e:SubscribeResponse, in Pull mode with the context to pull
// from (DSP0226 sections 10.2.4 and 10.2.9.5).
func writeSubscribed(w *soap.Writer, to string, st *eventing.Status, asked eventing.Expiry) {
	w.Start("e", "SubscribeResponse")
	w.Namespace("e", wsman.NSEventing)
	eventing.WriteManager(w, to, st.ResourceURI, st.ID)
	writeSubscriptionExpires(w, st, asked)
	if st.Mode == wsman.DeliveryPull {
		w.Element("n", "EnumerationContext", st.ID)
	}
	w.End()
}

// writeSubscriptionExpires writes e:Expires in the kind that the client used.
func writeSubscriptionExpires(w *soap.Writer, st *eventing.Status, asked eventing.Expiry) {
	if asked.At.IsZero() {
		w.Element("e", "Expires", soap.FormatDuration(st.Left))
		return
	}
	w.Element("e", "Expires", st.Expires.UTC().Format(time.RFC3339))
}

// notUnderstood are the headers that must be understood and are not. A Subscribe may
// bring the credentials for its deliveries.
func notUnderstood(m *soap.Message) []wsman.QName {
	if m.Action != wsman.ActionSubscribe {
		return m.NotUnderstood
	}
	return slices.DeleteFunc(slices.Clone(m.NotUnderstood), func(n wsman.QName) bool {
		return n.Space == wsman.NSTrust && n.Local == "IssuedTokens"
	})
}
