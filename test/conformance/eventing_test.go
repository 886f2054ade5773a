package conformance

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	creations = dmtf + "CIM_InstCreation"
	replicas  = "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_StorageSynchronized"
)

// subscriber is who is sent events.
type subscriber struct {
	url string
	got chan node // envelopes
	// reply writes what an envelope is answered.
	reply func(w http.ResponseWriter, envelope node)
}

func newSubscriber(t *testing.T, reply func(http.ResponseWriter, node)) *subscriber {
	t.Helper()
	s := &subscriber{got: make(chan node, 100), reply: reply}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL + "/sink"
	return s
}

func (s *subscriber) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const most = 1 << 20
	data, err := io.ReadAll(io.LimitReader(r.Body, most))
	var envelope node
	if err == nil {
		err = xml.Unmarshal(data, &envelope)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.got <- envelope
	s.reply(w, envelope)
}

// take is the next envelope that has come.
func (s *subscriber) take(t *testing.T) node {
	t.Helper()
	select {
	case e := <-s.got:
		require.NotEmpty(t, e.text("Header/MessageID"))
		return e
	case <-time.After(waitLimit):
		require.FailNow(t, "nothing was sent")
	}
	return node{}
}

// accept says that a message has come, and no more.
func accept(w http.ResponseWriter, _ node) { w.WriteHeader(http.StatusAccepted) }

// acknowledge answers as DSP0226 section 10.8 has it.
func acknowledge(w http.ResponseWriter, e node) {
	w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
	_, _ = fmt.Fprintf(w, `<s:Envelope xmlns:s="%s" xmlns:a="%s"><s:Header><a:Action>%sAck</a:Action><a:RelatesTo>%s</a:RelatesTo></s:Header><s:Body/></s:Envelope>`,
		spaces["s"], spaces["addressing"], wsmanBase, e.text("Header/MessageID"))
}

// refuse answers that no more is wanted.
func refuse(w http.ResponseWriter, _ node) {
	w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = fmt.Fprintf(w, `<s:Envelope xmlns:s="%s" xmlns:w="%s"><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:DeliveryRefused</s:Value></s:Subcode></s:Code></s:Fault></s:Body></s:Envelope>`,
		spaces["s"], spaces["wsman"])
}

// subscription is what Subscribe asks for.
type subscription struct{ mode, to, inside, rest string }

// subscribe subscribes to new replicas and returns the answer.
func (p *party) subscribe(t *testing.T, s subscription) node {
	t.Helper()
	notify := ""
	if s.to != "" {
		notify = `<e:NotifyTo><a:Address>` + s.to + `</a:Address><a:ReferenceProperties><x:Corr xmlns:x="urn:x">7</x:Corr></a:ReferenceProperties></e:NotifyTo>`
	}
	r := p.ok(t, question{action: "eventing/Subscribe", resource: creations, body: `<e:Subscribe>` + s.rest + `<e:Delivery Mode="` + s.mode + `">` + notify + s.inside +
		`</e:Delivery><e:Expires>PT10M</e:Expires><w:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL">` + replicas + `</w:Filter></e:Subscribe>`}).child("SubscribeResponse")
	require.NotEmpty(t, r.text("SubscriptionManager/Address"))
	require.NotEmpty(t, r.text("Expires"))
	require.NotEmpty(t, r.text("SubscriptionManager/*/Identifier"))
	return r
}

// about is a request to the manager of a subscription.
func about(verb string, subscribed node, inside string) question {
	return question{action: "eventing/" + verb, resource: creations,
		headers: "<e:Identifier>" + subscribed.text("SubscriptionManager/*/Identifier") + "</e:Identifier>",
		body:    "<e:" + verb + ">" + inside + "</e:" + verb + ">"}
}

// unsubscribe ends a subscription, whose answer has no content, and which is then
// not known any more.
func (p *party) unsubscribe(t *testing.T, subscribed node) {
	t.Helper()
	require.Empty(t, p.ok(t, about("Unsubscribe", subscribed, "")).Nodes)
	p.refused(t, about("Unsubscribe", subscribed, ""), "Sender", "eventing:InvalidMessage", "")
}

// happen makes a replica, which is an event.
func (p *party) happen(t *testing.T, name string) {
	t.Helper()
	p.in(t).replicate("v0", name, snapshot)
}

// isCreation checks that an element is the indication of a new replica.
func isCreation(t *testing.T, in node) {
	t.Helper()
	require.Equal(t, "CIM_InstCreation", in.XMLName.Local)
	require.Equal(t, "7", in.text("SourceInstance/SyncType"))
}

