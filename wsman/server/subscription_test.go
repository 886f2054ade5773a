package server

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/eventing"
	"twinlun/wsman/soap"
)

const indicationURI = wsman.ClassPrefix + "T_Created"

// eventWorld is a world with an event source, whose indications are of the class
// T_Created below CIM_Indication.
type eventWorld struct {
	*world
	events *eventing.Manager
	sinks  *sinks
}

// sinks are the subscribers that are sent to: they take everything.
type sinks struct {
	mu  sync.Mutex
	got []*http.Request
}

func (s *sinks) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, r)
	return &http.Response{StatusCode: http.StatusAccepted, Body: http.NoBody}, nil
}

// eventQuerier knows "select * from CLASS".
type eventQuerier struct{ schema *cim.Schema }

func (q eventQuerier) Filter(_ string, query cim.Query) (cim.Filter, error) {
	words := strings.Fields(query.Text)
	if len(words) != 4 {
		return nil, cim.Errorf(cim.StatusInvalidQuery, "column 1: not a query")
	}
	if query.Language == cim.LanguageCQL {
		return nil, cim.Errorf(cim.StatusQueryLanguageNotSupported, "no CQL today")
	}
	c := q.schema.Class(words[3])
	if c == nil {
		return nil, cim.Errorf(cim.StatusInvalidQuery, "column 15: there is no class %s", words[3])
	}
	return eventFilter{c}, nil
}

type eventFilter struct{ class *cim.Class }

func (f eventFilter) Class() *cim.Class                      { return f.class }
func (f eventFilter) Match(*cim.Instance) bool               { return true }
func (f eventFilter) Project(in *cim.Instance) *cim.Instance { return in }

func newEventWorld(t testing.TB, change ...func(*eventing.Config)) *eventWorld {
	base := &cim.Class{Name: "CIM_Indication", Abstract: true, Indication: true}
	created := derive(base, "T_Created", &cim.Property{Name: "Text", Type: cim.String})
	created.Indication = true
	base.Link()
	created.Link()
	schema := cim.NewSchema(append(testSchema().Classes(), base, created))
	w := &eventWorld{sinks: new(sinks)}
	c := eventing.Config{Queries: eventQuerier{schema}, Transport: w.sinks}
	for _, f := range change {
		f(&c)
	}
	var err error
	w.events, err = eventing.New(t.Context(), c)
	require.NoError(t, err)
	w.world = newWorld(t, func(c *Config) {
		c.Events = w.events
		c.Limits.InFlight, c.Limits.InFlightPerUser = 2, 2
		c.Time = nil
	})
	w.broker.schema = schema
	return w
}

func (w *eventWorld) happen(texts ...string) {
	for _, text := range texts {
		in := cim.NewInstance(w.broker.schema.Class("T_Created"))
		_ = in.Set("Text", text)
		w.events.Publish(in)
	}
}

const eventNS = ` xmlns:e="` + wsman.NSEventing + `"`

// windowsSubscribe is how Windows subscribes: Pull, with a query over all classes.
func windowsSubscribe(extra string) string {
	return message{action: wsman.ActionSubscribe + "\n", uri: wsman.AllClassesURI, selectors: [][2]string{{"__cimnamespace", testNamespace}},
		timeout: "PT60.000S",
		body: `<e:Subscribe` + eventNS + `><e:Delivery Mode="` + wsman.DeliveryPull + `"><w:Heartbeats>PT60.000S</w:Heartbeats>` +
			`<w:Locale xml:lang="de-DE" s:mustUnderstand="false"/><p:DataLocale xml:lang="de-DE" s:mustUnderstand="false"/>` +
			`<w:ContentEncoding>UTF-16</w:ContentEncoding></e:Delivery><e:Expires>PT60.000S</e:Expires>` +
			`<w:Filter Dialect="` + wsman.DialectWQL + `">Select * from T_Created</w:Filter>` + extra + `</e:Subscribe>`}.windows()
}

// eventPullMessage is a Pull as Windows sends it.
func eventPullMessage(id, timeout, more string) string {
	return message{action: wsman.ActionPull, uri: wsman.AllClassesURI, timeout: timeout,
		body: `<n:Pull><n:EnumerationContext>` + id + `</n:EnumerationContext><n:MaxElements>20</n:MaxElements>` + more + `</n:Pull>`}.windows()
}

