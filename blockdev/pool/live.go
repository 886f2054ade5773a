package pool

import (
	"context"
	"errors"
	"slices"
	"sync"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
)

func notFound(op string, id VolumeID) error {
	return blockdev.Errorf(blockdev.KindNotFound, op, "there is no volume %s", id)
}

var errClosed = errors.New("the pool is closed")

// lockStructure begins a change of the tree; nil means that structure is held.
func (p *LayerPool) lockStructure(ctx context.Context, op string) error {
	p.structure.Lock()
	err := kinded(op, ctx.Err())
	if p.closed {
		err = blockdev.Wrap(blockdev.KindClosed, op, errClosed)
	}
	if err != nil {
		p.structure.Unlock()
	}
	return err
}

// begin says that something that may touch files goes on until end: Close waits for it.
func (p *LayerPool) begin(ctx context.Context, op string) (end func(), err error) {
	if err := p.lockTree(ctx, op); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	p.tasks.Add(1)
	return p.tasks.Done, nil
}

// inUse is a volume that somebody has acquired.
type inUse struct {
	vol  *volume
	live *layer.Volume
}

// acquire opens a volume, or finds it open. It stays open until as many releases.
// handles is how many handles and hooks the caller makes of it.
func (p *LayerPool) acquire(ctx context.Context, op string, id VolumeID, handles int) (inUse, error) {
	return p.acquireAs(ctx, op, id, func(v *volume) { v.handles += handles })
}

// acquireAs is acquire with what the caller notes, with mu held, in the volume.
func (p *LayerPool) acquireAs(ctx context.Context, op string, id VolumeID, note func(*volume)) (inUse, error) {
	for {
		u, bar, err := p.find(ctx, op, id, note)
		switch {
		case err != nil || u.live != nil:
			return u, err
		case bar != nil:
			err = kinded(op, await(ctx, bar))
		default:
			err = p.openVolume(ctx, op, u.vol)
		}
		if err != nil {
			return inUse{}, err
		}
	}
}

// find gives a volume that is open; live is nil: it is not. While there is a bar,
// nobody may open it.
func (p *LayerPool) find(ctx context.Context, op string, id VolumeID, note func(*volume)) (inUse, <-chan struct{}, error) {
	if err := p.lockTree(ctx, op); err != nil {
		return inUse{}, nil, err
	}
	defer p.mu.Unlock()
	v := p.tree.volumes[id]
	switch {
	case v == nil:
		return inUse{}, nil, notFound(op, id)
	case v.bar != nil:
		return inUse{vol: v}, v.bar, nil
	case v.live == nil:
		return inUse{vol: v}, nil, nil
	}
	note(v)
	return v.useLocked(), nil, nil
}

func (v *volume) useLocked() inUse {
	v.users++
	v.opens++
	return inUse{v, v.live}
}

// openVolume puts a volume in use, unless somebody else does or it changes meanwhile:
// the caller looks again. No lock is held while files are opened.
func (p *LayerPool) openVolume(ctx context.Context, op string, v *volume) error {
	end, err := p.begin(ctx, op)
	if err != nil {
		return err
	}
	defer end()
	p.mu.Lock()
	nodes := p.holdChainLocked(v)
	p.mu.Unlock()
	done, err := false, p.openLayers(nodes)
	if err != nil {
		err = blockdev.Wrap(blockdev.KindOf(err), "open volume "+string(v.id), err)
	} else {
		done, err = p.putInUse(ctx, op, v, nodes)
	}
	if done {
		return nil
	}
	p.drop(nodes)
	if p.moved(v, nodes) {
		return nil
	}
	return err
}

// holdChainLocked holds what v stands on; nothing if there is no v any more.
func (p *LayerPool) holdChainLocked(v *volume) []*node {
	if p.tree.volumes[v.id] != v {
		return nil
	}
	nodes := p.tree.chain(v)
	for _, n := range nodes {
		p.tree.hold(n)
	}
	return nodes
}