func eventsPulled(t *testing.T, p *party) {
	s := p.subscribe(t, subscription{mode: wsmanBase + "Pull"})
	context := s.text("EnumerationContext")
	require.NotEmpty(t, context)
	p.happen(t, "pulled-1")
	p.happen(t, "pulled-2")
	for range 2 {
		r := p.pull(t, creations, context)
		require.Empty(t, r.find("EndOfSequence"))
		require.Len(t, r.find("Items/*"), 1)
		isCreation(t, r.find("Items/*")[0])
		context = r.text("EnumerationContext")
	}
	p.unsubscribe(t, s)
	p.refused(t, pulling(creations, context), "Receiver", "enumeration:InvalidEnumerationContext", "")
}

func eventsPushed(t *testing.T, p *party) {
	to := newSubscriber(t, accept)
	s := p.subscribe(t, subscription{mode: spaces["eventing"] + "/DeliveryModes/Push", to: to.url})
	p.happen(t, "pushed")
	e := to.take(t)
	require.Equal(t, to.url, e.text("Header/To"))
	require.Equal(t, "7", e.text("Header/Corr"), "what the subscriber wanted back")
	require.NotEmpty(t, e.text("Header/Action"))
	require.Empty(t, e.find("Header/AckRequested"))
	require.Len(t, e.find("Body/*"), 1)
	isCreation(t, e.find("Body/*")[0])
	p.unsubscribe(t, s)
	p.happen(t, "not pushed")
	require.Empty(t, to.got)
}

func eventsAcknowledged(t *testing.T, p *party) {
	to := newSubscriber(t, acknowledge)
	s := p.subscribe(t, subscription{mode: wsmanBase + "PushWithAck", to: to.url})
	for _, name := range []string{"acknowledged-1", "acknowledged-2"} {
		p.happen(t, name)
		e := to.take(t)
		require.Len(t, e.find("Header/AckRequested"), 1)
		require.NotEmpty(t, e.text("Header/ReplyTo/Address"))
		isCreation(t, e.find("Body/*")[0])
	}
	p.unsubscribe(t, s)
}

func eventsBatched(t *testing.T, p *party) {
	to := newSubscriber(t, acknowledge)
	s := p.subscribe(t, subscription{mode: wsmanBase + "Events", to: to.url, inside: "<w:MaxElements>2</w:MaxElements><w:MaxTime>PT60S</w:MaxTime>"})
	p.happen(t, "batched-1")
	p.happen(t, "batched-2")
	e := to.take(t)
	require.Equal(t, wsmanBase+"Events", e.text("Header/Action"))
	require.Len(t, e.find("Header/AckRequested"), 1)
	events := e.find("Body/Events/Event")
	require.Len(t, events, 2, "they came together")
	for _, one := range events {
		require.NotEmpty(t, one.attr("Action"))
		isCreation(t, one.Nodes[0])
	}
	p.unsubscribe(t, s)
}

func heartbeats(t *testing.T, p *party) {
	to := newSubscriber(t, accept)
	s := p.subscribe(t, subscription{mode: spaces["eventing"] + "/DeliveryModes/Push", to: to.url, inside: "<w:Heartbeats>PT1S</w:Heartbeats>"})
	e := to.take(t) // nothing happens
	require.Equal(t, wsmanBase+"Heartbeat", e.text("Header/Action"))
	require.Empty(t, e.find("Body/*"))
	p.unsubscribe(t, s)
}

func subscriptionEnds(t *testing.T, p *party) {
	to, end := newSubscriber(t, refuse), newSubscriber(t, accept)
	s := p.subscribe(t, subscription{mode: wsmanBase + "PushWithAck", to: to.url, rest: "<e:EndTo><a:Address>" + end.url + "</a:Address></e:EndTo>"})
	require.Equal(t, "PT3600.000S", p.ok(t, about("Renew", s, "<e:Expires>PT1H</e:Expires>")).text("RenewResponse/Expires"))
	require.NotEmpty(t, p.ok(t, about("GetStatus", s, "")).text("GetStatusResponse/Expires"))
	p.happen(t, "refused")
	isCreation(t, to.take(t).find("Body/*")[0])
	e := end.take(t)
	require.Equal(t, spaces["eventing"]+"/SubscriptionEnd", e.text("Header/Action"))
	require.Equal(t, spaces["eventing"]+"/DeliveryFailure", e.text("Body/SubscriptionEnd/Status"))
	require.Equal(t, s.text("SubscriptionManager/*/Identifier"), e.text("SubscriptionEnd/SubscriptionManager/*/Identifier"))
	p.refused(t, about("Renew", s, "<e:Expires>PT1H</e:Expires>"), "Receiver", "eventing:UnableToRenew", "")
}