// about is a request about a subscription in the words of openwsman.
func about(action, id, body string) string {
	return message{action: action, uri: wsman.AllClassesURI,
		headers: `<wse:Identifier xmlns:wse="` + wsman.NSEventing + `">` + id + `</wse:Identifier>`,
		body:    body}.openwsman()
}

func (w *eventWorld) subscribe(t testing.TB, body string) string {
	t.Helper()
	r := w.ok(t, body)
	manager := soap.Child(r.Body, wsman.NSEventing, "SubscriptionManager")
	id := soap.ChildText(soap.Child(manager, wsman.NSAddressing, "ReferenceProperties"), wsman.NSEventing, "Identifier")
	require.True(t, w.events.Has(id))
	return id
}

func (r reply) texts() (all []string) {
	for _, it := range r.items() {
		all = append(all, soap.ChildText(it, indicationURI, "Text"))
	}
	return all
}

func TestWindowsSubscribes(t *testing.T) {
	w := newEventWorld(t)
	r := w.ok(t, windowsSubscribe(""))
	require.Equal(t, wsman.ActionSubscribe+"Response", r.Action)
	require.Equal(t, "SubscribeResponse", r.Body.Tag)
	manager := soap.Child(r.Body, wsman.NSEventing, "SubscriptionManager")
	require.Equal(t, "http://server:5985/wsman", soap.ChildText(manager, wsman.NSAddressing, "Address"))
	reference := soap.Child(manager, wsman.NSAddressing, "ReferenceProperties")
	require.Equal(t, wsman.AllClassesURI, soap.ChildText(reference, wsman.NSWSMan, "ResourceURI"))
	id := soap.ChildText(reference, wsman.NSEventing, "Identifier")
	require.Equal(t, id, r.context(), "a sibling of the manager")
	require.Equal(t, "PT60.000S", soap.ChildText(r.Body, wsman.NSEventing, "Expires"))

	w.happen("one", "two")
	r = w.ok(t, eventPullMessage(id, "", ""))
	require.Equal(t, wsman.ActionPull+"Response", r.Action)
	require.Equal(t, []string{"one", "two"}, r.texts())
	require.Equal(t, id, r.context())
	require.False(t, r.ended())

	r = w.ok(t, about(wsman.ActionUnsubscribe, id, `<wse:Unsubscribe xmlns:wse="`+wsman.NSEventing+`"/>`))
	require.Nil(t, r.Body)
	w.fails(t, eventPullMessage(id, "", ""), "n:InvalidEnumerationContext")
	w.fails(t, about(wsman.ActionUnsubscribe, id, `<wse:Unsubscribe xmlns:wse="`+wsman.NSEventing+`"/>`), "e:InvalidMessage")
}

func TestReleaseEndsSubscription(t *testing.T) {
	w := newEventWorld(t)
	id := w.subscribe(t, windowsSubscribe(""))
	release := message{action: wsman.ActionRelease, uri: wsman.AllClassesURI,
		body: `<n:Release><n:EnumerationContext>` + id + `</n:EnumerationContext></n:Release>`}.windows()
	w.postAs(t, "monitor", release).requireFault(t, "n:InvalidEnumerationContext")
	w.ok(t, release)
	require.False(t, w.events.Has(id))
	w.fails(t, release, "n:InvalidEnumerationContext")
	var results []any
	for _, line := range w.audits.lines(t) {
		if line["action"] == "Release" {
			require.Equal(t, []any{id}, line["objects"])
			results = append(results, line["result"])
		}
	}
	require.Equal(t, []any{"InvalidEnumerationContext", "ok"}, results, "what is gone is no subscription")
}

// openwsmanSubscribe is how wsmancli subscribes.
func openwsmanSubscribe(mode, uri, delivery, rest, headers string) string {
	return message{action: wsman.ActionSubscribe, uri: uri, headers: headers,
		body: `<wse:Subscribe xmlns:wse="` + wsman.NSEventing + `"><wse:Delivery Mode="` + mode + `"><wse:NotifyTo><wsa:Address>http://sink.example:15777/sink</wsa:Address>` +
			`<wsa:ReferenceProperties><n1:Corr xmlns:n1="urn:x">7</n1:Corr></wsa:ReferenceProperties></wse:NotifyTo>` + delivery + `</wse:Delivery>` + rest + `</wse:Subscribe>`}.openwsman()
}

