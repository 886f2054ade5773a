package client

import (
	"context"
	"errors"
	"strconv"
	"time"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// SubscribeOptions say how a subscription is to be. Zero values leave it to the
// server.
type SubscribeOptions struct {
	// Expires is how long it lasts where it is not renewed; 0: 10 minutes.
	Expires time.Duration
	// Heartbeat is after what time without events Pull returns none; 0: as late as
	// Config.Timeout allows.
	Heartbeat time.Duration
	// Bookmark is where to go on: that of Events, or wsman.BookmarkEarliest; empty:
	// now.
	Bookmark string
}

const defaultExpires = 10 * time.Minute

// Subscription is a subscription to indications in Pull mode (DSP0226 section 10).
// It is for one goroutine.
type Subscription struct {
	c       *Client
	header  soap.RequestHeader // of the Subscribe
	ns      string
	id      string // of the subscription, for its manager
	context string // to pull from
	asked   time.Duration
	ends    time.Time // when it expires, unless it is renewed
}

// Events is what a Pull brought.
type Events struct {
	Instances []*cim.Instance // indications, without paths
	// Lost is how many events are missing before them, -1 where the server does not
	// know.
	Lost int64
	// Bookmark is the place after them.
	Bookmark string
}

// Subscribe begins a subscription to the indications that a query selects. Whoever
// has done so must Unsubscribe.
func (c *Client) Subscribe(ctx context.Context, ns string, q cim.Query, o SubscribeOptions) (*Subscription, error) {
	dialect, err := dialectOf(q.Language)
	if err != nil {
		return nil, err
	}
	if o.Expires <= 0 {
		o.Expires = defaultExpires
	}
	h := c.header(wsman.ActionSubscribe, &cim.Path{Namespace: ns})
	h.ResourceURI = wsman.AllClassesURI
	began := time.Now()
	m, err := c.call(ctx, h, func(w *soap.Writer) { writeSubscribe(w, dialect, q.Text, o) })
	if err != nil {
		return nil, err
	}
	s := &Subscription{c: c, header: h, ns: c.namespace(ns), asked: o.Expires}
	if err := s.readManager(m.Body); err != nil {
		return nil, err
	}
	s.granted(m.Body, began)
	return s, nil
}

func writeSubscribe(w *soap.Writer, dialect, query string, o SubscribeOptions) {
	w.Start("e", "Subscribe")
	w.Namespace("e", wsman.NSEventing)
	w.Start("e", "Delivery")
	w.Attr("", "Mode", wsman.DeliveryPull)
	if o.Heartbeat > 0 {
		w.Element("w", "Heartbeats", soap.FormatDuration(o.Heartbeat))
	}
	w.End()
	w.Element("e", "Expires", soap.FormatDuration(o.Expires))
	w.Start("w", "Filter")
	w.Attr("", "Dialect", dialect)
	w.Text(query)
	w.End()
	if o.Bookmark != "" {
		w.Element("w", "Bookmark", o.Bookmark)
	}
	w.Element("w", "SendBookmarks", "")
	w.End()
}

// readManager finds out what the server calls the subscription.
func (s *Subscription) readManager(body *soap.Element) error {
	manager := soap.Child(body, wsman.NSEventing, "SubscriptionManager")
	for _, set := range []string{"ReferenceProperties", "ReferenceParameters"} {
		if id := soap.ChildText(soap.Child(manager, wsman.NSAddressing, set), wsman.NSEventing, "Identifier"); id != "" {
			s.id = id
		}
	}
	s.context = soap.ChildText(body, wsman.NSEnumeration, "EnumerationContext")
	if s.id == "" || s.context == "" {
		return errors.New("the server does not say how to go on with the subscription")
	}
	return nil
}

// granted notes how long the server lets the subscription live.
func (s *Subscription) granted(body *soap.Element, from time.Time) {
	d, ok := soap.ParseDuration(soap.ChildText(body, wsman.NSEventing, "Expires"))
	if !ok {
		d = s.asked
	}
	s.ends = from.Add(d)
}

// Pull waits for events. There may be none after a while. It renews the subscription
// when half of its time is over.
func (s *Subscription) Pull(ctx context.Context) (*Events, error) {
	if time.Until(s.ends) < s.asked/2 {
		if err := s.Renew(ctx); err != nil {
			return nil, err
		}
	}
	h := s.header
	h.Action = wsman.ActionPull
	m, err := s.c.call(ctx, h, func(w *soap.Writer) {
		w.Start("n", "Pull")
		w.Element("n", "EnumerationContext", s.context)
		w.Element("n", "MaxElements", strconv.Itoa(s.c.cfg.MaxElements))
		w.End()
	})
	if err != nil {
		return nil, err
	}
	if !soap.Is(m.Body, wsman.NSEnumeration, "PullResponse") {
		return nil, wsman.SchemaValidationError("the server did not answer the Pull")
	}
	if id := soap.ChildText(m.Body, wsman.NSEnumeration, "EnumerationContext"); id != "" {
		s.context = id
	}
	return s.readEvents(ctx, m)
}

func (s *Subscription) readEvents(ctx context.Context, m *soap.Message) (*Events, error) {
	ev := &Events{Bookmark: soap.ChildText(m.Header, wsman.NSWSMan, "Bookmark")}
	env := s.c.env(ctx, s.ns)
	for e := range soap.Children(soap.Child(m.Body, wsman.NSEnumeration, "Items")) {
		if soap.Is(e, wsman.NSWSMan, "DroppedEvents") {
			n, err := strconv.ParseInt(soap.Text(e), 10, 64)
			if err != nil {
				return nil, wsman.SchemaValidationError("the server lost a number of events that is none")
			}
			ev.Lost = n
			continue
		}
		in, err := wscim.DecodeInstance(e, nil, env)
		if err != nil {
			return nil, err
		}
		ev.Instances = append(ev.Instances, in)
	}
	return ev, nil
}

// Renew makes the subscription last from now on for as long as was asked for.
func (s *Subscription) Renew(ctx context.Context) error {
	began := time.Now()
	m, err := s.manage(ctx, wsman.ActionRenewSubscription, func(w *soap.Writer) {
		w.Start("e", "Renew")
		w.Namespace("e", wsman.NSEventing)
		w.Element("e", "Expires", soap.FormatDuration(s.asked))
		w.End()
	})
	if err != nil {
		return err
	}
	s.granted(m.Body, began)
	return nil
}

// Unsubscribe ends the subscription, also when ctx has ended.
func (s *Subscription) Unsubscribe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_, err := s.manage(ctx, wsman.ActionUnsubscribe, func(w *soap.Writer) {
		w.Start("e", "Unsubscribe")
		w.Namespace("e", wsman.NSEventing)
		w.End()
	})
	return err
}

// manage sends a request to the manager of the subscription.
func (s *Subscription) manage(ctx context.Context, action string, body func(*soap.Writer)) (*soap.Message, error) {
	h := s.header
	h.Action = action
	h.Extra = func(w *soap.Writer) {
		w.Start("e", "Identifier")
		w.Namespace("e", wsman.NSEventing)
		w.Text(s.id)
		w.End()
	}
	return s.c.call(ctx, h, body)
}

// Watch subscribes, gives what comes to yield until that fails or ctx ends, and
// unsubscribes. The error is that of yield, of ctx, or of the server.
func (c *Client) Watch(ctx context.Context, ns string, q cim.Query, o SubscribeOptions, yield func(*Events) error) error {
	s, err := c.Subscribe(ctx, ns, q, o)
	if err != nil {
		return err
	}
	// The subscription expires by itself where it cannot be ended.
	defer func() { _ = s.Unsubscribe(ctx) }()
	for {
		ev, err := s.Pull(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		if len(ev.Instances) == 0 && ev.Lost == 0 {
			continue
		}
		if err := yield(ev); err != nil {
			return err
		}
	}
}
