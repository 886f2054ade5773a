package server

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// live is a world that listens.
type live struct {
	*world
	addr string
	stop func() error // ends the service and returns what Serve did
}

func newLive(t testing.TB, change ...func(*Config)) *live {
	t.Helper()
	w := newWorld(t, change...)
	return w.listen(t, func(ctx context.Context, l net.Listener) error { return w.Serve(ctx, l) })
}

func (w *world) listen(t testing.TB, serve func(context.Context, net.Listener) error) *live {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l) }()
	var once sync.Once
	var result error
	stop := func() error {
		once.Do(func() { cancel(); result = <-done })
		return result
	}
	t.Cleanup(func() { require.NoError(t, stop()) })
	return &live{world: w, addr: l.Addr().String(), stop: stop}
}

func (l *live) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.addr)
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// rawRequest is a request as bytes.
func rawRequest(path, authorization, body string) string {
	if authorization != "" {
		authorization = "Authorization: " + authorization + "\r\n"
	}
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: server\r\nConnection: Keep-Alive\r\nContent-Type: application/soap+xml;charset=UTF-8\r\n%sContent-Length: %d\r\n\r\n%s",
		path, authorization, len(body), body)
}

const basicAdmin = "Basic YWRtaW46cHc=" // admin:pw

// rawAnswer reads an answer from the bytes, without any HTTP library to mend it.
func rawAnswer(t testing.TB, r *bufio.Reader) (status string, header map[string]string, body string) {
	t.Helper()
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	header = map[string]string{}
	for {
		h, err := r.ReadString('\n')
		require.NoError(t, err)
		if h = strings.TrimSpace(h); h == "" {
			break
		}
		name, value, _ := strings.Cut(h, ": ")
		header[strings.ToLower(name)] = value
	}
	var n int
	_, err = fmt.Sscan(header["content-length"], &n)
	require.NoError(t, err, "%s has no Content-Length", line)
	data := make([]byte, n)
	_, err = io.ReadFull(r, data)
	require.NoError(t, err)
	return strings.Fields(line)[1], header, string(data)
}

