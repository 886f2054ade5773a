package client

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

var allVolumes = cim.Query{Language: cim.LanguageWQL, Text: "SELECT * FROM CIM_Indication WHERE a < 'b & c'"}

// granting answers a Subscribe.
func granting(expires string) answer {
	return replies(func(w *soap.Writer) {
		w.Start("e", "SubscribeResponse")
		w.Namespace("e", wsman.NSEventing)
		w.Start("e", "SubscriptionManager")
		w.Element("a", "Address", wsman.Anonymous)
		w.Start("a", "ReferenceProperties")
		w.Element("e", "Identifier", "uuid:sub")
		w.End()
		w.End()
		w.Element("e", "Expires", expires)
		w.Element("n", "EnumerationContext", "uuid:ctx")
		w.End()
	})
}

// event is a Pull's answer with a loss, and a volume of that number for each.
func event(lost string, names ...string) answer {
	return func(*http.Request, *soap.Message) (soap.ResponseHeader, func(*soap.Writer), error) {
		h := soap.ResponseHeader{Extra: func(w *soap.Writer) { w.Element("w", "Bookmark", "mark") }}
		return h, func(w *soap.Writer) {
			w.Start("n", "PullResponse")
			w.Element("n", "EnumerationContext", "uuid:ctx")
			w.Start("n", "Items")
			if lost != "" {
				w.Element("w", "DroppedEvents", lost)
			}
			for _, name := range names {
				w.Start("p", "T_Volume")
				w.Namespace("p", wsman.ClassPrefix+"T_Volume")
				w.Element("p", "ID", name)
				w.End()
			}
			w.End()
			w.End()
		}, nil
	}
}

func unsubscribed() answer { return replies(nil) }

func TestSubscribe(t *testing.T) {
	s := newServer(t, map[string]answer{
		wsman.ActionSubscribe: granting("PT600S"), wsman.ActionPull: event("3", "1", "2"), wsman.ActionUnsubscribe: unsubscribed(),
	})
	c := started(t, s, nil)
	sub, err := c.Subscribe(t.Context(), "", allVolumes, SubscribeOptions{Heartbeat: 5 * time.Second, Bookmark: "here"})
	require.NoError(t, err)
	ev, err := sub.Pull(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, ev.Lost)
	require.Equal(t, "mark", ev.Bookmark)
	require.Len(t, ev.Instances, 2)
	require.Equal(t, uint64(2), ev.Instances[1].Get("ID"))
	require.NoError(t, sub.Unsubscribe(t.Context()))

	m := s.requests(wsman.ActionSubscribe)[0]
	require.Equal(t, wsman.AllClassesURI, m.ResourceURI)
	filter := soap.Child(m.Body, wsman.NSWSMan, "Filter")
	dialect, _ := soap.Attr(filter, "", "Dialect")
	require.Equal(t, wsman.DialectWQL, dialect)
	require.Equal(t, allVolumes.Text, soap.Text(filter))
	require.Equal(t, "here", soap.ChildText(m.Body, wsman.NSWSMan, "Bookmark"))
	require.NotNil(t, soap.Child(m.Body, wsman.NSWSMan, "SendBookmarks"))
	require.Equal(t, "PT600.000S", soap.ChildText(m.Body, wsman.NSEventing, "Expires"))
	require.Equal(t, "uuid:ctx", soap.ChildText(s.requests(wsman.ActionPull)[0].Body, wsman.NSEnumeration, "EnumerationContext"))
	require.Equal(t, "uuid:sub", soap.ChildText(s.requests(wsman.ActionUnsubscribe)[0].Header, wsman.NSEventing, "Identifier"))
}

