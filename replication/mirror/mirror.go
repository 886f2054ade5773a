package mirror

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"twinlun/blockdev"
	"twinlun/replication/bitmap"
	"twinlun/replication/copier"
	"twinlun/replication/store"
)

// Mirror keeps one pair equal. All methods may be called at the same time.
//
// The log (dirty regions, in the store) holds what a crash makes doubtful; stale,
// in memory, what is known to differ or is not known to be equal. stale is always a
// part of the log. Each write holds the lock of its range from before it is logged
// until both sides have answered; so does the copy of a region.
type Mirror struct {
	c      Config
	log    *bitmap.Log
	events *events
	locks  rangeLocks
	kick   chan struct{} // wakes the copy; holds at most one

	// flushing is held for reading while a side is flushed and the outcome
	// noted; who has it for writing knows of all failures so far.
	flushing sync.RWMutex

	stop   sync.Once
	detach func()
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu         sync.Mutex // guards what follows; the log's lock comes after it
	target     *target    // nil: lost, changes are only tracked
	synced     bool
	setbacks   int // how often stale took in all of the log
	stale      *bitmap.Bits
	touched    *bitmap.Bits // written since the last cleaning began
	copied     int64        // bytes, since it was last synchronized
	cancelCopy context.CancelFunc
	flushErr   error // of a flush that no host has heard of
}

// ErrConnected: the Mirror has its target.
var ErrConnected = errors.New("mirror: the target is connected")

const defaultCleanEvery = 10 * time.Second

// Start puts the hook in place and brings both sides together: it copies what
// the log says, or all that the source holds when there is no log yet. It returns
// when every write is tracked; the copy goes on in the background. After a
// restart of the daemon it must be called before hosts can write to the source.
func Start(ctx context.Context, c Config) (*Mirror, error) {
	if c.ID == "" || c.Store == nil || c.Source == nil || c.Attach == nil || c.Events == nil {
		return nil, errConfig
	}
	if err := checkTarget(c.Source, c.Target); err != nil {
		return nil, err
	}
	m, err := newMirror(ctx, c.withDefaults())
	if err != nil {
		return nil, err
	}
	if m.detach, err = c.Attach(m); err != nil {
		return nil, fmt.Errorf("mirror %s: attach: %w", c.ID, err)
	}
	if err := m.seed(ctx); err != nil {
		m.detach()
		return nil, fmt.Errorf("mirror %s: %w", c.ID, err)
	}
	m.run()
	return m, nil
}

func (c Config) withDefaults() Config {
	if c.CleanEvery <= 0 {
		c.CleanEvery = defaultCleanEvery
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// checkTarget refuses a target that cannot hold the source.
func checkTarget(source, target blockdev.Device) error {
	if target != nil && target.Size() < source.Size() {
		return blockdev.Errorf(blockdev.KindInvalid, "mirror", "target of %d bytes, source of %d", target.Size(), source.Size())
	}
	return nil
}

func newMirror(ctx context.Context, c Config) (*Mirror, error) {
	log, err := bitmap.Open(ctx, bitmap.Config{
		Store: c.Store, ID: c.ID, Size: c.Source.Size(), Region: c.Region,
	})
	if err != nil {
		return nil, err
	}
	stale := log.Dirty()
	return &Mirror{
		c: c, log: log, events: newEvents(c.Events), kick: make(chan struct{}, 1),
		stale: stale, touched: bitmap.NewBits(stale.Len()),
	}, nil
}

// seed makes the log of a new pair: all that the source holds. Writes pass the
// hook already, so nothing is missed.
func (m *Mirror) seed(ctx context.Context) error {
	if m.log.Seeded() {
		return nil
	}
	size := m.c.Source.Size()
	if !m.c.Fresh {
		m.log.Mark(0, size)
		return m.log.Seed(ctx)
	}
	err := copier.Walk(ctx, m.c.Source, 0, size, func(e blockdev.Extent) error {
		if e.Data {
			m.log.Mark(e.Off, e.Len)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return m.log.Seed(ctx)
}

// run starts the background tasks.
func (m *Mirror) run() {
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	m.mu.Lock()
	m.stale.Or(m.log.Dirty())
	if m.c.Target != nil {
		m.target = &target{Device: m.c.Target, m: m}
	}
	m.mu.Unlock()
	for _, task := range []func(context.Context){m.events.run, m.copyLoop, m.cleanLoop} {
		m.tasks.Go(func() { task(ctx) })
	}
	poke(m.kick)
}

// Reconnect gives a Mirror that is broken its target again, which must be the
// same volume, and copies what changed meanwhile. ErrConnected: it is not broken.
func (m *Mirror) Reconnect(dev blockdev.Device) error {
	if err := checkTarget(m.c.Source, dev); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.target != nil {
		return ErrConnected
	}
	m.target = &target{Device: dev, m: m}
	poke(m.kick)
	return nil
}

// Status is how the Mirror stands now.
func (m *Mirror) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Status{
		Synchronized: m.synced,
		Broken:       m.target == nil,
		Stale:        m.stale.Count() * m.log.Region(),
		Dirty:        m.log.Count() * m.log.Region(),
	}
}

// Stop takes the hook out and waits for writes, the copy and a running call of
// Events to end. The log stays in the store and tells what is still to be
// copied; ctx bounds only the work that makes it shorter. A second call does
// nothing, but returns after the first.
func (m *Mirror) Stop(ctx context.Context) {
	m.stop.Do(func() {
		m.detach()
		m.cancel()
		m.tasks.Wait()
		if ctx.Err() == nil {
			m.clean(ctx, true)
		}
	})
}

// Forget removes the log of a relationship, as part of the caller's transaction.
// Its Mirror must be stopped.
func Forget(tx store.Tx, id string) error { return bitmap.Remove(tx, id) }
