package export

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"twinlun/blockdev"
)

// Exports is the list of exposed volumes. All methods may be called at the same
// time; each failure is a *blockdev.Error. Changes of one volume run one after
// the other.
type Exports struct {
	cfg   Config
	locks keyLock

	mu     sync.Mutex // guards all below; never held over I/O
	list   map[VolumeRef]*entry
	names  map[string]VolumeRef // by target name; taken before the entry is there
	closed bool
}

// entry is one export. Who holds the volume's lock may change it, with
// Exports.mu held as well.
type entry struct {
	rec record
	dev blockdev.Device // nil if the volume could not be opened
}

// New makes an empty list; Restore fills it from the store.
func New(c Config) (*Exports, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Exports{
		cfg: c, locks: keyLock{held: map[VolumeRef]chan struct{}{}},
		list: map[VolumeRef]*entry{}, names: map[string]VolumeRef{},
	}, nil
}

// Export describes the export of a volume; KindNotFound if it is not exposed.
func (x *Exports) Export(_ context.Context, v VolumeRef) (Export, error) {
	sessions := x.sessions()
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.list[v]
	if e == nil {
		return Export{}, notExposed("export", v)
	}
	return e.rec.describe(sessions[e.rec.Target]), nil
}

// Exports describes all exports, ordered by target.
func (x *Exports) Exports(context.Context) ([]Export, error) {
	sessions := x.sessions()
	x.mu.Lock()
	defer x.mu.Unlock()
	list := make([]Export, 0, len(x.list))
	for _, e := range x.list {
		list = append(list, e.rec.describe(sessions[e.rec.Target]))
	}
	slices.SortFunc(list, func(a, b Export) int { return cmp.Compare(a.Target, b.Target) })
	return list, nil
}

// TargetOf is the name of the target of a volume, empty if it is not exposed.
func (x *Exports) TargetOf(v VolumeRef) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.list[v]; e != nil {
		return e.rec.Target
	}
	return ""
}

// Exposed says whether initiators may reach a volume, and how many sessions do
// now.
func (x *Exports) Exposed(v VolumeRef) (exposed bool, sessions int) {
	e, err := x.Export(context.Background(), v)
	return err == nil, e.Sessions
}

// sessions counts the sessions of each target.
func (x *Exports) sessions() map[string]int {
	counts := map[string]int{}
	for _, s := range x.cfg.Targets.Sessions() {
		counts[strings.ToLower(s.Target)]++
	}
	return counts
}

// Close ends all targets, waiting for their commands until ctx ends at most, and
// closes the volumes. The exports stay in the store. Later changes fail with
// KindClosed; a second Close does nothing.
func (x *Exports) Close(ctx context.Context) error {
	x.mu.Lock()
	x.closed = true
	volumes := slices.Collect(maps.Values(x.names)) // also those on their way to the list
	x.mu.Unlock()
	for _, v := range volumes {
		x.locks.lock(v)
		if e := x.entry(v); e != nil {
			x.stop(ctx, e)
		}
		x.locks.unlock(v)
	}
	return nil
}

// entry finds the entry of a volume; nil if there is none.
func (x *Exports) entry(v VolumeRef) *entry {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.list[v]
}

// begin takes the lock of a volume for a change; end it with x.locks.unlock.
func (x *Exports) begin(ctx context.Context, op string, v VolumeRef) error {
	if err := x.locks.lockContext(ctx, v); err != nil {
		return blockdev.Wrap(blockdev.KindBusy, op, err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		x.locks.unlock(v)
		return &blockdev.Error{Kind: blockdev.KindClosed, Op: op}
	}
	return nil
}

// stop ends the target of e and closes its volume; the volume's lock is held.
// When it returns no command of an initiator touches the volume any more: what
// RemoveTarget could not wait for, the device's Close does.
func (x *Exports) stop(ctx context.Context, e *entry) {
	if e.dev == nil {
		return
	}
	if err := x.cfg.Targets.RemoveTarget(ctx, e.rec.Target); err != nil {
		x.cfg.Logger.Warn("remove target", "target", e.rec.Target, "err", err)
	}
	if err := e.dev.Close(); err != nil {
		x.cfg.Logger.Error("close exposed volume", "target", e.rec.Target, "err", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	e.dev = nil
}

// notExposed is the failure for a volume without an export.
func notExposed(op string, v VolumeRef) error {
	return blockdev.Errorf(blockdev.KindNotFound, op, "volume %s of pool %s is not exposed", v.ID, v.Pool)
}

// claim takes a target name for a volume; KindExists if another has it. After
// Close has begun there are no new claims, so Close knows all it has to end.
func (x *Exports) claim(op, name string, v VolumeRef) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return &blockdev.Error{Kind: blockdev.KindClosed, Op: op}
	}
	if owner, taken := x.names[name]; taken && owner != v {
		return blockdev.Errorf(blockdev.KindExists, op, "target %s belongs to volume %s of pool %s", name, owner.ID, owner.Pool)
	}
	x.names[name] = v
	return nil
}

// forget takes the entry of a volume, if there is one, and its target name off
// the lists.
func (x *Exports) forget(name string, v VolumeRef) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.list, v)
	delete(x.names, name)
}

// access passes the initiators and credentials of r to its running target.
func (x *Exports) access(op string, r *record) error {
	err := x.cfg.Targets.SetAccess(r.Target, r.Initiators, r.chap())
	return blockdev.Wrap(blockdev.KindOf(err), op, err)
}
