package classes

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"twinlun/cim"
	"twinlun/replication"
)

// Names of the indication classes, which are raised under the names of the DMTF.
const (
	classInstCreation     = "CIM_InstCreation"
	classInstModification = "CIM_InstModification"
	classInstDeletion     = "CIM_InstDeletion"
	classAlertIndication  = "CIM_AlertIndication"
)

// IndicatorConfig is what an Indicator stands on. Classes and Emit are needed.
type IndicatorConfig struct {
	// Classes is what the classes are served with: indications show instances as
	// their providers do.
	Classes Config
	// Emit gets every indication, one after the other. The events of one object
	// come in their order. It must not wait.
	Emit func(*cim.Instance)
	// Wanted says whether Emit reaches anybody; while it does not, nothing is built.
	// nil: it always does.
	Wanted func() bool
	Rand   io.Reader // of the identifiers of indications; default: crypto/rand
	// Queue is how many events may wait to become indications; default 4096.
	Queue int
	// Slack is by how many percent points the used space must fall below a level
	// before that is left; default 5.
	Slack int
}

// Indicator makes indications (DSP0004, class CIM_Indication) of the events of
// replication: the life cycle of volumes, relationships, groups, memberships and
// jobs, and alerts. Notify, Stats and CheckPools may be called at any time.
type Indicator struct {
	cfg    IndicatorConfig
	model  *model
	shows  shows
	prefix string // of IndicationIdentifier: this run of the daemon
	queue  chan replication.Event
	lost   atomic.Uint64 // events since the last alert about them
	counts counts

	mu     sync.Mutex // guards what follows, and is held while indications are built
	clock  time.Time  // that of the event
	serial uint64
	broken map[string]string // alerts about relationships that still hold
	levels map[string]level  // alarm levels of pools
	hurt   map[string]*hurt  // pools with damage that was told of
}

// counts is what Stats shows.
type counts struct {
	created, modified, deleted, alerts, dropped, failed atomic.Uint64
}

// IndicatorStats counts since the start.
type IndicatorStats struct {
	Raised  map[string]uint64 // indications by class
	Dropped uint64            // events that found the queue full
	Failed  uint64            // indications that could not be built
	Waiting int               // events in the queue now
}

// NewIndicator makes an Indicator; Run sets it to work.
func NewIndicator(c IndicatorConfig) (*Indicator, error) {
	if c.Emit == nil {
		return nil, errors.New("classes: an Indicator needs Emit")
	}
	if err := c.Classes.check(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	var run [8]byte
	if _, err := io.ReadFull(c.Rand, run[:]); err != nil {
		return nil, fmt.Errorf("classes: name the run: %w", err)
	}
	n := &Indicator{
		cfg: c, prefix: "TWINLUN:" + hex.EncodeToString(run[:]) + "-", queue: make(chan replication.Event, c.Queue),
		clock: c.Classes.Time(), broken: map[string]string{}, levels: map[string]level{}, hurt: map[string]*hurt{},
	}
	for _, class := range []string{classInstCreation, classInstModification, classInstDeletion, classAlertIndication} {
		if c.Classes.Schema.Class(class) == nil {
			return nil, cim.Errorf(cim.StatusInvalidClass, "the schema has no class %s", class)
		}
	}
	// What an instance shows of the passing of time is that of the event.
	c.Classes.Time = func() time.Time { return n.clock }
	n.model = &model{Config: c.Classes, started: n.clock}
	var err error
	n.shows, err = newShows(c.Classes)
	return n, err
}

func (c IndicatorConfig) withDefaults() IndicatorConfig {
	if c.Wanted == nil {
		c.Wanted = func() bool { return true }
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Queue < 1 {
		c.Queue = 4096
	}
	c.Slack = cmp.Or(c.Slack, 5)
	return c
}

// Notify takes an event; it is for replication.Config.Events. It never waits: what
// finds the queue full is dropped, counted, and told of in an alert.
func (n *Indicator) Notify(e replication.Event) {
	select {
	case n.queue <- e:
	default:
		n.lost.Add(1)
		n.counts.dropped.Add(1)
	}
}

// Run makes indications of events until ctx ends. One goroutine runs it.
func (n *Indicator) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-n.queue:
			n.handle(ctx, &e)
		}
	}
}

// handle makes the indications of one event. What nobody wants is forgotten, so that
// those who subscribe later begin afresh.
func (n *Indicator) handle(ctx context.Context, e *replication.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	lost := n.lost.Swap(0)
	if !n.wantedLocked() {
		return
	}
	n.clock = e.Time
	if lost > 0 {
		n.alertLocked(n.eventsLost(lost))
	}
	lifeCycle(ctx, n, e.Volume, n.showVolume)
	lifeCycle(ctx, n, e.Job, n.showJob)
	n.relationshipLocked(ctx, e.Relationship)
	n.tieLocked(ctx, e.GroupRelationship)
	n.groupLocked(ctx, e.Group)
}

func (n *Indicator) wantedLocked() bool {
	if n.cfg.Wanted() {
		return true
	}
	clear(n.broken)
	clear(n.levels)
	clear(n.hurt)
	return false
}

// emitLocked raises an indication that set completes, and returns its identifier.
// One that cannot be built is a defect of ours.
func (n *Indicator) emitLocked(class string, count *atomic.Uint64, set func(*cim.Builder)) string {
	n.serial++
	id := n.prefix + strconv.FormatUint(n.serial, 10)
	b := cim.Build(n.model.Schema.Class(class)).Set("IndicationIdentifier", id).Set("IndicationTime", n.clock)
	set(b)
	in, err := b.Instance()
	if err != nil {
		n.failed(class, err)
		return id
	}
	count.Add(1)
	n.cfg.Emit(in)
	return id
}

func (n *Indicator) failed(what string, err error) {
	n.counts.failed.Add(1)
	n.model.Logger.Error("an indication could not be made", "of", what, "err", err)
}

// Stats counts what was done.
func (n *Indicator) Stats() IndicatorStats {
	c := &n.counts
	return IndicatorStats{
		Raised: map[string]uint64{
			classInstCreation: c.created.Load(), classInstModification: c.modified.Load(),
			classInstDeletion: c.deleted.Load(), classAlertIndication: c.alerts.Load(),
		},
		Dropped: c.dropped.Load(), Failed: c.failed.Load(), Waiting: len(n.queue),
	}
}