// moved says whether v does not stand on nodes any more.
func (p *LayerPool) moved(v *volume, nodes []*node) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tree.volumes[v.id] != v || !slices.Equal(p.tree.chain(v), nodes)
}

// putInUse opens v on nodes, all of which are open, if that is what v stands on.
func (p *LayerPool) putInUse(ctx context.Context, op string, v *volume, nodes []*node) (done bool, err error) {
	if err := p.lockStructure(ctx, op); err != nil {
		return false, err
	}
	defer p.structure.Unlock()
	if p.moved(v, nodes) {
		return false, nil
	}
	if err := p.makeSure(ctx); err != nil { // the next start might not know the volume, or its top
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.live != nil || v.bar != nil {
		return false, nil
	}
	v.live, v.held = layer.NewVolume(newChain(nodes), v.rec.Size), nodes
	v.live.SetHooks(v.hooksLocked())
	if p.zeros {
		v.live.DetectZeros()
	}
	return true, nil
}

// newChain is the chain of nodes that are held, the top first.
func newChain(nodes []*node) *layer.Chain {
	return layer.NewChain(nodes[0].live, viewOf(nodes[1:]))
}

// viewOf is what shows through nodes that are held, down to the ground.
func viewOf(nodes []*node) *layer.View {
	below := make([]*layer.Layer, len(nodes))
	for i, n := range nodes {
		below[i] = n.live
	}
	return layer.NewView(below, true)
}

// openLayers opens those of nodes, which are held, that are not open.
func (p *LayerPool) openLayers(nodes []*node) error {
	for _, n := range nodes {
		if err := p.openLayer(n); err != nil {
			return err
		}
	}
	return nil
}

// openLayer opens a layer that is held, if it is not open. Two who do this at once get
// the same.
func (p *LayerPool) openLayer(n *node) error {
	n.opening.Lock()
	defer n.opening.Unlock()
	p.mu.Lock()
	rec, open := n.rec, n.live != nil
	p.mu.Unlock()
	if open {
		return nil
	}
	l, err := layer.Open(p.fs, rec.ID, rec.Size, rec.Parent == "")
	if err != nil {
		return err
	}
	l.SetBudget(p.budget)
	p.mu.Lock()
	if n.failed != nil { // what its files show now is not what a power cut leaves
		l.Fail(n.failed)
	}
	n.live = l
	frozen := n.top == ""
	p.mu.Unlock()
	if !frozen {
		return nil
	}
	if err := p.checkReads(n, l, rec.Parent == ""); err != nil { // what is damaged can be made anew
		p.log.Warn("reads of a layer are not verified", "pool", p.name, "layer", rec.ID, "err", err)
	}
	return nil
}

// drop ends that nodes are held. Those that nobody holds any more are closed.
func (p *LayerPool) drop(nodes []*node) {
	p.mu.Lock()
	var idle []*layer.Layer
	for _, n := range nodes {
		p.tree.changed(n) // it may have been written to
		if n.users--; n.users == 0 && n.live != nil {
			idle = append(idle, n.live)
			if n.failed == nil {
				n.failed = n.live.Failed()
			}
			n.live = nil
		}
	}
	p.mu.Unlock()
	for _, l := range idle {
		if err := l.Close(); err != nil {
			p.log.Warn("layer could not be closed", "pool", p.name, "layer", l.ID(), "err", err)
		}
	}
}

// retireLocked drops what a chain held when the last read has left it.
func (p *LayerPool) retireLocked(chain *layer.Chain, held []*node) {
	gone := chain.Retire()
	p.draining[gone] = struct{}{}
	p.tasks.Go(func() {
		<-gone
		p.drop(held)
		p.drained(gone)
	})
}

// drained takes what awaitDrained waits for off the books.
func (p *LayerPool) drained(gone <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.draining, gone)
	p.ringLocked()
}

