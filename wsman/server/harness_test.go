package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/auth"
	"twinlun/wsman/soap"
)

// clock is a time that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// seeded is a generator that is the same in every run; safe for concurrent use.
type seeded struct {
	mu  sync.Mutex
	gen *rand.ChaCha8
}

func (s *seeded) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gen.Read(p)
}

// anyUser lets everybody in whose password is "pw". The role is that which the
// name begins with.
type anyUser struct{}

func (anyUser) Verify(_ context.Context, name, password, remote string) (cim.Principal, error) {
	if password != "pw" {
		return cim.Principal{}, auth.ErrDenied
	}
	p := cim.Principal{Name: name, Role: cim.RoleAdmin, Remote: remote}
	if strings.HasPrefix(name, "monitor") {
		p.Role = cim.RoleMonitor
	}
	return p, nil
}

// logBuffer is a log that a test reads, one JSON object a line.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) lines(t testing.TB) (all []map[string]any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m))
		all = append(all, m)
	}
	return all
}

// world is a server with all that a test touches of it.
type world struct {
	*Server
	broker *fakeBroker
	clock  *clock
	log    *logBuffer
	audits *logBuffer
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	w := &world{
		broker: newFakeBroker(), log: new(logBuffer), audits: new(logBuffer),
		clock: &clock{now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)},
	}
	c := Config{
		Broker:   w.broker,
		Auth:     auth.NewChain(&auth.Basic{Users: anyUser{}, AllowUnencrypted: true}),
		Logger:   slog.New(slog.NewJSONHandler(w.log, nil)),
		AuditLog: slog.New(slog.NewJSONHandler(w.audits, nil)),
		Time:     w.clock.time,
		Rand:     &seeded{gen: rand.NewChaCha8([32]byte{1})},
		Product:  Product{Vendor: "Twinlun", Version: "1.2.3"},
		Machine:  "host.example",
	}
	for _, f := range change {
		f(&c)
	}
	s, err := New(c)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	w.Server = s
	return w
}

// withVolumes puts volumes V0, V1, ... into the world; every fourth is thin.
func (w *world) withVolumes(n int) *world {
	for i := range n {
		class := "T_Volume"
		if i%4 == 3 {
			class = "T_ThinVolume"
		}
		w.broker.put(class, "SystemName", "host", "DeviceID", fmt.Sprintf("V%d", i), "Size", uint64(i)<<30,
			"OperationalStatus", []cim.Value{uint64(2)})
	}
	return w
}

func httpRequest(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/wsman", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
	r.SetBasicAuth("admin", "pw")
	return r
}

// serve sends a request through the handler and checks what every answer has.
func (w *world) serve(t testing.TB, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, r)
	if rec.Code != http.StatusNoContent {
		require.Equal(t, fmt.Sprint(rec.Body.Len()), rec.Header().Get("Content-Length"))
	}
	return rec
}

// reply is a decoded answer.
type reply struct {
	*soap.Message
	status int
	text   string
}

// post sends a message as admin and decodes the answer.
func (w *world) post(t testing.TB, body string) reply { return w.postAs(t, "admin", body) }

func (w *world) postAs(t testing.TB, user, body string) reply {
	t.Helper()
	r := httpRequest(body)
	r.SetBasicAuth(user, "pw")
	rec := w.serve(t, r)
	return decodeReply(t, rec.Code, rec.Header().Get("Content-Type"), rec.Body.Bytes())
}

func decodeReply(t testing.TB, status int, contentType string, data []byte) reply {
	t.Helper()
	m, err := soap.Decode(data, contentType, soap.Limits{Bytes: 32 << 20, Elements: 1 << 20})
	require.NoError(t, err, string(data))
	require.NotContains(t, string(data), "<?xml")
	return reply{Message: m, status: status, text: string(data)}
}

// ok sends a message that must succeed.
func (w *world) ok(t testing.TB, body string) reply {
	t.Helper()
	r := w.post(t, body)
	require.Equal(t, http.StatusOK, r.status, r.text)
	return r
}

// fails sends a message that must fail with a subcode.
func (w *world) fails(t testing.TB, body, subcode string) reply {
	t.Helper()
	r := w.post(t, body)
	r.requireFault(t, subcode)
	return r
}

func (r reply) requireFault(t testing.TB, subcode string) {
	t.Helper()
	require.Equal(t, http.StatusInternalServerError, r.status, r.text)
	require.Equal(t, subcode, r.subcode(), r.text)
}

// subcode is the subcode of a fault, or its code where it has none.
func (r reply) subcode() string {
	code := soap.Child(r.Body, wsman.NSSOAP, "Code")
	v := soap.ChildText(soap.Child(code, wsman.NSSOAP, "Subcode"), wsman.NSSOAP, "Value")
	if v == "" {
		v = soap.ChildText(code, wsman.NSSOAP, "Value")
	}
	return v
}

func (r reply) reason() string {
	return soap.ChildText(soap.Child(r.Body, wsman.NSSOAP, "Reason"), wsman.NSSOAP, "Text")
}

func (r reply) faultDetail() string {
	d := soap.ChildText(soap.Child(r.Body, wsman.NSSOAP, "Detail"), wsman.NSWSMan, "FaultDetail")
	return d[strings.LastIndexByte(d, '/')+1:]
}

// items are the entries of an enumeration's answer.
func (r reply) items() (all []*soap.Element) {
	for e := range soap.Children(r.Body) {
		if e.Tag == "Items" {
			for it := range soap.Children(e) {
				all = append(all, it)
			}
		}
	}
	return all
}

func (r reply) context() string {
	return soap.ChildText(r.Body, wsman.NSEnumeration, "EnumerationContext")
}

func (r reply) ended() bool { return soap.Child(r.Body, "", "EndOfSequence") != nil }