func TestOpenwsmanSubscribes(t *testing.T) {
	tokens := `<n1:IssuedTokens xmlns:n1="` + wsman.NSTrust + `" s:mustUnderstand="true"><n1:RequestSecurityTokenResponse>` +
		`<n1:RequestedSecurityToken><n2:UsernameToken xmlns:n2="` + wsman.NSSecurity + `"><n2:Username>evuser</n2:Username><n2:Password>evpass</n2:Password>` +
		`</n2:UsernameToken></n1:RequestedSecurityToken></n1:RequestSecurityTokenResponse></n1:IssuedTokens>`
	filter := `<wsman:Filter Dialect="` + wsman.DialectWQL + `">select * from T_Created</wsman:Filter>`
	expires := `<wse:Expires>PT3600.000000S</wse:Expires>`
	for name, body := range map[string]string{
		"push":          openwsmanSubscribe(wsman.DeliveryPush, indicationURI, `<wsman:Heartbeats>PT30.000000S</wsman:Heartbeats>`, expires+filter+`<wsman:SendBookmarks/>`, ""),
		"push with ack": openwsmanSubscribe(wsman.DeliveryPushWithAck, indicationURI, "", expires+filter, ""),
		"events":        openwsmanSubscribe(wsman.DeliveryEvents, indicationURI, "", expires, ""),
		"no expiry":     openwsmanSubscribe(wsman.DeliveryPush, indicationURI, "", "", ""),
		"credentials":   openwsmanSubscribe(wsman.DeliveryPush, indicationURI, `<wsman:Auth Profile="`+wsman.ProfileHTTPBasic+`"/>`, expires, tokens),
	} {
		t.Run(name, func(t *testing.T) {
			w := newEventWorld(t)
			r := w.ok(t, body)
			require.Empty(t, r.context(), "there is nothing to pull")
			require.Equal(t, "PT3600.000S", soap.ChildText(r.Body, wsman.NSEventing, "Expires"))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- w.events.Run(ctx) }()
			w.happen("x")
			require.Eventually(t, func() bool {
				w.sinks.mu.Lock()
				defer w.sinks.mu.Unlock()
				return len(w.sinks.got) > 0
			}, 10*time.Second, time.Millisecond)
			cancel()
			require.NoError(t, <-done)
			user, _, ok := w.sinks.got[0].BasicAuth()
			require.Equal(t, name == "credentials", ok)
			if ok {
				require.Equal(t, "evuser", user)
			}
		})
	}
}

func TestSubscriptionVerbs(t *testing.T) {
	w := newEventWorld(t)
	id := w.subscribe(t, windowsSubscribe(""))
	body := func(name, inner string) string {
		return `<wse:` + name + ` xmlns:wse="` + wsman.NSEventing + `">` + inner + `</wse:` + name + `>`
	}
	r := w.ok(t, about(wsman.ActionRenewSubscription, id, body("Renew", `<wse:Expires>PT3600.000000S</wse:Expires>`)))
	require.Equal(t, "RenewResponse", r.Body.Tag)
	require.Equal(t, "PT3600.000S", soap.ChildText(r.Body, wsman.NSEventing, "Expires"))

	until := time.Now().Add(2 * time.Hour).UTC().Truncate(time.Second).Format(time.RFC3339)
	r = w.ok(t, about(wsman.ActionRenewSubscription, id, body("Renew", `<wse:Expires>`+until+`</wse:Expires>`)))
	require.Equal(t, until, soap.ChildText(r.Body, wsman.NSEventing, "Expires"), "in the kind that was asked for")

	r = w.ok(t, about(wsman.ActionSubscriptionStatus, id, body("GetStatus", "")))
	require.Equal(t, "GetStatusResponse", r.Body.Tag)
	left, ok := soap.ParseDuration(soap.ChildText(r.Body, wsman.NSEventing, "Expires"))
	require.True(t, ok)
	require.Greater(t, left, time.Hour)

	w.fails(t, about(wsman.ActionRenewSubscription, id, body("Renew", `<wse:Expires>2001-01-01T00:00:00Z</wse:Expires>`)), "e:InvalidExpirationTime")
	w.fails(t, about(wsman.ActionRenewSubscription, "uuid:none", body("Renew", "")), "e:UnableToRenew")
	w.fails(t, about(wsman.ActionSubscriptionStatus, "uuid:none", body("GetStatus", "")), "e:InvalidMessage")
	w.fails(t, about(wsman.ActionSubscriptionStatus, id, body("Renew", "")), "w:SchemaValidationError")
	w.fails(t, about(wsman.ActionUnsubscribe, "", body("Unsubscribe", "")), "e:InvalidMessage")
	w.postAs(t, "monitor", about(wsman.ActionUnsubscribe, id, body("Unsubscribe", ""))).requireFault(t, "e:InvalidMessage")

	bySelector := message{action: wsman.ActionUnsubscribe, uri: wsman.AllClassesURI, selectors: [][2]string{{"Identifier", id}}, body: body("Unsubscribe", "")}
	w.ok(t, bySelector.openwsman())
	require.False(t, w.events.Has(id))

	var audited []string
	for _, line := range w.audits.lines(t) {
		if line["result"] == "ok" {
			audited = append(audited, line["action"].(string))
		}
	}
	require.Equal(t, []string{"Subscribe", "RenewSubscription", "RenewSubscription", "Unsubscribe"}, audited)
}

