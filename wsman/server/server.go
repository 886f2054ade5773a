// Package server is the WS-Management service (DSP0226, DSP0227): an HTTP handler
// that reads requests, carries them out on a Broker and answers them. Each action
// is one file and one row of the table in actions.go.
package server

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"twinlun/cim"
	"twinlun/wsman/eventing"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// Authenticator says who sends a request. *auth.Chain is one.
type Authenticator interface {
	// Authenticate leaves the body alone. An error is given to Refuse.
	Authenticate(r *http.Request) (cim.Principal, error)
	// Refuse answers r and returns the HTTP status.
	Refuse(w http.ResponseWriter, r *http.Request, err error) int
}

// Product is what Identify says of the service.
type Product struct {
	Vendor  string
	Version string
}

// Config is what a Server is made of.
type Config struct {
	Broker Broker        // required
	Auth   Authenticator // required
	// AuditLog gets one line for each request that may change something; nil: Logger.
	AuditLog *slog.Logger
	Logger   *slog.Logger     // nil: none
	Time     func() time.Time // nil: time.Now
	Rand     io.Reader        // for message and context ids, safe for concurrent use; nil: crypto/rand
	// Registerer gets the metrics; nil: they are not shown.
	Registerer prometheus.Registerer
	Limits     Limits
	Product    Product
	// Machine names this host in faults.
	Machine string
	// DefaultNamespace is that of requests that name none;
	// "root/cimv2/storage/iscsitarget" if empty.
	DefaultNamespace string
	// Events is who takes subscriptions; nil: they are not served. Who makes it runs
	// it, and ends it not later than the server.
	Events *eventing.Manager
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.AuditLog == nil {
		c.AuditLog = c.Logger
	}
	if c.Time == nil {
		c.Time = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	c.DefaultNamespace = cim.CanonicalNamespace(cmp.Or(c.DefaultNamespace, "root/cimv2/storage/iscsitarget"))
	c.Product.Vendor = cmp.Or(c.Product.Vendor, "Twinlun")
	c.Limits = c.Limits.withDefaults()
	return c
}

// Server is the service. Its methods are safe for concurrent use.
type Server struct {
	config   Config
	handler  http.Handler
	actions  map[string]action
	invoke   action
	contexts *contexts
	metrics  *metrics
	conns    *connCounter
	inFlight chan struct{}
	users    *places
	repeats  *repeats
	writers  sync.Pool // of *soap.Writer
	tags     wscim.Tags
}

// New makes a Server. It starts nothing. It fails where the metrics are
// registered already.
func New(c Config) (*Server, error) {
	if c.Broker == nil || c.Auth == nil {
		return nil, errors.New("a WS-Management server needs a broker and an authenticator")
	}
	c = c.withDefaults()
	s := &Server{
		config:   c,
		contexts: newContexts(c.Limits),
		inFlight: make(chan struct{}, c.Limits.InFlight),
		users:    newPlaces(c.Limits.InFlightPerUser, c.Limits.Wait),
		repeats:  newRepeats(),
		writers:  sync.Pool{New: func() any { return new(soap.Writer) }},
	}
	s.conns = newConnCounter(c.Limits.Connections, func() { s.metrics.refused.WithLabelValues("connections").Inc() })
	s.actions, s.invoke = actionTable(s)
	var err error
	if s.metrics, err = newMetrics(c.Registerer, s); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	s.handler = s.routes()
	return s, nil
}

// Handler answers at /wsman, /wsman/ and, for Identify without authentication,
// /wsman-anon/identify. Who uses it without Serve must call Close in the end.
func (s *Server) Handler() http.Handler { return s.handler }

// Close ends all enumerations.
func (s *Server) Close() { s.contexts.closeAll() }

func (s *Server) routes() http.Handler {
	r := mux.NewRouter().SkipClean(true)
	for _, path := range []string{"/wsman", "/wsman/"} {
		r.HandleFunc(path, s.serveSOAP).Methods(http.MethodPost)
	}
	r.HandleFunc("/wsman-anon/identify", s.serveAnonymous).Methods(http.MethodPost)
	r.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.sendText(w, http.StatusNotFound, "the WS-Management service is at /wsman")
	})
	r.MethodNotAllowedHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", http.MethodPost)
		s.sendText(w, http.StatusMethodNotAllowed, "only POST")
	})
	return r
}
