package client

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

func TestNewRefusesWhatIsNoURL(t *testing.T) {
	for _, u := range []string{"", "host", "host:5985", "ftp://host/", "http:///wsman", "http://[::1"} {
		_, err := New(Config{URL: u})
		require.Error(t, err, u)
	}
}

func TestIdentify(t *testing.T) {
	s := newServer(t, map[string]answer{"": replies(func(w *soap.Writer) {
		w.Start("i", "IdentifyResponse")
		w.Namespace("i", wsman.NSIdentity)
		w.Element("i", "ProtocolVersion", wsman.ProtocolURI)
		w.Element("i", "ProductVendor", "Twinlun")
		w.Element("i", "ProductVersion", "1.0 Stack: 3.0")
		w.End()
	})})
	id, err := started(t, s, nil).Identify(t.Context())
	require.NoError(t, err)
	require.Equal(t, Identity{Protocol: wsman.ProtocolURI, Vendor: "Twinlun", Version: "1.0 Stack: 3.0"}, id)

	s.answers[""] = replies(nil)
	_, err = started(t, s, nil).Identify(t.Context())
	require.Error(t, err)
}

func TestGet(t *testing.T) {
	s := newServer(t, map[string]answer{wsman.ActionGet: func(r *http.Request, m *soap.Message) (soap.ResponseHeader, func(*soap.Writer), error) {
		user, password, ok := r.BasicAuth()
		if !ok || user != "admin" || password != "päss" || r.UserAgent() != "twinlun" {
			return soap.ResponseHeader{}, nil, wsman.AccessDenied("who?")
		}
		return soap.ResponseHeader{}, func(w *soap.Writer) {
			wscim.WriteInstance(w, wsman.ClassPrefix, volume(7), wscim.InstanceOptions{})
		}, nil
	}})
	c := started(t, s, func(cfg *Config) {
		cfg.Rand = strings.NewReader(strings.Repeat("0123456789abcdef", 2))
		cfg.Timeout = 30 * time.Second
	})
	in, err := c.Get(t.Context(), &cim.Path{Class: "T_Volume", Keys: []cim.Key{{Name: "ID", Value: uint64(7)}}})
	require.NoError(t, err)
	require.True(t, cim.Equal(volume(7), in))
	require.True(t, volumePath(7).Equal(in.Path))

	m := s.requests(wsman.ActionGet)[0]
	require.Equal(t, "uuid:30313233-3435-4637-B839-616263646566", m.MessageID)
	require.Equal(t, c.cfg.URL, m.To)
	require.Equal(t, 30*time.Second, m.Timeout)
	require.Equal(t, int64(defaultMaxEnvelope), m.MaxEnvelopeSize)
	require.Equal(t, wsman.ClassPrefix+"T_Volume", m.ResourceURI)
	require.Equal(t, []wsman.Selector{{Name: "ID", Value: "7"}, {Name: wsman.SelectorNamespace, Value: "root/test"}}, m.Selectors)

	_, err = c.Get(t.Context(), &cim.Path{Class: "T_Volume"})
	require.NoError(t, err, "a sole instance needs no keys")
	_, err = c.Get(t.Context(), volumePath(7))
	require.ErrorContains(t, err, "message id", "no more randomness")
}

func TestFaults(t *testing.T) {
	gone := &cim.Error{Status: cim.StatusNotFound, Msg: "there is no volume 7"}
	s := newServer(t, map[string]answer{wsman.ActionGet: fails(wsman.InvalidResourceURI("%s", gone.Msg).WithCIM(gone))})
	_, err := started(t, s, nil).Get(t.Context(), volumePath(7))
	f, ok := errors.AsType[*wsman.Fault](err)
	require.True(t, ok)
	require.Equal(t, "DestinationUnreachable", f.Subcode.Local)
	require.Equal(t, "there is no volume 7", err.Error())
	require.Equal(t, cim.StatusNotFound, cim.StatusOf(err))
}

// Answers that are not what was asked for are errors, each of its kind.
func TestBadAnswers(t *testing.T) {
	var ok soap.Writer
	soap.WriteEnvelope(&ok, soap.ResponseHeader{Action: "x", MessageID: "y", RelatesTo: "uuid:other"}, func(w *soap.Writer) {
		wscim.WriteInstance(w, wsman.ClassPrefix, volume(7), wscim.InstanceOptions{})
	})
	answers := map[string]struct {
		status int
		body   string
		check  func(error) bool
	}{
		"401":            {401, "go away", func(err error) bool { return errors.Is(err, ErrUnauthorized) }},
		"404":            {404, "<html>no</html>", isHTTP(404)},
		"503, nothing":   {503, "", isHTTP(503)},
		"500, envelope":  {500, strings.ReplaceAll(string(ok.Bytes()), "uuid:other", ""), isHTTP(500)},
		"redirect":       {302, "", isHTTP(302)},
		"200, no SOAP":   {200, "hello", func(err error) bool { return strings.Contains(err.Error(), "the answer") }},
		"another answer": {200, string(ok.Bytes()), func(err error) bool { return strings.Contains(err.Error(), "another request") }},
		"too large":      {200, strings.Repeat("x", 200<<10), func(err error) bool { return strings.Contains(err.Error(), "more than") }},
		"no instance":    {200, emptyEnvelope(), func(err error) bool { return strings.Contains(err.Error(), "no instance") }},
	}
	for name, a := range answers {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Location", "http://elsewhere.invalid/")
			w.WriteHeader(a.status)
			_, _ = io.WriteString(w, a.body)
		}))
		c, err := New(Config{URL: srv.URL, User: "u", Schema: schema().Class, MaxEnvelopeSize: 100 << 10})
		require.NoError(t, err)
		_, err = c.Get(t.Context(), volumePath(7))
		require.Error(t, err, name)
		require.True(t, a.check(err), "%s: %v", name, err)
		c.Close()
		srv.Close()
	}
}

