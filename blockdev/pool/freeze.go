package pool

import (
	"context"
	"slices"
	"strings"

	"twinlun/blockdev/layer"
)

// How a snapshot is taken without letting the writers wait for the disk:
//
//  1. A transaction gives each source a new top over its present one. Writes still
//     go to the old one; after a power cut here each source has a top more than it
//     needs, which is empty, and the merger takes it away.
//  2. The instant: the writes of all sources are stopped, the new tops are put in
//     use, the writes go on. Nothing here touches a disk. From now on a flush, or a
//     durable write, of a source first makes the old top durable (see
//     layer.Chain.Freeze), and nothing has to be stored for it: the store has known
//     the new top since 1.
//  3. The old tops, which nobody writes to any more, are made durable.
//  4. A transaction makes the targets over the old tops.
//
// If 1 fails nothing has changed. If 3 or 4 fail there is no snapshot, every source
// goes on with its new top, and the old one merges with it. A sync that fails in 3
// is final for its source, as it is in any flush.

// freeze takes the snapshot that prepare planned.
func (s *snapshot) freeze(ctx context.Context) error {
	if err := s.pool.commit(ctx, s.turn, s.fresh.ids()...); err != nil {
		s.fresh.close()
		return err
	}
	s.turnOver()
	ctx = context.WithoutCancel(ctx) // the rest does not take long
	if err := s.flush(ctx, (*layer.Volume).Settle); err != nil {
		s.discard()
		return err
	}
	return s.makeTargets(ctx)
}

// turnOver is the instant.
func (s *snapshot) turnOver() {
	var all []*volume
	for _, src := range s.sources {
		all = append(all, src.vol)
	}
	defer quiesce(all)()
	for _, v := range all {
		v.live.Chain().Freeze()
		s.pool.adopt(v, s.fresh)
		s.pool.restack(v)
	}
}

// makeTargets stores the targets. Those that are in use take no writes until their
// new content is theirs in the store and in memory.
func (s *snapshot) makeTargets(ctx context.Context) error {
	var used []*volume
	for _, r := range s.targets {
		if v := s.pool.tree.volumes[r.ID]; v != nil && v.live != nil {
			used = append(used, v)
		}
	}
	defer quiesce(used)()
	defer s.fresh.close()
	if err := s.pool.commit(ctx, s.plan, s.fresh.ids()...); err != nil {
		return err
	}
	for _, v := range used {
		v.live.Replace()
		s.pool.adopt(v, s.fresh)
		s.pool.restack(v)
	}
	return nil
}

// quiesce stops the writes to volumes that are in use, in the order of their ids,
// until resume.
func quiesce(all []*volume) (resume func()) {
	slices.SortFunc(all, func(a, b *volume) int { return strings.Compare(string(a.rec.ID), string(b.rec.ID)) })
	for _, v := range all {
		v.live.Quiesce()
	}
	return func() {
		for _, v := range all {
			v.live.Resume()
		}
	}
}

// adopt hands a volume's new top, which is open already, over to the tree.
func (p *LayerPool) adopt(v *volume, fresh *freshLayers) {
	n := p.tree.nodes[v.rec.Top]
	p.mu.Lock()
	defer p.mu.Unlock()
	n.live = fresh.take(n.rec.ID)
}

// restack puts a quiesced volume on the chain that the tree has for it now, and
// ends the Hydrate of what it stood on if its content was replaced.
func (p *LayerPool) restack(v *volume) {
	nodes := p.tree.chain(v)
	p.mu.Lock()
	if v.filling != nil && v.filling.node.gone {
		v.filling.cancel()
	}
	p.mu.Unlock()
	p.exchange(v, nodes)
}
