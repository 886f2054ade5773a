package replication

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"twinlun/blockdev/pool"
	"twinlun/replication/job"
	"twinlun/replication/store"
)

// Config is what a Service stands on. Store and Pools are needed, all else has a
// default.
type Config struct {
	Store store.Store
	// Pools are where volumes live; the first one is the default. Names must
	// differ.
	Pools []pool.Pool
	// Exposed says whether initiators may reach a volume, and how many are
	// logged in now. It must not call the Service. nil: none is exposed.
	Exposed func(VolumeRef) (exposed bool, sessions int)

	Logger     *slog.Logger          // default: discard
	Time       func() time.Time      // default: time.Now
	Rand       io.Reader             // of identifiers; default: crypto/rand
	Registerer prometheus.Registerer // of metrics; may be nil

	// MaxCopies is how many background copies run at once; default 4.
	MaxCopies int
	// MaxElements is how many sources a request, or members a group, may
	// have; default 1024.
	MaxElements int
	// CopyRate is what one background copy of CopyPriority 'same' may move,
	// in bytes a second; 0 means no limit. Low has half of it, high twice, urgent and
	// 'not managed' no limit.
	CopyRate int64
	// Events, if set, is told of every change after it is stored, one after the
	// other in the order of the changes of each object, from Start until Close
	// returns. What Start finds in the store is no event; what it changes is. It
	// must return at once: until it does the events wait in memory. No lock is held
	// that the Service's methods need, but Close must not be called.
	Events func(Event)
	// Reconnect is how long after it was lost a mirror's target is looked
	// for again; the pause doubles up to ten minutes. Default 30 s.
	Reconnect time.Duration
}

// Service makes and keeps replicas. All methods may be called at the same time,
// between Start and Close.
type Service struct {
	cfg     Config
	log     *slog.Logger
	rand    io.Reader
	pools   map[string]pool.Pool
	jobs    *job.Manager
	metrics *metrics
	events  *events
	book    *book
	claims  *claims
	slots   chan struct{} // one for each background copy that may run

	ctx    context.Context // of everything in the background
	cancel context.CancelFunc
	wg     sync.WaitGroup

	scrubs scrubs

	groupsMu sync.Mutex // held while a group is changed in store and book

	tendersMu sync.Mutex
	tenders   map[string]*tender // guarded by tendersMu; by request
}

// New makes a Service; it does nothing until Start.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || len(cfg.Pools) == 0 {
		return nil, errors.New("replication: a store and at least one pool are needed")
	}
	cfg = cfg.withDefaults()
	told := newEvents(cfg.Events, cfg.Time)
	s := &Service{
		cfg: cfg, events: told, log: cfg.Logger, rand: &lockedRand{r: cfg.Rand}, pools: make(map[string]pool.Pool, len(cfg.Pools)),
		book: newBook(told), claims: newClaims(), slots: make(chan struct{}, cfg.MaxCopies), tenders: map[string]*tender{},
		scrubs: scrubs{jobs: map[string]string{}},
	}
	for _, p := range cfg.Pools {
		if _, twice := s.pools[p.Name()]; twice {
			return nil, errors.New("replication: two pools are named " + p.Name())
		}
		s.pools[p.Name()] = s.tellOf(p)
	}
	var err error
	if s.metrics, err = newMetrics(cfg.Registerer, s.book); err != nil {
		return nil, err
	}
	s.events.count = s.metrics.event
	s.jobs, err = job.NewManager(job.Config{
		Store: cfg.Store, Time: cfg.Time, Rand: s.rand, Logger: cfg.Logger, Registerer: cfg.Registerer, Events: s.jobEvents(),
	})
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, err
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
	if c.MaxCopies < 1 {
		c.MaxCopies = 4
	}
	if c.Reconnect <= 0 {
		c.Reconnect = 30 * time.Second
	}
	if c.MaxElements < 1 {
		c.MaxElements = 1024
	}
	return c
}

// Start takes up what the store says: it undoes half-made requests, puts the
// hooks of mirrors and the guards of targets back, and goes on with copies and
// jobs. No volume may be exposed before it has returned. After an error the
// Service must be closed.
func (s *Service) Start(ctx context.Context) error {
	s.events.start()
	s.wg.Go(func() { s.jobs.Run(s.ctx) })
	return s.resume(ctx)
}

// Close stops all that runs in the background, waits for it and takes the hooks
// off the volumes, which hosts must not be able to write to any more. What was
// under way is in the store and goes on with the next Start. A second call does
// nothing.
func (s *Service) Close() error {
	s.cancel()
	s.wg.Wait()
	for _, r := range s.book.records() {
		s.book.pair(r.ID).unhookTarget()
	}
	s.keepProgress()
	s.events.stop()
	return nil
}
