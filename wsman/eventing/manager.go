// Package eventing is the event source of WS-Eventing as DSP0226 section 10 has it:
// subscriptions to CIM indications, what waits for them, and how they get it. Those
// in Pull mode are asked for by the server's Pull; to the others the Manager sends
// messages itself.
//
// Everything is bounded: what a subscription has waiting, what is remembered for
// bookmarks, and how many deliveries are under way. Who is too slow loses the oldest
// events and is told how many.
package eventing

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"twinlun/cim"
)

// Querier checks queries against the schema. What is wrong with one is
// StatusInvalidQuery, or StatusQueryLanguageNotSupported. *provider.Broker is one.
type Querier interface {
	Filter(ns string, q cim.Query) (cim.Filter, error)
}

// Config is what a Manager is made of.
type Config struct {
	Queries Querier // required
	// Store keeps subscriptions over a restart; nil: they end with the Manager.
	Store  Store
	Logger *slog.Logger     // nil: none
	Time   func() time.Time // nil: time.Now
	Rand   io.Reader        // for ids, safe for concurrent use; nil: crypto/rand
	// Registerer gets the metrics; nil: they are not shown.
	Registerer prometheus.Registerer
	Limits     Limits
	// Transport carries what is sent to subscribers; nil: HTTP and HTTPS with the
	// certificates of the system. It is not asked to follow redirects.
	Transport http.RoundTripper
	// Allow decides whether events may be sent to a URL for a user, and gives the
	// reason if not; nil: to all. It is asked before each connection.
	Allow func(user string, to *url.URL) error
	// Role says what a user may do, ok is false where there is no such user any
	// more; nil: what they might when they subscribed.
	Role func(user string) (role cim.Role, ok bool)

	forgets bool // there is no store
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Time == nil {
		c.Time = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	if c.Store == nil {
		c.Store = new(MemStore)
		c.forgets = true
	}
	if c.Allow == nil {
		c.Allow = func(string, *url.URL) error { return nil }
	}
	c.Limits = c.Limits.withDefaults()
	return c
}

// Manager holds all subscriptions. Its methods are safe for concurrent use.
type Manager struct {
	config  Config
	client  *http.Client
	epoch   string        // of the bookmarks of this run
	sending chan struct{} // one for each delivery under way
	metrics *metrics
	wanted  atomic.Bool   // there has been a subscription
	done    chan struct{} // closed when Run ends

	mu      sync.Mutex // guards what follows; taken before that of a subscription
	subs    map[string]*subscription
	byUser  map[string]int // subscriptions, and places that are reserved for some
	total   int            // of byUser
	seq     uint64         // of the latest event
	history fifo           // the latest events
	lost    uint64         // seq of the latest event that history has lost
	running *runner        // nil while Run does not run
}

// New makes a Manager with the subscriptions that the store has kept. It starts
// nothing: see Run. What the store holds and cannot be used any more is deleted.
func New(ctx context.Context, c Config) (*Manager, error) {
	if c.Queries == nil {
		return nil, errors.New("an event source needs something that checks queries")
	}
	c = c.withDefaults()
	m := &Manager{
		config: c, client: newClient(c.Transport), sending: make(chan struct{}, c.Limits.Deliveries),
		subs: map[string]*subscription{}, byUser: map[string]int{}, done: make(chan struct{}),
	}
	var epoch [8]byte
	if _, err := io.ReadFull(c.Rand, epoch[:]); err != nil {
		return nil, fmt.Errorf("random numbers: %w", err)
	}
	m.epoch = hex.EncodeToString(epoch[:])
	var err error
	if m.metrics, err = newMetrics(c.Registerer, m); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return m, m.restore(ctx)
}

// Wanted says whether there has been anybody to take events: what happens before
// need not be published. Bookmarks may reach back to the first event after.
func (m *Manager) Wanted() bool { return m.wanted.Load() }

// Count is how many subscriptions there are.
func (m *Manager) Count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.subs)
}
