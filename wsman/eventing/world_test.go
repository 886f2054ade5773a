package eventing_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/eventing"
	"twinlun/wsman/soap"
)

const (
	namespace = "root/test"
	sink      = "http://sink.example/events"
)

var (
	alice   = cim.Principal{Name: "alice", Role: cim.RoleOperator}
	bob     = cim.Principal{Name: "bob", Role: cim.RoleOperator}
	root    = cim.Principal{Name: "root", Role: cim.RoleAdmin}
	watcher = cim.Principal{Name: "watcher", Role: cim.RoleMonitor}
)

// classes of the tests: two kinds of indications below one, and a class that is
// none.
func classes() map[string]*cim.Class {
	base := &cim.Class{Name: "CIM_Indication", Abstract: true, Indication: true, Properties: []*cim.Property{
		{Name: "Number", Type: cim.Uint64}, {Name: "Text", Type: cim.String},
	}}
	alert := &cim.Class{Name: "T_Alert", Super: base, Indication: true, Properties: base.Properties}
	change := &cim.Class{Name: "T_Change", Super: base, Indication: true, Properties: base.Properties}
	volume := &cim.Class{Name: "T_Volume", Properties: []*cim.Property{{Name: "ID", Type: cim.String, Key: true}}}
	all := map[string]*cim.Class{}
	for _, c := range []*cim.Class{base, alert, change, volume} {
		c.Link()
		all[strings.ToLower(c.Name)] = c
	}
	return all
}

// querier knows "select * from CLASS" and "select * from CLASS where Number % N", which
// selects what N divides.
type querier struct{ classes map[string]*cim.Class }

func (q querier) Filter(ns string, query cim.Query) (cim.Filter, error) {
	if query.Language != cim.LanguageWQL && query.Language != cim.LanguageCQL {
		return nil, cim.Errorf(cim.StatusQueryLanguageNotSupported, "no language %q", query.Language)
	}
	var class string
	divisor := uint64(1)
	text := strings.ToLower(query.Text)
	if _, err := fmt.Sscanf(text, "select * from %s where number %% %d", &class, &divisor); err != nil && class == "" {
		return nil, cim.Errorf(cim.StatusInvalidQuery, "column 1: this is no query")
	}
	c := q.classes[class]
	if c == nil {
		return nil, cim.Errorf(cim.StatusInvalidQuery, "column 15: there is no class %s", class)
	}
	return filter{c, divisor}, nil
}

type filter struct {
	class   *cim.Class
	divisor uint64
}

func (f filter) Class() *cim.Class { return f.class }

func (f filter) Match(in *cim.Instance) bool {
	n, ok := in.Get("Number").(uint64)
	return ok && n%f.divisor == 0
}

func (f filter) Project(in *cim.Instance) *cim.Instance { return in }

// world is a Manager and what is around it.
type world struct {
	*eventing.Manager
	t        testing.TB
	config   eventing.Config
	classes  map[string]*cim.Class
	registry *prometheus.Registry
	log      *lockedBuffer
	net      *network
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

type seeded struct {
	mu  sync.Mutex
	gen *rand.ChaCha8
}

func (s *seeded) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gen.Read(p)
}

func newWorld(t testing.TB, change ...func(*eventing.Config)) *world {
	t.Helper()
	w := &world{t: t, classes: classes(), log: new(lockedBuffer), net: newNetwork()}
	w.config = eventing.Config{
		Queries:   querier{w.classes},
		Store:     new(eventing.MemStore),
		Logger:    slog.New(slog.NewTextHandler(w.log, nil)),
		Rand:      &seeded{gen: rand.NewChaCha8([32]byte{7})},
		Transport: w.net,
	}
	for _, f := range change {
		f(&w.config)
	}
	w.restart()
	return w
}

// restart makes a new Manager over the same store.
func (w *world) restart() {
	w.t.Helper()
	w.registry = prometheus.NewRegistry()
	w.config.Registerer = w.registry
	m, err := eventing.New(w.t.Context(), w.config)
	require.NoError(w.t, err)
	w.Manager = m
}

// run runs the Manager; the function that it returns stops it.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(w.t, <-done)
	}
}