func emptyEnvelope() string {
	var w soap.Writer
	soap.WriteEnvelope(&w, soap.ResponseHeader{Action: "x", MessageID: "y"}, nil)
	return string(w.Bytes())
}

func isHTTP(status int) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*HTTPError](err)
		return ok && e.Status == status && strings.Contains(e.Error(), "HTTP")
	}
}

func TestInvoke(t *testing.T) {
	method := wsman.ClassPrefix + "T_Service/Copy"
	s := newServer(t, map[string]answer{method: func(_ *http.Request, m *soap.Message) (soap.ResponseHeader, func(*soap.Writer), error) {
		decl := schema().Class("T_Service").Method("Copy")
		env := wscim.Env{Class: schema().Class, Namespace: "root/test"}
		in, err := wscim.DecodeArgs(m.Body, decl, env)
		if err != nil {
			return soap.ResponseHeader{}, nil, err
		}
		r := &cim.Reply{Return: uint64(5)}
		if list, ok := in.Get("Sources").([]cim.Value); ok {
			r = &cim.Reply{Return: uint64(4096), Out: cim.Args{{Name: "Job", Value: list[1]}}}
		}
		extra := func(w *soap.Writer) { wscim.WriteReason(w, "a source is missing") }
		return soap.ResponseHeader{Extra: extra}, func(w *soap.Writer) { wscim.WriteOutput(w, m.ResourceURI, decl, r) }, nil
	}})
	c := started(t, s, nil)
	reply, err := c.Invoke(t.Context(), &cim.Call{Path: &cim.Path{Class: "T_Service"}, Method: "copy", Timeout: 3 * time.Second, In: cim.Args{
		{Name: "MODE", Value: 2}, {Name: "Sources", Value: []*cim.Path{volumePath(1), volumePath(2)}}}})
	require.NoError(t, err)
	require.Equal(t, uint64(4096), reply.Return)
	require.True(t, cim.Equal(volumePath(2), reply.Out.Get("Job")))
	m := s.requests(method)[0]
	require.Equal(t, 3*time.Second, m.Timeout)
	require.Equal(t, "2", soap.ChildText(m.Body, wsman.ClassPrefix+"T_Service", "Mode"))

	reply, err = c.Invoke(t.Context(), &cim.Call{Path: &cim.Path{Class: "T_Service"}, Method: "Copy"})
	require.NoError(t, err)
	require.Equal(t, &cim.Reply{Return: uint64(5), Reason: "a source is missing"}, reply)
}

func TestInvokeRefusesBeforeItAsks(t *testing.T) {
	s := newServer(t, map[string]answer{})
	c := started(t, s, nil)
	for status, call := range map[cim.Status]*cim.Call{
		cim.StatusMethodNotFound:   {Path: &cim.Path{Class: "T_Service"}, Method: "Fly"},
		cim.StatusInvalidParameter: {Path: &cim.Path{Class: "T_Service"}, Method: "Copy", In: cim.Args{{Name: "Mode", Value: "two"}}},
	} {
		_, err := c.Invoke(t.Context(), call)
		require.Equal(t, status, cim.StatusOf(err))
	}
	for _, name := range []string{"Speed", "Job"} {
		_, err := c.Invoke(t.Context(), &cim.Call{Path: &cim.Path{Class: "T_Service"}, Method: "Copy", In: cim.Args{{Name: name, Value: 1}}})
		require.ErrorContains(t, err, name)
	}
	require.Empty(t, s.seen)
	_, err := c.Invoke(t.Context(), &cim.Call{Path: &cim.Path{Class: "T_Tape"}, Method: "Copy"})
	require.Equal(t, cim.StatusInvalidClass, cim.StatusOf(err))
}

func TestInvokeChecksTheAnswer(t *testing.T) {
	method := wsman.ClassPrefix + "T_Service/Copy"
	s := newServer(t, map[string]answer{method: replies(func(w *soap.Writer) { w.Element("w", "Other_OUTPUT", "") })})
	_, err := started(t, s, nil).Invoke(t.Context(), &cim.Call{Path: &cim.Path{Class: "T_Service"}, Method: "Copy"})
	require.ErrorContains(t, err, "did not answer")
}

