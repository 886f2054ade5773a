package replication

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"twinlun/blockdev"
	"twinlun/replication/mirror"
	"twinlun/replication/pairstate"
)

// live is what runs for a relationship: the hook on its target, and its copy or
// mirror. It is empty after a restart.
type live struct {
	mu     sync.Mutex
	hooked hookKind
	unhook func() // takes the hook off the target; nil: there is none
	task   *task  // the copy or mirror that runs; nil: none
	repace func() // tells what runs that the priority has changed; nil: nobody wants to know
}

// hookKind is what stands in the write path of a target.
type hookKind uint8

const (
	noHook     hookKind = iota
	guardHook           // hosts may not write
	notifyHook          // the first write of a host makes the target Skewed
)

// hookFor is the hook that a relationship's target needs now.
func hookFor(r pairRecord) hookKind {
	switch {
	case r.Type == pairstate.Mirror, r.Settings.TargetReadOnly:
		return guardHook
	case r.State.Copy == pairstate.Inactive, r.State.Copy == pairstate.Initialized:
		return guardHook // what a host wrote now, the copy would overwrite
	case r.Type == pairstate.Snapshot && r.State.Progress == pairstate.Resyncing:
		return notifyHook // it is not known yet what it is
	case r.State.Copy == pairstate.Skewed, r.State.Copy == pairstate.Restored:
		return noHook
	}
	return notifyHook
}

// hookTarget puts the hook on the target that its state asks for, before it
// takes the old one off. It waits for writes to the target to end.
func (s *Service) hookTarget(ctx context.Context, p *pair, r pairRecord) error {
	p.live.mu.Lock()
	defer p.live.mu.Unlock()
	kind := hookFor(r)
	if kind == p.live.hooked {
		return nil
	}
	detach, err := s.attachHook(ctx, p, r, kind)
	if err != nil {
		return fmt.Errorf("guard volume %s: %w", r.Target.ID, err)
	}
	if p.live.unhook != nil {
		p.live.unhook()
	}
	p.live.hooked, p.live.unhook = kind, detach
	return nil
}

func (s *Service) attachHook(ctx context.Context, p *pair, r pairRecord, kind hookKind) (func(), error) {
	var h blockdev.Hook
	switch kind {
	case noHook:
		return nil, nil
	case guardHook:
		h = mirror.Guard{Reason: fmt.Sprintf("target of %v %s", r.Type, r.Name)}
	case notifyHook:
		h = mirror.NewWriteNotify(func(ctx context.Context) { s.written(ctx, p) })
	}
	in := s.pools[r.Target.Pool]
	if in == nil {
		return nil, fmt.Errorf("there is no pool %q", r.Target.Pool)
	}
	return in.Attach(ctx, r.Target.ID, h)
}

// written notes that a host writes to a target, before the write happens. A
// relationship that is not in the book yet is told when it is.
func (s *Service) written(ctx context.Context, p *pair) {
	p.early.Store(true)
	if s.book.pair(p.id) != p {
		return
	}
	note := func(r *pairRecord) { r.Written = true }
	_, err := s.step(ctx, change{ids: []string{p.id}, event: pairstate.TargetWritten, edit: note})
	if _, refused := errors.AsType[*pairstate.Error](err); refused {
		err = s.amend(ctx, p, note) // the state says something else; the fact stays
	}
	if err != nil {
		s.log.Error("a write to a target was not noted", "relationship", p.id, "err", err)
	}
}

// spend has the next hookTarget replace a hook that tells of the first write only.
func (l *live) spend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hooked == notifyHook {
		l.hooked = noHook
	}
}

// unhookTarget takes the hook off the target.
func (p *pair) unhookTarget() {
	p.live.mu.Lock()
	defer p.live.mu.Unlock()
	if p.live.unhook != nil {
		p.live.unhook()
	}
	p.live.hooked, p.live.unhook = noHook, nil
}

// guarded says whether hosts are kept from writing to the target.
func (p *pair) guarded() bool {
	p.live.mu.Lock()
	defer p.live.mu.Unlock()
	return p.live.hooked == guardHook
}

// idle says whether no copy or mirror runs.
func (p *pair) idle() bool {
	p.live.mu.Lock()
	defer p.live.mu.Unlock()
	return p.live.task == nil
}

// task is one goroutine that works for a relationship.
type task struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// run starts work for the pair in a goroutine that Close and halt wait for. It
// does nothing if something runs already or the Service is closing.
func (s *Service) run(p *pair, work func(context.Context)) {
	p.live.mu.Lock()
	defer p.live.mu.Unlock()
	if p.live.task != nil || s.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	t := &task{cancel: cancel, done: make(chan struct{})}
	p.live.task = t
	s.wg.Go(func() {
		defer close(t.done)
		defer p.live.drop(t)
		work(ctx)
	})
}

// drop forgets a task that ends.
func (l *live) drop(t *task) {
	t.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.task == t {
		l.task = nil
	}
}

// onRepace sets who is told when the priority changes; f must not use l.
func (l *live) onRepace(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.repace = f
}

// repaced tells it, one change after the other, so that the last one holds.
func (l *live) repaced() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.repace != nil {
		l.repace()
	}
}

// halt ends what runs for the pair and waits for its end. It must not be called
// by the task itself, nor with a step lock held.
func (p *pair) halt() {
	p.live.mu.Lock()
	t := p.live.task
	p.live.mu.Unlock()
	if t != nil {
		t.cancel()
		<-t.done
	}
}

// slot waits for its turn to copy; give it back with release. False: ctx ended.
func (s *Service) slot(ctx context.Context) bool {
	select {
	case s.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Service) releaseSlot() { <-s.slots }

// Copy priorities of CIM_ReplicationSettingData that have a rate.
const (
	priorityLow  = 1
	prioritySame = 2
	priorityHigh = 3
)

// rate is how fast a background copy of a priority may be, in bytes a second; 0
// is no limit.
func (c Config) rate(priority uint16) int64 {
	switch priority {
	case priorityLow:
		return c.CopyRate / 2
	case prioritySame:
		return c.CopyRate
	case priorityHigh:
		return 2 * c.CopyRate
	}
	return 0
}
