package client

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// answer is what the server under test does with one request.
type answer func(r *http.Request, m *soap.Message) (h soap.ResponseHeader, body func(*soap.Writer), err error)

// fakeServer answers by action and remembers what it was asked.
type fakeServer struct {
	*httptest.Server
	answers map[string]answer
	conns   atomic.Int64

	mu   sync.Mutex
	seen []*soap.Message
}

func newServer(t *testing.T, answers map[string]answer) *fakeServer {
	s := &fakeServer{answers: answers}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.conns.Add(1)
		}
	}
	t.Cleanup(s.Close)
	return s
}

func (s *fakeServer) serve(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body)
	m, err := soap.Decode(data, r.Header.Get("Content-Type"), soap.Limits{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.seen = append(s.seen, m)
	s.mu.Unlock()
	a := s.answers[m.Action]
	if a == nil {
		a = func(*http.Request, *soap.Message) (soap.ResponseHeader, func(*soap.Writer), error) {
			return soap.ResponseHeader{}, nil, wsman.ActionNotSupported("", "no %s here", m.Action)
		}
	}
	h, body, err := a(r, m)
	h.Action, h.MessageID = m.Action+wsman.ResponseSuffix, "uuid:answer"
	if h.RelatesTo == "" {
		h.RelatesTo = m.MessageID
	}
	var out soap.Writer
	status := http.StatusOK
	if f, ok := err.(*wsman.Fault); ok {
		status = http.StatusInternalServerError
		soap.WriteFault(&out, h, f, "test")
	} else {
		soap.WriteEnvelope(&out, h, body)
	}
	w.Header().Set("Content-Type", m.Encoding.ContentType())
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// requests are those for an action so far.
func (s *fakeServer) requests(action string) (all []*soap.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.seen {
		if m.Action == action {
			all = append(all, m)
		}
	}
	return all
}

// replies makes an answer of a body alone.
func replies(body func(*soap.Writer)) answer {
	return func(*http.Request, *soap.Message) (soap.ResponseHeader, func(*soap.Writer), error) {
		return soap.ResponseHeader{}, body, nil
	}
}

// fails makes an answer of a fault.
func fails(f *wsman.Fault) answer {
	return func(*http.Request, *soap.Message) (soap.ResponseHeader, func(*soap.Writer), error) {
		return soap.ResponseHeader{}, nil, f
	}
}

// started gives a client of a started server, with the schema of these tests.
func started(t *testing.T, s *fakeServer, change func(*Config)) *Client {
	t.Helper()
	if s.URL == "" {
		s.Start()
	}
	cfg := Config{URL: s.URL + "/wsman", User: "admin", Password: "päss", Schema: schema().Class, Namespace: `Root\Test`}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// schema is a volume, a service with a method, and an association.
var schema = sync.OnceValue(newSchema)

func newSchema() *cim.Schema {
	volume := &cim.Class{Name: "T_Volume", Properties: []*cim.Property{
		{Name: "ID", Type: cim.Uint32, Key: true}, {Name: "Name", Type: cim.String}}}
	service := &cim.Class{Name: "T_Service", Properties: []*cim.Property{{Name: "Name", Type: cim.String, Key: true}}, Methods: []*cim.Method{{
		Name: "Copy", Return: cim.Uint32, Params: []*cim.Parameter{
			{Name: "Mode", Type: cim.Uint16, In: true}, {Name: "Sources", Type: cim.Reference, RefClass: "T_Volume", Array: true, In: true},
			{Name: "Job", Type: cim.Reference, RefClass: "T_Volume", Out: true}}}}}
	link := &cim.Class{Name: "T_Link", Association: true, Properties: []*cim.Property{
		{Name: "From", Type: cim.Reference, RefClass: "T_Volume", Key: true}, {Name: "To", Type: cim.Reference, RefClass: "T_Volume", Key: true}}}
	all := []*cim.Class{volume, service, link}
	for _, c := range all {
		c.Link()
	}
	return cim.NewSchema(all)
}

func volumePath(id uint64) *cim.Path {
	return &cim.Path{Namespace: "root/test", Class: "T_Volume", Keys: []cim.Key{{Name: "ID", Value: id}}}
}

func volume(id uint64) *cim.Instance {
	in := cim.NewInstance(schema().Class("T_Volume"))
	_ = in.Set("ID", id)
	_ = in.Set("Name", "vol"+strings.Repeat("x", int(id)))
	in.Path = volumePath(id)
	return in
}

// writeItems writes instances with their references, as servers do on request.
func writeItems(w *soap.Writer, prefix string, ids ...uint64) {
	w.Start(prefix, "Items")
	for _, id := range ids {
		w.Start("w", "Item")
		in := volume(id)
		wscim.WriteInstance(w, wsman.ClassPrefix, in, wscim.InstanceOptions{})
		soap.WriteEPR(w, wscim.PathToEPR(in.Path, wsman.ClassPrefix))
		w.End()
	}
	w.End()
}
