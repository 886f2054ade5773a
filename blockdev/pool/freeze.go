package pool

import (
	"context"

	"twinlun/blockdev"
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
//  4. A transaction makes the targets over the old tops. Targets that were there
//     before, and are in use, get their new content after it, as in 2.
//
// If 1 fails nothing has changed. If 3 or 4 fail there is no snapshot, every source
// goes on with its new top, and the old one merges with it. A sync that fails in 3
// is final for its source, as it is in any flush.

// freeze takes the snapshot that was prepared.
func (s *snapshot) freeze(ctx context.Context) error {
	thaw, err := s.turn(ctx)
	if err != nil {
		return err
	}
	defer thaw()
	var all []inUse
	for _, src := range s.sources {
		all = append(all, src.inUse)
	}
	if !s.pool.turnOver(all, func(u inUse) { u.live.Chain().Freeze() }) {
		return blockdev.Wrap(blockdev.KindClosed, opSnapshot, errClosed)
	}
	ctx = context.WithoutCancel(ctx) // the rest does not take long
	if err := s.flush(ctx, (*layer.Volume).Settle); err != nil {
		return err
	}
	return s.makeTargets(ctx)
}

// turn stores that the sources have new tops. What their present ones become is not
// touched by anybody until thaw.
func (s *snapshot) turn(ctx context.Context) (thaw func(), err error) {
	p := s.pool
	if err := p.lockStructure(ctx, opSnapshot); err != nil {
		return nil, err
	}
	defer p.structure.Unlock()
	pl, err := s.planTurn()
	if err != nil {
		return nil, err
	}
	var nodes []*node
	for _, src := range s.sources {
		nodes = append(nodes, src.frozen)
	}
	thaw = p.pin(nodes)
	if err := p.commit(ctx, pl, s.fresh); err != nil {
		thaw()
		return nil, err
	}
	return thaw, nil
}

// makeTargets stores the targets. Those that are in use are then put on their new
// content.
func (s *snapshot) makeTargets(ctx context.Context) error {
	defer s.pool.delayMerges()() // those in use stand on what may be gone, until then
	if err := s.storeTargets(ctx); err != nil {
		return err
	}
	s.pool.turnOver(s.used(), func(u inUse) { u.live.Replace() })
	return nil
}

func (s *snapshot) storeTargets(ctx context.Context) error {
	p := s.pool
	if err := p.lockStructure(ctx, opSnapshot); err != nil {
		return err
	}
	defer p.structure.Unlock()
	pl, err := s.planTargets()
	if err != nil {
		return err
	}
	return p.commit(ctx, pl, s.fresh)
}

// used lists the targets that are in use.
func (s *snapshot) used() (out []inUse) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	for _, r := range s.targets {
		if v := s.pool.tree.volumes[r.ID]; v != nil && v.live != nil {
			out = append(out, inUse{v, v.live})
		}
	}
	return out
}