// A class that the schema does not have comes from the server, once.
func TestClassesOfTheServer(t *testing.T) {
	extra := &cim.Class{Name: "T_Extra", Properties: []*cim.Property{{Name: "Key", Type: cim.Uint8, Key: true}}}
	extra.Link()
	s := newServer(t, nil)
	s.answers = map[string]answer{wsman.ActionGet: func(_ *http.Request, m *soap.Message) (soap.ResponseHeader, func(*soap.Writer), error) {
		if m.ResourceURI != wsman.SchemaURI {
			in := cim.NewInstance(extra)
			_ = in.Set("Key", 200)
			return soap.ResponseHeader{}, func(w *soap.Writer) {
				wscim.WriteInstance(w, wsman.ClassPrefix, in, wscim.InstanceOptions{})
			}, nil
		}
		if name, _ := wsman.FindSelector(m.Selectors, wsman.SelectorClassName); name.Value != "T_Extra" {
			return soap.ResponseHeader{}, nil, wsman.InvalidResourceURI("no such class")
		}
		o, _ := m.Option(wsman.OptionQualifiers)
		return soap.ResponseHeader{}, func(w *soap.Writer) {
			wscim.WriteClass(w, extra, wscim.ClassOptions{Qualifiers: o.Value == "true", Inherited: true, Hierarchy: true})
		}, nil
	}}
	c := started(t, s, nil)
	for range 2 {
		in, err := c.Get(t.Context(), &cim.Path{Class: "T_Extra"})
		require.NoError(t, err)
		require.Equal(t, uint64(200), in.Get("Key"))
		require.Equal(t, `root/test:T_Extra.Key=200`, in.Path.String())
	}
	require.Len(t, s.requests(wsman.ActionGet), 3)
	for range 2 {
		require.Nil(t, c.class(t.Context(), "root/test", "T_None"))
	}
	require.Len(t, s.requests(wsman.ActionGet), 4, "that there is none is remembered")
	class, err := c.GetClass(t.Context(), "", "T_Extra")
	require.NoError(t, err)
	require.Len(t, class.Keys, 1)
}

func TestOneConnectionServesAll(t *testing.T) {
	s := newServer(t, map[string]answer{wsman.ActionGet: replies(func(w *soap.Writer) {
		wscim.WriteInstance(w, wsman.ClassPrefix, volume(7), wscim.InstanceOptions{})
	})})
	c := started(t, s, nil)
	for range 20 {
		_, err := c.Get(t.Context(), volumePath(7))
		require.NoError(t, err)
	}
	s.answers[wsman.ActionGet] = fails(wsman.TimedOut("late"))
	for range 20 {
		_, err := c.Get(t.Context(), volumePath(7))
		require.Error(t, err)
	}
	require.Equal(t, int64(1), s.conns.Load())
}

func TestManyAtOnce(t *testing.T) {
	s := newServer(t, map[string]answer{wsman.ActionGet: func(_ *http.Request, m *soap.Message) (soap.ResponseHeader, func(*soap.Writer), error) {
		id := uint64(m.Selectors[0].Value[0] - '0')
		return soap.ResponseHeader{}, func(w *soap.Writer) {
			wscim.WriteInstance(w, wsman.ClassPrefix, volume(id), wscim.InstanceOptions{})
		}, nil
	}})
	c := started(t, s, nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				in, err := c.Get(t.Context(), volumePath(uint64(i)))
				if err != nil || in.Get("ID") != uint64(i) {
					t.Errorf("volume %d: %v, %v", i, in, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestTLS(t *testing.T) {
	s := newServer(t, map[string]answer{wsman.ActionGet: replies(func(w *soap.Writer) {
		wscim.WriteInstance(w, wsman.ClassPrefix, volume(7), wscim.InstanceOptions{})
	})})
	s.StartTLS()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	for name, c := range map[string]struct {
		change func(*Config)
		ok     bool
	}{
		"unknown":  {nil, false},
		"known":    {func(cfg *Config) { cfg.RootCAs = pool }, true},
		"insecure": {func(cfg *Config) { cfg.Insecure = true }, true},
		"own":      {func(cfg *Config) { cfg.HTTPClient = s.Client() }, true},
	} {
		_, err := started(t, s, c.change).Get(t.Context(), volumePath(7))
		require.Equal(t, c.ok, err == nil, "%s: %v", name, err)
	}
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(t, map[string]answer{wsman.ActionGet: func(r *http.Request, _ *soap.Message) (soap.ResponseHeader, func(*soap.Writer), error) {
		cancel()
		<-r.Context().Done()
		return soap.ResponseHeader{}, nil, wsman.TimedOut("late")
	}})
	_, err := started(t, s, nil).Get(ctx, volumePath(7))
	require.ErrorIs(t, err, context.Canceled)
}
