// Package mirror keeps a target equal to its source while hosts write to the
// source. A Mirror stands in the source's write path as a hook: a write is
// answered when both sides have it.
//
// Which regions may differ is in a log in the store (package bitmap): a region is
// stored as dirty before the first write to it and cleared lazily, after both
// sides were flushed. So a crash costs a copy of the dirty regions, and nothing
// else is ever compared.
package mirror

import (
	"errors"
	"log/slog"
	"time"

	"twinlun/blockdev"
	"twinlun/replication/copier"
	"twinlun/replication/store"
)

// Config is one pair and what it stands on.
type Config struct {
	// ID names the log in the store; it is the relationship's.
	ID    string
	Store store.Store
	// Source and Target go past the hooks of their volumes (pool.OpenRaw). The
	// Mirror does not close them. The target is at least as large. A nil Target
	// is one that is lost: the Mirror only keeps track of changes until Reconnect.
	Source, Target blockdev.Device
	// Fresh says that the target read as zeros when its log was new, so that
	// what the source does not hold need not be copied.
	Fresh bool
	// Region is the size of a region in bytes when the log is new; default 1 MiB.
	Region int64
	// Attach puts the hook into the source's write path (pool.Attach).
	Attach func(blockdev.Hook) (detach func(), err error)

	Events  Events
	Limiter *copier.Limiter // of the copy, not of the hosts' writes; nil: none
	// Parallel is how many regions are copied at once; default 4.
	Parallel int
	// CleanEvery is how often regions that were not written are cleared from
	// the log, which costs a flush of both sides; default 10 s.
	CleanEvery time.Duration
	Logger     *slog.Logger // default: discard
}

// Events is what a Mirror tells its owner, one call after the other, from a
// goroutine of its own; writes do not wait for it. No method may call Stop.
type Events interface {
	// Synchronized: both sides are equal, and stay so.
	Synchronized()
	// Diverged: a write or flush of the source failed, so that both sides
	// may differ; the regions are copied again and Synchronized follows.
	Diverged(err error)
	// Broken: the target could not be written (copier.Error says which side
	// of a copy failed). Hosts go on writing to the source and the changes
	// are kept track of, until Reconnect.
	Broken(err error)
	// Progress tells how far the copy is, in bytes. It ends with done ==
	// total; total grows when writes add to it.
	Progress(done, total int64)
}

var errConfig = errors.New("mirror: ID, Store, Source, Attach and Events are needed")

// Status is how a Mirror stands.
type Status struct {
	Synchronized bool
	Broken       bool
	Stale        int64 // bytes of regions that are still to be copied
	Dirty        int64 // bytes of regions that a crash would have copied
}