func TestSubscribeFaults(t *testing.T) {
	w := newEventWorld(t)
	sub := func(uri, inner string) string {
		return message{action: wsman.ActionSubscribe, uri: uri,
			body: `<wse:Subscribe xmlns:wse="` + wsman.NSEventing + `"><wse:Delivery Mode="` + wsman.DeliveryPull + `"/>` + inner + `</wse:Subscribe>`}.openwsman()
	}
	filter := func(dialect, text string) string {
		return `<wsman:Filter Dialect="` + dialect + `">` + text + `</wsman:Filter>`
	}
	for name, c := range map[string]struct{ body, subcode, detail string }{
		"no filter":    {sub(wsman.AllClassesURI, ""), "e:FilteringRequestedUnavailable", "FilteringRequired"},
		"a volume":     {sub(volumeURI, ""), "e:EventSourceUnableToProcess", ""},
		"no class":     {sub(wsman.ClassPrefix+"T_None", ""), "a:DestinationUnreachable", "InvalidResourceURI"},
		"schema":       {sub(wsman.SchemaURI, ""), "e:EventSourceUnableToProcess", ""},
		"dialect":      {sub(wsman.AllClassesURI, filter(wsman.DialectXPath, "x")), "e:FilteringRequestedUnavailable", ""},
		"no CQL":       {sub(wsman.AllClassesURI, filter(wsman.DialectCQL, "select * from T_Created")), "e:FilteringRequestedUnavailable", ""},
		"bad query":    {sub(wsman.AllClassesURI, filter(wsman.DialectWQL, "nonsense")), "w:CannotProcessFilter", ""},
		"volume query": {sub(wsman.AllClassesURI, filter(wsman.DialectWQL, "select * from T_Volume")), "w:CannotProcessFilter", ""},
		"wrong body":   {message{action: wsman.ActionSubscribe, uri: indicationURI, body: "<x/>"}.openwsman(), "w:SchemaValidationError", ""},
	} {
		r := w.fails(t, c.body, c.subcode)
		require.Equal(t, c.detail, r.faultDetail(), name)
	}
	r := w.postAs(t, "monitor", openwsmanSubscribe(wsman.DeliveryPush, indicationURI, "", "", ""))
	r.requireFault(t, "w:AccessDenied")
	tokens := `<n1:IssuedTokens xmlns:n1="` + wsman.NSTrust + `" s:mustUnderstand="true"/>`
	w.fails(t, message{action: wsman.ActionGet, uri: volumeURI, headers: tokens}.openwsman(), "s:MustUnderstand")
}

// Without an event source nothing of it is served.
func TestNoEvents(t *testing.T) {
	w := newWorld(t)
	w.fails(t, windowsSubscribe(""), "a:ActionNotSupported")
	for action, body := range map[string]string{
		wsman.ActionUnsubscribe: "Unsubscribe", wsman.ActionRenewSubscription: "Renew", wsman.ActionSubscriptionStatus: "GetStatus",
	} {
		w.fails(t, about(action, "uuid:1", `<wse:`+body+` xmlns:wse="`+wsman.NSEventing+`"/>`), "a:ActionNotSupported")
	}
}