// Every answer says its length, and all come in one connection.
func TestRawAnswersKeepTheConnection(t *testing.T) {
	l := newLive(t)
	l.withVolumes(500)
	c := l.dial(t)
	r := bufio.NewReader(c)
	everything := enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>32000</w:MaxElements>`).windows()
	steps := []struct{ request, status string }{
		{rawRequest("/wsman", "", getVolume("V0").windows()), "401"},
		{rawRequest("/wsman", "Basic eDp5", strings.Repeat(" ", 100000)), "401"},
		{rawRequest("/wsman", basicAdmin, getVolume("V0").windows()), "200"},
		{rawRequest("/wsman", basicAdmin, everything), "200"},
		{rawRequest("/wsman", basicAdmin, getVolume("V999").windows()), "500"},
		{rawRequest("/wsman", basicAdmin, "no soap"), "400"},
		{rawRequest("/nowhere", basicAdmin, "x"), "404"},
		{strings.Replace(rawRequest("/wsman", "", ""), "POST", "GET", 1), "405"},
		{strings.Replace(rawRequest("/wsman", basicAdmin, "abc"), "soap", "rope", 1), "415"},
		{rawRequest("/wsman", "", identifyBody), "200"},
		{rawRequest("/wsman/", basicAdmin, getVolume("V1").windows()), "200"},
	}
	for _, step := range steps {
		_, err := io.WriteString(c, step.request)
		require.NoError(t, err)
		status, header, body := rawAnswer(t, r)
		require.Equal(t, step.status, status, body)
		require.NotContains(t, header, "transfer-encoding")
		require.NotEqual(t, "close", header["connection"], step.status)
		if status == "401" {
			require.Equal(t, `Basic realm="WSMAN"`, header["www-authenticate"])
			require.Equal(t, "0", header["content-length"])
		}
	}
	require.Equal(t, 1, l.conns.count())
}

func TestConnectionLimit(t *testing.T) {
	l := newLive(t, func(c *Config) { c.Limits.Connections = 2 })
	open := []net.Conn{l.dial(t), l.dial(t)}
	require.Eventually(t, func() bool { return l.conns.count() == 2 }, 10*time.Second, time.Millisecond)
	third := l.dial(t)
	_, err := third.Read(make([]byte, 1))
	require.Error(t, err, "closed at once")
	require.NoError(t, open[0].Close())
	require.Eventually(t, func() bool { return l.conns.count() == 1 }, 10*time.Second, time.Millisecond)
	again := l.dial(t)
	_, err = io.WriteString(again, rawRequest("/wsman", basicAdmin, identifyBody))
	require.NoError(t, err)
	status, _, _ := rawAnswer(t, bufio.NewReader(again))
	require.Equal(t, "200", status)
}

// At the limit a connection that nobody uses makes room for a new one.
func TestConnectionLimitClosesIdle(t *testing.T) {
	reg := prometheus.NewRegistry()
	l := newLive(t, func(c *Config) { c.Limits.Connections, c.Registerer = 2, reg })
	busy, idle := l.dial(t), l.dial(t)
	_, err := io.WriteString(idle, rawRequest("/wsman", basicAdmin, identifyBody))
	require.NoError(t, err)
	r := bufio.NewReader(idle)
	rawAnswer(t, r)
	require.Eventually(t, func() bool { return l.conns.isIdle() }, 10*time.Second, time.Millisecond)
	third := l.dial(t)
	for _, c := range []net.Conn{third, busy} {
		_, err = io.WriteString(c, rawRequest("/wsman", basicAdmin, identifyBody))
		require.NoError(t, err)
		status, _, _ := rawAnswer(t, bufio.NewReader(c))
		require.Equal(t, "200", status)
	}
	_, err = r.ReadByte()
	require.Error(t, err, "closed")
	require.Equal(t, 2, l.conns.count())
	require.InDelta(t, 1, metric(t, reg, "twinlun_wsman_refused_total", "connections"), 0)
}

// isIdle says whether there are two connections and one is idle.
func (c *connCounter) isIdle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	idle := 0
	for _, state := range c.open {
		if state == http.StateIdle {
			idle++
		}
	}
	return idle == 1 && len(c.open) == 2
}

// A request under way is answered before the service ends.
func TestGracefulShutdown(t *testing.T) {
	l := newLive(t)
	l.withService(nil, nil)
	reached, goOn := make(chan struct{}), make(chan struct{})
	l.broker.invoke = func(ctx context.Context, _ *cim.Call) (*cim.Reply, error) {
		close(reached)
		<-goOn
		return &cim.Reply{Return: uint64(0)}, ctx.Err()
	}
	c := l.dial(t)
	_, err := io.WriteString(c, rawRequest("/wsman", basicAdmin, invoke(serviceURI, "Ping", "").windows()))
	require.NoError(t, err)
	<-reached
	stopped := make(chan error, 1)
	go func() { stopped <- l.stop() }()
	require.Eventually(t, func() bool {
		probe, err := net.Dial("tcp", l.addr)
		if err == nil {
			_ = probe.Close()
		}
		return err != nil
	}, 10*time.Second, time.Millisecond, "no new connections")
	close(goOn)
	status, _, body := rawAnswer(t, bufio.NewReader(c))
	require.Equal(t, "200", status, body)
	require.NoError(t, <-stopped)
}

func TestServeFails(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.Error(t, w.Serve(t.Context(), l))
}

func selfSigned(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"server"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestTLSWithoutHTTP2(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	config := &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	l := w.listen(t, func(ctx context.Context, ln net.Listener) error { return w.ServeTLS(ctx, ln, config) })
	c, err := tls.Dial("tcp", l.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	require.NoError(t, err)
	defer c.Close()
	require.Equal(t, "http/1.1", c.ConnectionState().NegotiatedProtocol)
	_, err = io.WriteString(c, rawRequest("/wsman", basicAdmin, getVolume("V0").windows()))
	require.NoError(t, err)
	status, _, _ := rawAnswer(t, bufio.NewReader(c))
	require.Equal(t, "200", status)
	require.Nil(t, config.NextProtos, "the caller's configuration is left alone")
	_, err = tls.Dial("tcp", l.addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11})
	require.Error(t, err)
}

// Many clients at once: nothing is mixed up, nothing is left behind.
func TestConcurrentClients(t *testing.T) {
	before := runtime.NumGoroutine()
	l := newLive(t)
	l.withVolumes(50).withService(&cim.Reply{Return: uint64(0)}, nil)
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			if err := l.clientRun(&http.Client{Transport: transport}, client); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 8, l.contexts.count(), "the enumerations that were left open")
	require.NoError(t, l.stop())
	require.Zero(t, l.contexts.count())
	require.Zero(t, l.broker.open())
	requireNoMoreGoroutines(t, before)
}

// requireNoMoreGoroutines waits until no more than n goroutines are left.
func requireNoMoreGoroutines(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > n; runtime.Gosched() {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("goroutines are left:\n%s", stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// clientRun is the day of one client, which forgets one enumeration.
func (l *live) clientRun(c *http.Client, n int) error {
	for i := range 20 {
		id := fmt.Sprintf("uuid:client-%d-%d", n, i)
		messages := []message{getVolume(fmt.Sprintf("V%d", i)), invoke(serviceURI, "Ping", ""), enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>60</w:MaxElements>`)}
		if i == 7 {
			messages = append(messages, enumerate(volumeURI, ""))
		}
		for _, m := range messages {
			m.id = id
			if err := l.exchange(c, m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *live) exchange(c *http.Client, m message) error {
	r, err := http.NewRequest(http.MethodPost, "http://"+l.addr+"/wsman", strings.NewReader(m.windows()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
	r.SetBasicAuth("admin", "pw")
	res, err := c.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != 200 || !strings.Contains(string(body), "<a:RelatesTo>"+m.id+"</a:RelatesTo>") {
		return fmt.Errorf("%s: %s", res.Status, body)
	}
	return nil
}