// A subscription that is about to expire is renewed before it is pulled from.
func TestSubscriptionIsRenewed(t *testing.T) {
	s := newServer(t, map[string]answer{
		wsman.ActionSubscribe: granting("PT0.001S"), wsman.ActionPull: event(""),
		wsman.ActionRenewSubscription: replies(func(w *soap.Writer) {
			w.Start("e", "RenewResponse")
			w.Namespace("e", wsman.NSEventing)
			w.Element("e", "Expires", "PT600S")
			w.End()
		}),
	})
	c := started(t, s, nil)
	sub, err := c.Subscribe(t.Context(), "", allVolumes, SubscribeOptions{})
	require.NoError(t, err)
	for range 2 {
		_, err = sub.Pull(t.Context())
		require.NoError(t, err)
	}
	renewals := s.requests(wsman.ActionRenewSubscription)
	require.Len(t, renewals, 1)
	require.Equal(t, "uuid:sub", soap.ChildText(renewals[0].Header, wsman.NSEventing, "Identifier"))
}

func TestWatch(t *testing.T) {
	pulls := 0
	s := newServer(t, map[string]answer{
		wsman.ActionSubscribe: granting("PT600S"), wsman.ActionUnsubscribe: unsubscribed(),
		wsman.ActionPull: func(r *http.Request, m *soap.Message) (soap.ResponseHeader, func(*soap.Writer), error) {
			pulls++
			if pulls < 3 {
				return event("")(r, m) // nothing has happened
			}
			return event("", "1")(r, m)
		},
	})
	c := started(t, s, nil)
	stop := errors.New("enough")
	err := c.Watch(t.Context(), "", allVolumes, SubscribeOptions{}, func(ev *Events) error {
		require.Len(t, ev.Instances, 1)
		return stop
	})
	require.ErrorIs(t, err, stop)
	require.Len(t, s.requests(wsman.ActionPull), 3)
	require.Len(t, s.requests(wsman.ActionUnsubscribe), 1)
}

// The end of the context ends the subscription at the server too.
func TestWatchInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(t, map[string]answer{
		wsman.ActionSubscribe: granting("PT600S"), wsman.ActionUnsubscribe: unsubscribed(),
		wsman.ActionPull: func(r *http.Request, m *soap.Message) (soap.ResponseHeader, func(*soap.Writer), error) {
			cancel()
			<-r.Context().Done()
			return event("")(r, m)
		},
	})
	c := started(t, s, nil)
	err := c.Watch(ctx, "", allVolumes, SubscribeOptions{}, func(*Events) error { return nil })
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, s.requests(wsman.ActionUnsubscribe), 1)
}

func TestSubscribeFails(t *testing.T) {
	for name, c := range map[string]struct {
		answers map[string]answer
		query   cim.Query
		says    string
	}{
		"fault":    {map[string]answer{wsman.ActionSubscribe: fails(wsman.CannotProcessEventFilter("column 3"))}, allVolumes, "column 3"},
		"language": {nil, cim.Query{Language: "SQL"}, "not a query language"},
		"no context": {map[string]answer{wsman.ActionSubscribe: replies(func(w *soap.Writer) {
			w.Start("e", "SubscribeResponse")
			w.Namespace("e", wsman.NSEventing)
			w.End()
		})}, allVolumes, "how to go on"},
		"other answer": {map[string]answer{
			wsman.ActionSubscribe: granting("PT600S"), wsman.ActionUnsubscribe: unsubscribed(),
			wsman.ActionPull: replies(func(w *soap.Writer) { w.Element("n", "Other", "") }),
		}, allVolumes, "did not answer the Pull"},
		"no number": {map[string]answer{
			wsman.ActionSubscribe: granting("PT600S"), wsman.ActionUnsubscribe: unsubscribed(), wsman.ActionPull: event("some"),
		}, allVolumes, "number"},
		"pull fault": {map[string]answer{
			wsman.ActionSubscribe: granting("PT600S"), wsman.ActionUnsubscribe: unsubscribed(),
			wsman.ActionPull: fails(wsman.InvalidEnumerationContext("gone")),
		}, allVolumes, "gone"},
	} {
		client := started(t, newServer(t, c.answers), nil)
		err := client.Watch(t.Context(), "", c.query, SubscribeOptions{}, func(*Events) error { return nil })
		require.ErrorContains(t, err, c.says, name)
	}
}
