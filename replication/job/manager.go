package job

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"twinlun/replication/store"
)

// DefaultRetain is how long a finished job is kept unless its Spec says
// otherwise: the default of CIM_ConcreteJob.TimeBeforeRemoval (CIM 2.49).
const DefaultRetain = 5 * time.Minute

// Failures that callers tell apart.
var (
	// ErrNotFound: there is no such job, or no more.
	ErrNotFound = errors.New("job: not found")
	// ErrDone: the job has ended already.
	ErrDone = errors.New("job: has ended")
	// ErrRunning: the job has not ended yet, or runs already.
	ErrRunning = errors.New("job: has not ended")
	// ErrCanceled is the cause of a Run's context after Cancel, and what its
	// owner gives to Finish to say that it stopped for that.
	ErrCanceled = errors.New("job: canceled")
)

// Config is what a Manager stands on. Store is needed, all else has a default.
type Config struct {
	Store      store.Store
	Time       func() time.Time      // default: time.Now
	Rand       io.Reader             // of identifiers; default: crypto/rand
	Logger     *slog.Logger          // default: discard
	Retain     time.Duration         // default: DefaultRetain
	Registerer prometheus.Registerer // of metrics; may be nil
	// Events, if set, is told of each change of a job after it is stored, in their
	// order: what the job was (nil: it was made) and what it is (nil: it is
	// forgotten). It is called with locks of the Manager held: it must return at
	// once and must not call the Manager.
	Events func(before, after *Record)
}

// Manager keeps the jobs of a store. All methods may be called at the same time;
// those that take a store.Tx must run inside a transaction of that store, the
// others outside of one.
type Manager struct {
	cfg     Config
	metrics *metrics

	poke chan struct{} // wakes Run; holds at most one

	// order is held from before the transaction of a change until the change is
	// told, and taken before mu.
	order sync.Mutex

	mu      sync.Mutex      // guards what follows
	last    serial          // of the job that was made last
	fresh   map[string]bool // jobs whose making is not told yet
	runs    map[string]*Run
	expiry  map[string]time.Time // of jobs that are done
	changed chan struct{}        // closed at the next change of a job
	// affecting is the jobs of each element, also of transactions that have failed
	// or are not through: what the store has decides.
	affecting map[Element]map[string]bool
}

// NewManager makes a Manager of the jobs that the store holds. Nothing runs before Run.
func NewManager(cfg Config) (*Manager, error) {
	if cfg.Store == nil {
		return nil, errors.New("job: a store is needed")
	}
	cfg = cfg.withDefaults()
	m := &Manager{
		cfg: cfg, poke: make(chan struct{}, 1), changed: make(chan struct{}),
		fresh: make(map[string]bool), runs: make(map[string]*Run), expiry: make(map[string]time.Time), affecting: make(map[Element]map[string]bool),
	}
	var err error
	if m.metrics, err = newMetrics(cfg.Registerer, m.running); err != nil {
		return nil, err
	}
	all, err := m.List(context.Background())
	for _, r := range all {
		m.noteElements(r)
		m.last = max(m.last, serialOf(r.ID))
		if r.State.Done() {
			m.expiry[r.ID] = r.expires()
		}
	}
	return m, err
}

func (c Config) withDefaults() Config {
	if c.Time == nil {
		c.Time = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Retain = cmp.Or(c.Retain, DefaultRetain)
	return c
}

// Spec is a wish for a job.
type Spec struct {
	Name     string        // what it does, for people
	Owner    string        // user that caused it
	Retain   time.Duration // how long it is kept when done; 0: the Manager's default
	Affected []Element
}

// Create adds a job in state New, as part of the caller's transaction. When that
// is through, Start lets it run.
func (m *Manager) Create(tx store.Tx, s Spec) (Record, error) {
	now := m.cfg.Time()
	id, err := m.nextSerial(now).newID(m.cfg.Rand)
	if err != nil {
		return Record{}, err
	}
	r := Record{
		ID: id, Name: s.Name, Owner: s.Owner, State: New, Created: now, Changed: now,
		Retain: cmp.Or(s.Retain, m.cfg.Retain), Affected: s.Affected,
	}
	m.noteElements(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.freshLocked(id)
	return r, put(tx, r)
}

func (m *Manager) nextSerial(now time.Time) serial {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = m.last.next(now)
	return m.last
}

// Get is the job as it is now, or ErrNotFound.
func (m *Manager) Get(ctx context.Context, id string) (r Record, err error) {
	err = m.cfg.Store.View(ctx, func(tx store.Tx) error {
		r, err = load(tx, id)
		return err
	})
	return m.live(r), err
}

// List is all jobs as they are now, in the order of their making.
func (m *Manager) List(ctx context.Context) (all []Record, err error) {
	err = m.cfg.Store.View(ctx, func(tx store.Tx) error {
		return tx.Scan(bucket, "", func(id string, v []byte) error {
			r, err := decode(id, v)
			all = append(all, m.live(r))
			return err
		})
	})
	return all, err
}

// Resumable lists the jobs that have not ended and that nobody runs: after a
// start of the daemon, those that were under way. Each must be started again or
// ended with End.
func (m *Manager) Resumable(ctx context.Context) ([]Record, error) {
	all, err := m.List(ctx)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var open []Record
	for _, r := range all {
		if _, runs := m.runs[r.ID]; !runs && !r.State.Done() {
			open = append(open, r)
		}
	}
	return open, nil
}

// Delete forgets a job that is done; ErrRunning: it is not.
func (m *Manager) Delete(ctx context.Context, id string) error {
	m.order.Lock()
	defer m.order.Unlock()
	var r Record
	err := m.cfg.Store.Update(ctx, func(tx store.Tx) (err error) {
		r, err = load(tx, id)
		if err == nil && !r.State.Done() {
			err = ErrRunning
		}
		if err != nil {
			return err
		}
		return tx.Delete(bucket, id)
	})
	if err == nil {
		m.forget(r)
	}
	return err
}

// Wait returns the job when it is done, or what stopped the wait.
func (m *Manager) Wait(ctx context.Context, id string) (Record, error) {
	for {
		change := m.Changed()
		r, err := m.Get(ctx, id)
		if err != nil || r.State.Done() {
			return r, err
		}
		select {
		case <-change:
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
	}
}

// Changed is closed when any job changes next; ask for it before looking at what
// may change.
func (m *Manager) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

// tellLocked wakes those who wait for a change.
func (m *Manager) tellLocked() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// live puts what only memory knows into a stored record.
func (m *Manager) live(r Record) Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.liveLocked(r)
}

func (m *Manager) liveLocked(r Record) Record {
	if run, ok := m.runs[r.ID]; ok && !r.State.Done() {
		r.Percent = max(r.Percent, run.percent)
	}
	return r
}

func (m *Manager) running() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return float64(len(m.runs))
}

// forget drops what is known of jobs that were deleted.
func (m *Manager) forget(deleted ...Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range deleted {
		delete(m.expiry, r.ID)
		m.dropElementsLocked(r)
	}
	m.announceGoneLocked(deleted)
	m.tellLocked()
}
