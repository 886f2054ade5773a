package pool

import (
	"context"
	"slices"
	"strings"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
)

// How changes keep out of each other's way. No lock that is the whole pool's is held
// while somebody waits for the disk of one volume:
//
//   - Who changes what a volume stands on, or its record, claims the volume first, and
//     may keep it waiting, and be waited for, as long as its disk takes. Others are not
//     concerned.
//   - LayerPool.structure is held from the moment a change is planned until the store
//     has it and the tree, too. Files are made and synced before, or afterwards.
//   - Then the volumes that are in use are put on what the tree has for them: their
//     writers are stopped, and LayerPool.mu is taken, for moments.
//
// The order is: claims, by the volumes' ids; structure; mu. Who has stopped writers
// takes only mu.

// claim has volumes for the caller alone, as far as changes of them go, until release.
// They can be read and written meanwhile.
func (p *LayerPool) claim(ctx context.Context, op string, ids ...VolumeID) (release func(), err error) {
	end, err := p.begin(ctx, op)
	if err != nil {
		return nil, err
	}
	var held []*volume
	release = func() {
		for _, v := range held {
			<-v.turn
		}
		end()
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		v, err := p.claimOne(ctx, op, id)
		if err != nil {
			release()
			return nil, err
		}
		held = append(held, v)
	}
	return release, nil
}

func (p *LayerPool) claimOne(ctx context.Context, op string, id VolumeID) (*volume, error) {
	v, err := p.volume(op, id)
	if err != nil {
		return nil, err
	}
	select {
	case v.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, kinded(op, ctx.Err())
	case <-p.ctx.Done():
		return nil, blockdev.Wrap(blockdev.KindClosed, op, errClosed)
	}
	if now, err := p.volume(op, id); err != nil || now != v {
		<-v.turn
		return nil, notFound(op, id)
	}
	return v, nil
}

// volume finds a volume.
func (p *LayerPool) volume(op string, id VolumeID) (*volume, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v := p.tree.volumes[id]; v != nil {
		return v, nil
	}
	return nil, notFound(op, id)
}

// record is a volume's record as it is now.
func (p *LayerPool) record(v *volume) volumeRecord {
	p.mu.Lock()
	defer p.mu.Unlock()
	return v.rec
}

// quiesce stops the writes to volumes, in the order of their ids, until resume.
func quiesce(all []inUse) (resume func()) {
	slices.SortFunc(all, func(a, b inUse) int { return strings.Compare(string(a.vol.id), string(b.vol.id)) })
	volumes := make([]*layer.Volume, len(all))
	for i, u := range all {
		volumes[i] = u.live
	}
	layer.QuiesceAll(volumes...)
	return func() {
		for _, u := range all {
			u.live.Resume()
		}
	}
}

// turnOver puts claimed volumes on what the tree has for them now, all of which is
// open, at one instant. before is called for each then, if it is set. It
// ends a Hydrate of what a volume stood on if its content was replaced. Nothing here
// touches a disk. A volume that is not in use any more, or is about to be closed with the
// pool, as what it is to stand on was, needs none of it; ok is false then.
func (p *LayerPool) turnOver(all []inUse, before func(inUse)) (ok bool) {
	defer quiesce(all)()
	p.mu.Lock()
	defer p.mu.Unlock()
	ok = true
	for _, u := range all {
		v, nodes := u.vol, p.tree.chain(u.vol)
		if v.live != u.live || !allOpen(nodes) {
			ok = false
			continue
		}
		if before != nil {
			before(u)
		}
		if v.filling != nil && v.filling.node.gone {
			v.filling.cancel()
		}
		p.exchangeLocked(v, nodes, newChain(nodes))
	}
	return ok
}

func allOpen(nodes []*node) bool {
	return !slices.ContainsFunc(nodes, func(n *node) bool { return n.live == nil })
}

// rechain puts volumes that are in use on what lies under their tops now. What they
// show does not change, and they stand on nothing that they did not stand on before.
func (p *LayerPool) rechain(volumes []*volume) {
	for _, v := range volumes {
		p.mu.Lock()
		live := v.live
		p.mu.Unlock()
		if live == nil {
			continue
		}
		if chain := live.Chain(); chain.Sinking() { // flushes must go on to cover what was written below
			p.unsink(inUse{v, live}, chain)
		} else {
			p.restack(inUse{v, live}, chain)
		}
	}
}

// restack is rechain of one volume, if chain is what it has.
func (p *LayerPool) restack(u inUse, chain *layer.Chain) {
	u.live.Quiesce()
	defer u.live.Resume()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.followsLocked(u, chain) {
		nodes := p.tree.under(u.vol.held[0])
		p.exchangeLocked(u.vol, nodes, newChain(nodes))
	}
}

// followsLocked says whether a volume is still in use by chain, and nobody is about to
// give it another top: who does puts it on what the tree has.
func (p *LayerPool) followsLocked(u inUse, chain *layer.Chain) bool {
	v := u.vol
	return v.live == u.live && v.live.Chain() == chain && !v.lifting && !v.held[0].gone
}

// exchangeLocked puts a volume that is quiesced on a chain of nodes, all of which are
// open.
func (p *LayerPool) exchangeLocked(v *volume, nodes []*node, chain *layer.Chain) {
	for _, n := range nodes {
		p.tree.hold(n)
	}
	p.retireLocked(v.live.Swap(chain), v.held)
	v.held = nodes
}

// pin keeps layers from being merged, summed or taken for frozen in any other way until
// unpin.
func (p *LayerPool) pin(nodes []*node) (unpin func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pinLocked(nodes, 1)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.pinLocked(nodes, -1)
		p.ringLocked()
	}
}

func (p *LayerPool) pinLocked(nodes []*node, by int) {
	for _, n := range nodes {
		n.pins += by
		p.tree.suspect(n)
		p.tree.note(n.id)
		p.tree.noteBare(n.id)
	}
}
