package pool

import (
	"fmt"
	"slices"
)

// Sinking says whether the top of a volume that is in use goes down.
func (p *LayerPool) Sinking(id VolumeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.tree.volumes[id]
	return v.live != nil && v.live.Chain().Sinking()
}

// Recount compares the figures that the pool keeps up to date with what they are when
// everything is counted.
func (p *LayerPool) Recount() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all tally
	own, hurt := int64(0), int64(0)
	for id, n := range p.tree.nodes {
		all.allocated += n.size
		all.metadata += n.meta
		if _, due := p.tree.due[id]; due {
			all.reclaimable += n.size
		}
		hurt += n.damage.below(n.rec.Size)
		if _, unsure := p.tree.unsure[n]; !unsure && !p.stillLocked(n) {
			return fmt.Errorf("layer %s is taken for one that nothing changes", id)
		}
	}
	for n := range p.tree.unsure {
		if p.tree.nodes[n.id] != n {
			return fmt.Errorf("layer %s is not in the tree any more", n.id)
		}
	}
	for _, v := range p.tree.volumes {
		nodes, _ := p.tree.exclusive(v)
		own += sizeOf(nodes)
	}
	all.shared = all.allocated - own
	if all != p.tree.tally || hurt != p.infoLocked().Damaged {
		return fmt.Errorf("counted %+v and %d damaged, kept up to date %+v and %d", all, hurt, p.tree.tally, p.infoLocked().Damaged)
	}
	return p.recountOrder()
}

// recountOrder does so with the order of the volumes.
func (p *LayerPool) recountOrder() error {
	var names []string
	for _, v := range p.tree.volumes {
		names = append(names, v.rec.Name)
	}
	slices.Sort(names)
	if !slices.EqualFunc(p.tree.sorted(), names, func(at named, name string) bool { return at.name == name && p.tree.volumes[at.id].rec.Name == name }) {
		return fmt.Errorf("the volumes in order are %v, not %v", p.tree.sorted(), names)
	}
	return nil
}

// Released says whether a volume is not in use, and nothing that it stands on is open.
func (p *LayerPool) Released(id VolumeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.tree.volumes[id]
	return v.live == nil && !slices.ContainsFunc(p.tree.under(p.tree.nodes[p.tree.nodes[v.rec.Top].rec.Parent]), func(n *node) bool { return n.live != nil })
}

// CloseOne does to a volume that is in use what Close does to one after the other.
func (p *LayerPool) CloseOne(id VolumeID) error {
	p.mu.Lock()
	u := p.tree.volumes[id].useLocked()
	p.mu.Unlock()
	return p.closeVolume(u)
}
