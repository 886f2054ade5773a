package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// These tests run in a bubble whose time passes when everybody waits, over
// connections in memory. So they have the real limits and take no time.

// pipes is a listener whose connections are in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// inBubble runs a test with a server that listens on pipes, and ends it.
func inBubble(t *testing.T, test func(*testing.T, *world, *pipes)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Time = time.Now })
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Serve(ctx, l) }()
		test(t, w, l)
		cancel()
		require.NoError(t, <-done)
	})
}

// Serve ends what nobody pulls, even when no request comes.
func TestJanitor(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, _ *pipes) {
		w.withVolumes(3)
		w.ok(t, enumerate(volumeURI, "").windows())
		time.Sleep(w.config.Limits.ContextIdle - time.Second)
		require.Equal(t, 1, w.contexts.count())
		time.Sleep(sweepEvery + time.Second)
		require.Zero(t, w.contexts.count())
		require.Zero(t, w.broker.open())
	})
}

// Who sends slowly is cut off and does not hold up others.
func TestSlowSenders(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, l *pipes) {
		w.withVolumes(1)
		whole := rawRequest("/wsman", basicAdmin, getVolume("V0").windows())
		var slow []net.Conn
		for _, part := range []int{0, 10, strings.Index(whole, "\r\n\r\n") + 4, len(whole) - 1} {
			c := l.dial()
			_, err := io.WriteString(c, whole[:part])
			require.NoError(t, err)
			slow = append(slow, c)
		}
		start := time.Now()
		fast := l.dial()
		_, err := io.WriteString(fast, whole)
		require.NoError(t, err)
		status, _, _ := rawAnswer(t, bufio.NewReader(fast))
		require.Equal(t, "200", status)
		require.Equal(t, start, time.Now(), "nobody waited")
		for _, c := range slow {
			rest, err := io.ReadAll(c) // ends when the server closes
			require.NoError(t, err)
			require.NotContains(t, string(rest), "200 OK")
		}
		require.LessOrEqual(t, time.Since(start), w.config.Limits.Read)
	})
}

// Who does not take the answer is cut off too.
func TestSlowReader(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, l *pipes) {
		w.withVolumes(1)
		c := l.dial()
		_, err := io.WriteString(c, rawRequest("/wsman", basicAdmin, getVolume("V0").windows()))
		require.NoError(t, err)
		start := time.Now()
		for w.conns.count() > 0 {
			time.Sleep(time.Second)
		}
		require.LessOrEqual(t, time.Since(start), w.config.Limits.Write+time.Second)
		require.Zero(t, len(w.inFlight))
	})
}

// The time to read a request must not end an operation that takes longer.
func TestReadTimeoutDoesNotCutOffOperations(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, l *pipes) {
		w.withVolumes(1)
		w.broker.each = func(ctx context.Context, _ int) error {
			time.Sleep(w.config.Limits.Read * 3 / 2)
			return ctx.Err()
		}
		c := l.dial()
		_, err := io.WriteString(c, rawRequest("/wsman", basicAdmin, enumerate(volumeURI, `<w:OptimizeEnumeration/>`).windows()))
		require.NoError(t, err)
		status, _, body := rawAnswer(t, bufio.NewReader(c))
		require.Equal(t, "200", status, body)
	})
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, l *pipes) {
		c := l.dial()
		_, err := io.WriteString(c, rawRequest("/wsman", "", identifyBody))
		require.NoError(t, err)
		r := bufio.NewReader(c)
		rawAnswer(t, r)
		start := time.Now()
		_, err = r.ReadByte()
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, w.config.Limits.Idle, time.Since(start))
	})
}

// What does not end in the grace is cancelled, even a call whose client is there.
func TestShutdownCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).withService(nil, nil)
		reached := make(chan struct{})
		w.broker.invoke = func(ctx context.Context, _ *cim.Call) (*cim.Reply, error) {
			close(reached)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Serve(ctx, l) }()
		c := l.dial()
		m := invoke(serviceURI, "Ping", "")
		m.timeout = "PT600S"
		_, err := io.WriteString(c, rawRequest("/wsman", basicAdmin, m.windows()))
		require.NoError(t, err)
		<-reached
		start := time.Now()
		cancel()
		status, _, body := rawAnswer(t, bufio.NewReader(c))
		require.Equal(t, w.config.Limits.Grace, time.Since(start))
		require.Equal(t, "500", status)
		require.Contains(t, body, "EndpointUnavailable")
		require.NoError(t, <-done)
	})
}

// A handler that does not listen is waited for; its connection is cut before.
func TestShutdownWaitsForHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).withService(nil, nil)
		reached, ended := make(chan struct{}), false
		w.broker.invoke = func(context.Context, *cim.Call) (*cim.Reply, error) {
			close(reached)
			time.Sleep(time.Hour)
			ended = true
			return &cim.Reply{Return: uint64(0)}, nil
		}
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Serve(ctx, l) }()
		c := l.dial()
		_, err := io.WriteString(c, rawRequest("/wsman", basicAdmin, invoke(serviceURI, "Ping", "").windows()))
		require.NoError(t, err)
		<-reached
		start := time.Now()
		cancel()
		_, err = io.ReadAll(c)
		require.NoError(t, err)
		require.Equal(t, w.config.Limits.Grace+afterGrace, time.Since(start))
		require.NoError(t, <-done)
		require.True(t, ended)
	})
}
