package layer

import (
	"context"
	"sync"

	"twinlun/blockdev"
)

// hookSet is the hooks that the changes of a handle pass, outermost first. Who is in
// the handle is in its set, and a change keeps the set that it began with.
type hookSet struct {
	hooks []*attached
	of    *Handle
	use   pins
}

// attached gives a hook an identity: the same Hook may be attached twice.
type attached struct{ hook blockdev.Hook }

func newHookSet(of *Handle, hooks []*attached) *hookSet {
	s := &hookSet{hooks: hooks, of: of}
	s.use.init()
	return s
}

func (s *hookSet) contains(a *attached) bool {
	for _, have := range s.hooks {
		if have == a {
			return true
		}
	}
	return false
}

// Hooks are what changes of a volume pass. They outlast its being open: changes pass
// them whenever it is. All methods may be called at the same time.
//
// Each handle has a set of its own, so that nobody waits for what is under way in the
// handle of another, and one count says who is in the set and in the handle.
type Hooks struct {
	mu       sync.Mutex // guards all below
	hooks    []*attached
	handles  map[*Handle]struct{}
	draining map[*hookSet]struct{} // replaced, but changes are still in them
}

// NewHooks are none.
func NewHooks() *Hooks {
	return &Hooks{handles: map[*Handle]struct{}{}, draining: map[*hookSet]struct{}{}}
}

// Attach puts h in the path of changes through handles with hooks, before those
// attached earlier, and returns when every change that does not pass h has ended.
// If ctx ends first, it fails with ctx's error and h is out again. detach returns when
// no change is in h.
func (p *Hooks) Attach(ctx context.Context, h blockdev.Hook) (detach func(), err error) {
	a, err := p.attach(ctx, h)
	if err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() { p.detach(a) }), nil
}

// open gives a new handle its first set. Raw handles pass no hook.
func (p *Hooks) open(h *Handle) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.raw {
		h.now.Store(newHookSet(h, nil))
		return
	}
	h.now.Store(newHookSet(h, p.hooks))
	p.handles[h] = struct{}{}
}

// close lets nobody into the handle any more, and waits until all have left.
func (p *Hooks) close(h *Handle) {
	p.mu.Lock()
	delete(p.handles, h)
	p.endLocked(h.now.Load())
	p.mu.Unlock()
	_ = p.drain(context.Background(), func(s *hookSet) bool { return s.of == h }) // ends with nil only
}

// apply takes c through the hooks from the i-th on and lastly to do.
func (s *hookSet) apply(ctx context.Context, i int, c blockdev.Change, do func() error) error {
	if i == len(s.hooks) {
		return do()
	}
	return s.hooks[i].hook.Apply(ctx, c, func() error { return s.apply(ctx, i+1, c, do) })
}

// attach puts h before the others and waits until every change that does not pass
// it has ended. If ctx ends first, h is out again, but may still be in use by
// changes that came meanwhile.
func (p *Hooks) attach(ctx context.Context, h blockdev.Hook) (*attached, error) {
	a := &attached{hook: h}
	p.replace(func(old []*attached) []*attached { return append([]*attached{a}, old...) })
	if err := p.drain(ctx, func(s *hookSet) bool { return !s.contains(a) }); err != nil {
		p.remove(a)
		return nil, err
	}
	return a, nil
}

// detach takes a out and waits until no change is in it.
func (p *Hooks) detach(a *attached) {
	p.remove(a)
	_ = p.drain(context.Background(), func(s *hookSet) bool { return s.contains(a) }) // ends with nil only
}

func (p *Hooks) remove(a *attached) {
	p.replace(func(old []*attached) []*attached {
		var kept []*attached
		for _, have := range old {
			if have != a {
				kept = append(kept, have)
			}
		}
		return kept
	})
}

// replace makes new sets of hooks.
func (p *Hooks) replace(change func([]*attached) []*attached) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hooks = change(p.hooks)
	for h := range p.handles {
		p.endLocked(h.now.Swap(newHookSet(h, p.hooks)))
	}
}

// endLocked lets nobody into a set any more.
func (p *Hooks) endLocked(s *hookSet) {
	p.draining[s] = struct{}{}
	s.use.retire()
}

// drain waits for the replaced sets that match.
func (p *Hooks) drain(ctx context.Context, match func(*hookSet) bool) error {
	defer p.matching(match) // so that those that are gone do not keep their handles
	for _, s := range p.matching(match) {
		select {
		case <-s.use.gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// matching also forgets the sets that nobody is in any more.
func (p *Hooks) matching(match func(*hookSet) bool) []*hookSet {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*hookSet
	for s := range p.draining {
		select {
		case <-s.use.gone:
			delete(p.draining, s)
		default:
			if match(s) {
				out = append(out, s)
			}
		}
	}
	return out
}