// metric is the sum of a metric over its labels that contain each of these texts.
func (w *world) metric(name string, labels ...string) int {
	w.t.Helper()
	families, err := w.registry.Gather()
	require.NoError(w.t, err)
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			all := fmt.Sprint(m.GetLabel())
			matches := true
			for _, l := range labels {
				matches = matches && strings.Contains(all, l)
			}
			if matches {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return int(sum)
}

// happen publishes indications with the numbers from to to.
func (w *world) happen(class string, from, to int) {
	w.t.Helper()
	for i := from; i <= to; i++ {
		w.Publish(w.indication(class, i, ""))
	}
}

func (w *world) indication(class string, number int, text string) *cim.Instance {
	in := cim.NewInstance(w.classes[strings.ToLower(class)])
	require.NoError(w.t, in.Set("Number", uint64(number)))
	require.NoError(w.t, in.Set("Text", text))
	return in
}

// request is a subscription in a mode to all indications.
func request(mode string, change ...func(*eventing.Request)) *eventing.Request {
	r := &eventing.Request{
		Namespace: namespace, ResourceURI: wsman.AllClassesURI, Prefix: wsman.ClassPrefix,
		Query: cim.Query{Language: cim.LanguageWQL, Text: "select * from CIM_Indication"},
		Mode:  mode, Retries: 2, RetryEvery: time.Second,
	}
	if mode != wsman.DeliveryPull {
		r.NotifyTo = &eventing.Endpoint{Address: sink}
	}
	for _, f := range change {
		f(r)
	}
	return r
}

func (w *world) subscribe(who cim.Principal, r *eventing.Request) string {
	w.t.Helper()
	s, err := w.Subscribe(w.t.Context(), who, r)
	require.NoError(w.t, err)
	return s.ID
}

// got is what a Pull brought.
type got struct {
	numbers  []int
	lost     int64
	bookmark string
}

// pull pulls without waiting.
func (w *world) pull(who cim.Principal, id string, most int) got {
	w.t.Helper()
	b, err := w.Pull(w.t.Context(), who, id, eventing.PullOptions{Most: most})
	require.NoError(w.t, err)
	return readBatch(w.t, b)
}

// readBatch writes a batch and reads it again.
func readBatch(t testing.TB, b *eventing.Batch) got {
	t.Helper()
	require.NoError(t, b.Fit(1<<20))
	sw := new(soap.Writer)
	soap.WriteEnvelope(sw, soap.ResponseHeader{Action: "x", MessageID: "y"}, func(sw *soap.Writer) {
		sw.Start("n", "Items")
		b.Write(sw)
		sw.End()
	})
	g := got{lost: b.Lost(), bookmark: b.Bookmark()}
	m, err := soap.Decode(sw.Bytes(), "", soap.Limits{Bytes: 8 << 20})
	require.NoError(t, err)
	for e := range soap.Children(m.Body) {
		g.numbers = append(g.numbers, number(t, e))
	}
	require.Len(t, g.numbers, b.Len())
	b.Done(true)
	return g
}

func number(t testing.TB, e *soap.Element) int {
	t.Helper()
	var n int
	_, err := fmt.Sscan(soap.ChildText(e, "", "Number"), &n)
	require.NoError(t, err)
	return n
}

func upTo(from, to int) []int {
	var all []int
	for i := from; i <= to; i++ {
		all = append(all, i)
	}
	return all
}

func requireFault(t testing.TB, err error, subcode string, detail ...string) *wsman.Fault {
	t.Helper()
	var f *wsman.Fault
	require.ErrorAs(t, err, &f)
	require.Equal(t, subcode, f.Subcode.Local, f.Error())
	for _, d := range detail {
		require.True(t, strings.HasSuffix(f.Detail, "/"+d), f.Detail)
	}
	return f
}

// network is a RoundTripper without a network: subscribers are functions.
type network struct {
	mu      sync.Mutex
	handle  func(*delivery) (*http.Response, error)
	arrived []*delivery
}

// delivery is a message that a subscriber got.
type delivery struct {
	*soap.Message
	http *http.Request
	at   time.Time
	text string
}

func newNetwork() *network { return &network{handle: acknowledge} }

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	m, err := soap.Decode(data, r.Header.Get("Content-Type"), soap.Limits{})
	if err != nil {
		return nil, fmt.Errorf("what was sent: %w", err)
	}
	d := &delivery{Message: m, http: r, at: time.Now(), text: string(data)}
	n.mu.Lock()
	n.arrived = append(n.arrived, d)
	handle := n.handle
	n.mu.Unlock()
	return handle(d)
}

func (n *network) answer(f func(*delivery) (*http.Response, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handle = f
}

func (n *network) all() []*delivery {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]*delivery(nil), n.arrived...)
}

func (n *network) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.arrived = nil
}

func response(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/soap+xml;charset=UTF-8"}},
		Body: io.NopCloser(strings.NewReader(body)),
	}
}

// acknowledge answers as a good subscriber does.
func acknowledge(d *delivery) (*http.Response, error) {
	if soap.Child(d.Header, wsman.NSWSMan, "AckRequested") == nil {
		return response(http.StatusAccepted, ""), nil
	}
	return response(http.StatusOK, ackFor(d.MessageID)), nil
}

func ackFor(id string) string {
	w := new(soap.Writer)
	soap.WriteEnvelope(w, soap.ResponseHeader{Action: wsman.ActionAck, MessageID: "uuid:1", RelatesTo: id}, nil)
	return string(w.Bytes())
}

// numbers are those of the events in messages, and the losses told, as negative.
func numbers(t testing.TB, all []*delivery) (seen []int, lost int64) {
	t.Helper()
	one := func(e *soap.Element) {
		if !soap.Is(e, wsman.NSWSMan, "DroppedEvents") {
			seen = append(seen, number(t, e))
			return
		}
		var n int64
		_, err := fmt.Sscan(soap.Text(e), &n)
		require.NoError(t, err)
		lost += n
	}
	for _, d := range all {
		switch {
		case d.Body == nil:
		case soap.Is(d.Body, wsman.NSWSMan, "Events"):
			for e := range soap.Children(d.Body) {
				one(soap.FirstChild(e))
			}
		case d.Action == wsman.ActionEvent, d.Action == wsman.ActionDroppedEvents:
			one(d.Body)
		}
	}
	return seen, lost
}