// delayMerges keeps merges that have not begun yet waiting until done, so that volumes
// may stand for a moment on what the tree does not have under them any more.
func (p *LayerPool) delayMerges() (done func()) {
	ended := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draining[ended] = struct{}{}
	return func() {
		close(ended)
		p.drained(ended)
	}
}

// shutLocked closes a volume that nobody has handles of. Who released it at the same
// time may still be about to flush, and must learn that there is no need to.
func (p *LayerPool) shutLocked(v *volume) {
	v.live.Shut()
	p.retireLocked(v.live.Chain(), v.held)
	v.live, v.held = nil, nil
}

// release ends what acquire began. The last one makes the volume durable and
// closes its files; a volume that failed stays open, so that it is not forgotten
// that it did.
func (p *LayerPool) release(v *volume, handles int) {
	p.releaseAs(v, func(v *volume) { v.handles -= handles })
}

// releaseAs ends what acquireAs began.
func (p *LayerPool) releaseAs(v *volume, note func(*volume)) {
	p.mu.Lock()
	note(v)
	v.users--
	live, opens := v.live, v.opens
	idle := v.users == 0 && live != nil && !p.closed
	p.mu.Unlock()
	if !idle || live.Flush(context.Background()) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.live == live && v.users == 0 && v.opens == opens && !p.closed { // else the last of the others does it
		p.shutLocked(v)
	}
}

// Open gives a handle whose changes pass the volume's hooks.
func (p *LayerPool) Open(ctx context.Context, id VolumeID) (blockdev.Device, error) {
	return p.handle(ctx, id, false)
}

// OpenRaw gives a handle whose changes go past the hooks.
func (p *LayerPool) OpenRaw(ctx context.Context, id VolumeID) (blockdev.Device, error) {
	return p.handle(ctx, id, true)
}

func (p *LayerPool) handle(ctx context.Context, id VolumeID, raw bool) (blockdev.Device, error) {
	u, err := p.acquire(ctx, "open volume", id, 1)
	if err != nil {
		return nil, err
	}
	return u.live.NewHandle(raw, func() error {
		p.release(u.vol, 1)
		return nil
	}), nil
}

// Attach puts h in the path of the volume's changes. It opens no files: a hook on a
// volume that nobody uses costs its memory only.
func (p *LayerPool) Attach(ctx context.Context, id VolumeID, h blockdev.Hook) (detach func(), err error) {
	v, hooks, err := p.hook(ctx, "attach hook", id)
	if err != nil {
		return nil, err
	}
	out, err := hooks.Attach(ctx, h)
	if err != nil {
		p.unhook(v)
		return nil, kinded("attach hook", err)
	}
	return sync.OnceFunc(func() {
		out()
		p.unhook(v)
	}), nil
}

// hook counts a hook of a volume until unhook.
func (p *LayerPool) hook(ctx context.Context, op string, id VolumeID) (*volume, *layer.Hooks, error) {
	for {
		v, hooks, bar, err := p.tryHook(ctx, op, id)
		if bar == nil {
			return v, hooks, err
		}
		if err := await(ctx, bar); err != nil {
			return nil, nil, kinded(op, err)
		}
	}
}

// tryHook is hook, unless there is a bar.
func (p *LayerPool) tryHook(ctx context.Context, op string, id VolumeID) (*volume, *layer.Hooks, <-chan struct{}, error) {
	if err := p.lockTree(ctx, op); err != nil {
		return nil, nil, nil, err
	}
	defer p.mu.Unlock()
	v := p.tree.volumes[id]
	switch {
	case v == nil:
		return nil, nil, nil, notFound(op, id)
	case v.bar != nil:
		return nil, nil, v.bar, nil
	}
	v.handles++
	v.hooked++
	return v, v.hooksLocked(), nil, nil
}

func (p *LayerPool) unhook(v *volume) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v.handles--
	v.hooked--
}

// hooksLocked are the volume's hooks, also while it is not open.
func (v *volume) hooksLocked() *layer.Hooks {
	if v.hooks == nil {
		v.hooks = layer.NewHooks()
	}
	return v.hooks
}
