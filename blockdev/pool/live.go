package pool

import (
	"context"
	"errors"
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

// acquire opens a volume, or finds it open. It stays open until as many releases.
// handles is how many handles and hooks the caller makes of it.
func (p *LayerPool) acquire(ctx context.Context, op string, id VolumeID, handles int) (*volume, *layer.Volume, error) {
	p.mu.Lock()
	v := p.tree.volumes[id]
	if v != nil && v.live != nil && !p.closed {
		defer p.mu.Unlock()
		return v, p.useLocked(v, handles), nil
	}
	p.mu.Unlock()
	if err := p.lockStructure(ctx, op); err != nil {
		return nil, nil, err
	}
	defer p.structure.Unlock()
	if v = p.tree.volumes[id]; v == nil {
		return nil, nil, notFound(op, id)
	}
	if v.live == nil {
		if err := p.makeSure(ctx); err != nil { // the next start might not know the volume, or its top
			return nil, nil, err
		}
	}
	if err := p.openVolume(v); err != nil {
		return nil, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return v, p.useLocked(v, handles), nil
}

func (p *LayerPool) useLocked(v *volume, handles int) *layer.Volume {
	v.users++
	v.opens++
	v.handles += handles
	return v.live
}

// openVolume puts a volume in use, with structure held.
func (p *LayerPool) openVolume(v *volume) error {
	if v.live != nil {
		return nil
	}
	nodes := p.tree.chain(v)
	if err := p.hold(nodes); err != nil {
		return blockdev.Wrap(blockdev.KindOf(err), "open volume "+string(v.rec.ID), err)
	}
	chain := newChain(nodes)
	p.mu.Lock()
	defer p.mu.Unlock()
	v.live, v.held = layer.NewVolume(chain, v.rec.Size), nodes
	v.live.SetHooks(v.hooksLocked())
	if p.zeros {
		v.live.DetectZeros()
	}
	return nil
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

// hold opens layers and keeps them open until drop. structure is held, so no two
// do this at once.
func (p *LayerPool) hold(nodes []*node) error {
	for i, n := range nodes {
		p.mu.Lock()
		l := n.live
		n.users++
		p.mu.Unlock()
		if l != nil {
			continue
		}
		l, err := layer.Open(p.fs, n.rec.ID, n.rec.Size, n.rec.Parent == "")
		if err != nil {
			p.drop(nodes[:i+1])
			return err
		}
		l.SetBudget(p.budget)
		p.mu.Lock()
		n.live = l
		p.mu.Unlock()
		if n.top == "" {
			if err := p.checkReads(n, l, n.rec.Parent == ""); err != nil { // what is damaged can be made anew
				p.log.Warn("reads of a layer are not verified", "pool", p.name, "layer", n.rec.ID, "err", err)
			}
		}
	}
	return nil
}

// drop ends what hold began.
func (p *LayerPool) drop(nodes []*node) {
	p.mu.Lock()
	var idle []*layer.Layer
	for _, n := range nodes {
		n.measured = false // it may have been written to
		if n.users--; n.users == 0 && n.live != nil {
			idle = append(idle, n.live)
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
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.draining, gone)
		p.ringLocked()
	})
}

// shutLocked closes a volume that nobody uses. Who released it at the same time may
// still be about to flush, and must learn that there is no need to.
func (p *LayerPool) shutLocked(v *volume) {
	v.live.Close()
	p.retireLocked(v.live.Chain(), v.held)
	v.live, v.held = nil, nil
}

// release ends what acquire began. The last one makes the volume durable and
// closes its files; a volume that failed stays open, so that it is not forgotten
// that it did.
func (p *LayerPool) release(v *volume, handles int) {
	p.mu.Lock()
	v.handles -= handles
	v.users--
	idle := v.users == 0 && v.live != nil && !p.closed
	live := v.live
	p.mu.Unlock()
	if !idle {
		return
	}
	if err := live.Flush(context.Background()); err == nil || blockdev.Is(err, blockdev.KindClosed) {
		p.closeIdle(v)
	}
}

// closeIdle closes a volume that nobody uses. It flushes again, with nobody able to
// come and go unseen, because what is written to a volume must be in its files when
// it is opened the next time.
func (p *LayerPool) closeIdle(v *volume) {
	p.structure.Lock()
	defer p.structure.Unlock()
	p.mu.Lock()
	live, opens, idle := v.live, v.opens, v.users == 0 && v.live != nil
	p.mu.Unlock()
	if !idle || live.Flush(context.Background()) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.users == 0 && v.opens == opens {
		p.shutLocked(v)
	}
}

// rechain gives volumes that are in use the chain that the tree has for them now.
// What they show does not change, and they stand on nothing that they did not
// stand on before. structure is held.
func (p *LayerPool) rechain(volumes []*volume) {
	for _, v := range volumes {
		if v.live == nil {
			continue
		}
		if chain := v.live.Chain(); chain.Sinking() { // flushes must go on to cover what was written below
			p.unsink(v, chain)
		} else {
			v.live.Quiesce()
			p.exchange(v, p.tree.chain(v))
			v.live.Resume()
		}
	}
}

// exchange puts a volume that is quiesced on nodes, all of which are open.
func (p *LayerPool) exchange(v *volume, nodes []*node) { p.exchangeFor(v, nodes, newChain(nodes)) }

// exchangeFor puts it on a chain of nodes.
func (p *LayerPool) exchangeFor(v *volume, nodes []*node, chain *layer.Chain) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range nodes {
		n.users++
	}
	p.retireLocked(v.live.Swap(chain), v.held)
	v.held = nodes
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
	v, live, err := p.acquire(ctx, "open volume", id, 1)
	if err != nil {
		return nil, err
	}
	return live.NewHandle(raw, func() error {
		p.release(v, 1)
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
	if err := p.lockStructure(ctx, op); err != nil {
		return nil, nil, err
	}
	defer p.structure.Unlock()
	v := p.tree.volumes[id]
	if v == nil {
		return nil, nil, notFound(op, id)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	v.handles++
	v.hooked++
	return v, v.hooksLocked(), nil
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
