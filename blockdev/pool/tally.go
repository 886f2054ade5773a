package pool

// tally is the sums of the layers' figures, so that nobody has to add them up. What a
// figure of a layer depends on changes between two calls of tree.count.
type tally struct {
	allocated, metadata int64
	shared              int64 // of allocated, what belongs to more than one volume
	reclaimable         int64 // of allocated, the layers in due
}

// count takes a layer's figures out of the sums (-1), or puts them in (1).
func (t *tree) count(n *node, sign int64) {
	t.tally.allocated += sign * n.size
	t.tally.metadata += sign * n.meta
	if n.shared {
		t.tally.shared += sign * n.size
	}
	if _, due := t.due[n.id]; due {
		t.tally.reclaimable += sign * n.size
	}
}

// sized notes what was measured of a layer. It is sure until something changes the
// layer's files.
func (t *tree) sized(n *node, size, meta int64, sure bool) {
	if n.gone {
		return
	}
	t.count(n, -1)
	n.size, n.meta, n.measured = size, meta, true
	t.count(n, 1)
	if sure {
		delete(t.unsure, n)
	}
}

// changed says that a layer has to be measured again; LayerPool.mu is held.
func (t *tree) changed(n *node) {
	n.changes++
	n.measured = false
	t.suspect(n)
}

// suspect says that something may change a layer's files from now on; LayerPool.mu is
// held. tree.unsure keeps it as long as that is so.
func (t *tree) suspect(n *node) {
	if !n.gone {
		t.unsure[n] = struct{}{}
	}
}

// hold says that one more chain or copy uses a layer; LayerPool.mu is held.
func (t *tree) hold(n *node) {
	n.users++
	t.suspect(n)
}

// forget takes a layer that is not in the tree any more out of the books.
func (t *tree) forget(n *node) {
	t.count(n, -1)
	n.gone = true
	delete(t.nodes, n.id)
	delete(t.due, n.id)
	delete(t.bare, n.id)
	delete(t.unsure, n)
	delete(t.hurt, n)
}

// noteShared brings up to date whether layer id, and those under it, belong to more
// than one volume, after a change around it.
func (t *tree) noteShared(id string) {
	for n := t.nodes[id]; n != nil; n = t.nodes[n.rec.Parent] {
		shared := t.isShared(n)
		if shared == n.shared {
			return
		}
		t.count(n, -1)
		n.shared = shared
		t.count(n, 1)
	}
}

// isShared says whether a layer does not belong to one volume alone. What is known of
// the layer on it counts.
func (t *tree) isShared(n *node) bool {
	for child := range n.children {
		return len(n.children) > 1 || t.nodes[child].shared
	}
	return n.top == ""
}

// damage changes what is known to be damaged of a layer.
func (p *LayerPool) damage(n *node, change func(*damages)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.damageLocked(n, change)
}

func (p *LayerPool) damageLocked(n *node, change func(*damages)) {
	change(&n.damage)
	delete(p.tree.hurt, n)
	if !n.gone && n.damage.any() {
		p.tree.hurt[n] = struct{}{}
	}
}

// inherit notes in a layer the damage of another, whose content was copied into it.
func (p *LayerPool) inherit(n, from *node) {
	p.damage(n, func(d *damages) { d.inherit(&from.damage) })
}

// unsureLocked lists the layers whose size may not be what was measured: of those that
// were measured and are in use since, some, others each time.
func (p *LayerPool) unsureLocked(some int) (out []*node) {
	for n := range p.tree.unsure {
		if n.measured {
			if some--; some < 0 {
				continue
			}
		}
		out = append(out, n)
	}
	return out
}

// measureAll measures the layers of a pool that was just opened, so that nobody has to
// wait for it.
func (p *LayerPool) measureAll() {
	s := survey{pool: p}
	err := s.run(func() []*node {
		if p.closed {
			return nil
		}
		return p.unsureLocked(0)
	})
	if err != nil {
		p.log.Debug("a layer could not be measured", "pool", p.name, "err", err)
	}
}
