package eventing_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/eventing"
	"twinlun/wsman/soap"
)

// Receivers of all kinds, over real connections. Each gets one event and is tried
// once.
func TestReceivers(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }
	}
	for name, c := range map[string]struct {
		handle    http.HandlerFunc
		delivered int
	}{
		"200": {status(200), 1},
		"202": {status(202), 1},
		"204": {status(204), 1},
		"400": {status(400), 0},
		"500": {status(500), 0},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusPermanentRedirect)
		}, 0},
		"cut": {func(w http.ResponseWriter, r *http.Request) {
			if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = c.Close()
			}
		}, 0},
		"hang": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, 0},
		"endless answer": {func(w http.ResponseWriter, r *http.Request) {
			for range 4096 {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := httptest.NewServer(c.handle)
			defer sink.Close()
			w := newWorld(t, func(c *eventing.Config) { c.Transport, c.Limits.Delivery = nil, 200*time.Millisecond })
			stop := w.run()
			id := w.subscribe(alice, request(wsman.DeliveryPush, func(r *eventing.Request) { r.NotifyTo.Address, r.Retries = sink.URL, 0 }))
			w.happen("T_Alert", 1, 1)
			require.Eventually(t, func() bool {
				return w.metric("twinlun_wsman_events_delivered_total")+w.metric("twinlun_wsman_subscriptions_ended_total") == 1
			}, 20*time.Second, time.Millisecond)
			require.Equal(t, c.delivered, w.metric("twinlun_wsman_events_delivered_total"))
			require.Equal(t, c.delivered == 1, w.Has(id))
			stop()
			require.Zero(t, elsewhere.Load(), "nothing is sent to where a receiver points")
		})
	}
}

// A receiver that answers with garbage bytes instead of HTTP.
func TestReceiverIsNoServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(c).ReadString('\n')
			_, _ = c.Write([]byte(strings.Repeat("\x00\xff garbage", 1000)))
			_ = c.Close()
		}
	}()
	w := newWorld(t, func(c *eventing.Config) { c.Transport = nil })
	stop := w.run()
	id := w.subscribe(alice, request(wsman.DeliveryPush, func(r *eventing.Request) { r.NotifyTo.Address, r.Retries = "http://"+l.Addr().String(), 0 }))
	w.happen("T_Alert", 1, 1)
	require.Eventually(t, func() bool { return !w.Has(id) }, 20*time.Second, time.Millisecond)
	stop()
	require.NoError(t, l.Close())
	<-done
}

func TestTLSAndBasic(t *testing.T) {
	type seen struct{ user, password, contentType, text string }
	got := make(chan seen, 1)
	sink := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		m, err := soap.Decode(data, r.Header.Get("Content-Type"), soap.Limits{})
		if err != nil {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		got <- seen{user, password, r.Header.Get("Content-Type"), m.Body.Tag}
		rw.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
		_, _ = io.WriteString(rw, ackFor(m.MessageID))
	}))
	sink.Config.ErrorLog = log.New(io.Discard, "", 0)
	sink.StartTLS()
	defer sink.Close()
	pool := x509.NewCertPool()
	pool.AddCert(sink.Certificate())
	trusting := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	w := newWorld(t, func(c *eventing.Config) { c.Transport = trusting })
	stop := w.run()
	id := w.subscribe(alice, request(wsman.DeliveryPushWithAck, func(r *eventing.Request) {
		r.NotifyTo.Address, r.UTF16 = sink.URL, true
		r.Credentials = &eventing.Credentials{User: "events", Password: "s3cret"}
	}))
	w.happen("T_Alert", 1, 1)
	require.Equal(t, seen{"events", "s3cret", "application/soap+xml;charset=UTF-16", "T_Alert"}, <-got)
	require.Eventually(t, func() bool { return w.metric("twinlun_wsman_events_delivered_total") == 1 }, 20*time.Second, time.Millisecond)
	require.NotContains(t, w.log.String(), "s3cret")

	// Who does not trust the certificate sends nothing.
	distrust := newWorld(t, func(c *eventing.Config) { c.Transport = nil })
	stopToo := distrust.run()
	refused := distrust.subscribe(alice, request(wsman.DeliveryPush, func(r *eventing.Request) { r.NotifyTo.Address, r.Retries = sink.URL, 0 }))
	distrust.happen("T_Alert", 1, 1)
	require.Eventually(t, func() bool { return !distrust.Has(refused) }, 20*time.Second, time.Millisecond)
	require.Empty(t, got)
	require.True(t, w.Has(id))
	stopToo()
	stop()
	trusting.CloseIdleConnections()
}
