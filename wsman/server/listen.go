package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// sweepEvery is how often enumerations are looked at that nobody pulls.
const sweepEvery = 15 * time.Second

// Serve answers connections of l until ctx ends, then waits for the requests
// under way, at most Limits.Grace before they are cancelled. It closes l and
// returns nil after a shutdown, else why accepting failed. Several listeners may
// be served at once; when the first of them ends so do all enumerations.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	running := new(tracker)
	hs := s.httpServer(base, running)
	done := make(chan error, 1)
	go func() { done <- hs.Serve(l) }()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	defer s.contexts.closeAll()
	for {
		select {
		case <-tick.C:
			s.contexts.sweep(s.config.Time())
		case err := <-done:
			s.shutdown(hs, cancel, running)
			return err
		case <-ctx.Done():
			s.shutdown(hs, cancel, running)
			if err := <-done; !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		}
	}
}

// ServeTLS is Serve over TLS 1.2 or later. HTTP/2 is never offered: WinRM
// clients keep state in the connection.
func (s *Server) ServeTLS(ctx context.Context, l net.Listener, c *tls.Config) error {
	c = c.Clone()
	c.NextProtos = []string{"http/1.1"}
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	return s.Serve(ctx, tls.NewListener(l, c))
}

// afterGrace is how long cancelled requests have to answer before their
// connections are cut.
const afterGrace = 2 * time.Second

// shutdown waits until no request is under way. When the grace is over they are
// cancelled, a little later their connections are cut; the handlers are waited
// for all the same.
func (s *Server) shutdown(hs *http.Server, cancel context.CancelFunc, running *tracker) {
	stop := time.AfterFunc(s.config.Limits.Grace, cancel)
	defer stop.Stop()
	ctx, done := context.WithTimeout(context.Background(), s.config.Limits.Grace+afterGrace)
	defer done()
	if err := hs.Shutdown(ctx); err != nil {
		s.config.Logger.Warn("wsman: requests were cut off", "error", err, "closing", hs.Close())
	}
	running.wait()
}

// tracker counts handlers, so that the end of a server can wait for them.
type tracker struct {
	mu     sync.Mutex // guards what follows
	closed bool
	wg     sync.WaitGroup
}

// wrap counts the calls of h. Once wait was called there are no more.
func (t *tracker) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !t.enter() {
			return
		}
		defer t.wg.Done()
		h.ServeHTTP(w, r)
	})
}

func (t *tracker) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.wg.Add(1)
	return true
}

func (t *tracker) wait() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.wg.Wait()
}

func (s *Server) httpServer(base context.Context, running *tracker) *http.Server {
	l := s.config.Limits
	return &http.Server{
		Handler:           running.wrap(s.handler),
		ReadHeaderTimeout: l.ReadHeader,
		ReadTimeout:       l.Read,
		WriteTimeout:      l.MaxOperation + l.Write,
		IdleTimeout:       l.Idle,
		MaxHeaderBytes:    64 << 10,
		ConnState:         s.conns.track,
		BaseContext:       func(net.Listener) context.Context { return context.WithValue(base, baseKey{}, base) },
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelDebug),
	}
}

type baseKey struct{}

// detached is a context that outlives the client's connection but not the
// service: what a method has begun is not given up because its caller went away.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	base, ok := ctx.Value(baseKey{}).(context.Context)
	if !ok {
		return out, cancel
	}
	stop := context.AfterFunc(base, cancel)
	return out, func() { stop(); cancel() }
}

// connCounter counts connections and closes those above its limit: first one that is
// idle, to make room for the new one; else the new one.
type connCounter struct {
	limit   int
	refused func()     // called for each that is closed
	mu      sync.Mutex // guards what follows
	open    map[net.Conn]http.ConnState
}

func newConnCounter(limit int, refused func()) *connCounter {
	return &connCounter{limit: limit, refused: refused, open: map[net.Conn]http.ConnState{}}
}

// track is a hook of http.Server. A connection that is closed here fails at its
// first read.
func (c *connCounter) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, known := c.open[conn]
	switch {
	case state == http.StateClosed || state == http.StateHijacked:
		delete(c.open, conn)
	case known:
		c.open[conn] = state
	case state == http.StateNew && (len(c.open) < c.limit || c.closeIdleLocked()):
		c.open[conn] = state
	case state == http.StateNew:
		c.closeLocked(conn)
	}
}

// closeIdleLocked closes a connection on which no request is; false if there is none.
func (c *connCounter) closeIdleLocked() bool {
	for conn, state := range c.open {
		if state == http.StateIdle {
			c.closeLocked(conn)
			return true
		}
	}
	return false
}

// closeLocked closes a connection without a word of TLS, which could take time.
func (c *connCounter) closeLocked(conn net.Conn) {
	delete(c.open, conn)
	c.refused()
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	// The server closes it again and reports what matters.
	_ = conn.Close()
}

func (c *connCounter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}
