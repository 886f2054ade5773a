package replication

import (
	"context"
	"errors"
	"slices"

	"twinlun/replication/mirror"
	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// removal is what one transaction removes.
type removal struct {
	pairs  []pairRecord
	ties   map[string]*GroupRelationship // changed; nil: removed
	groups map[string]*Group             // likewise
}

// remove forgets relationships and what ends with them: group relationships
// without pairs, groups that were there for them only. It then frees the targets.
func (s *Service) remove(ctx context.Context, ids, groups []string, deleted bool) error {
	removed, requests, err := s.removeRecords(ctx, ids, groups, deleted)
	if err != nil {
		return err
	}
	for _, p := range removed { // not before: hosts could write to the target of a mirror that stays
		p.unhookTarget()
	}
	for _, r := range requests {
		s.poke(r)
	}
	return nil
}

// removeRecords is the part of remove that the store sees. No state changes
// meanwhile, so that none is stored again.
func (s *Service) removeRecords(ctx context.Context, ids, groups []string, deleted bool) ([]*pair, []string, error) {
	s.groupsMu.Lock()
	defer s.groupsMu.Unlock()
	pairs, err := s.lockSteps(s.present(ids))
	if err != nil {
		return nil, nil, err
	}
	defer unlockSteps(pairs)
	r := s.planRemoval(ids, groups, deleted)
	if err := s.cfg.Store.Update(context.WithoutCancel(ctx), r.store); err != nil {
		return nil, nil, err
	}
	s.book.change(func() { r.showLocked(s.book) })
	requests := make([]string, len(r.pairs))
	for i, rec := range r.pairs {
		requests[i] = rec.Request
	}
	return pairs, requests, nil
}

// planRemoval works out what goes.
func (s *Service) planRemoval(ids, groups []string, deleted bool) removal {
	r := removal{pairs: s.book.recordsBy(ids), ties: map[string]*GroupRelationship{}, groups: map[string]*Group{}}
	for _, rec := range r.pairs {
		if t, ok := s.book.tie(rec.Group); ok {
			r.shrinkTie(t, rec.ID)
		}
		if deleted {
			r.leaveGroups(s.book.groupsOf(rec.Target), rec.Target)
		}
	}
	for id, t := range r.ties {
		if t != nil {
			continue
		}
		old, _ := s.book.tie(id)
		for _, g := range []string{old.Source, old.Target} {
			s.endGroup(&r, g)
		}
	}
	for _, g := range groups {
		r.groups[g] = nil
	}
	return r
}

// shrinkTie takes a pair out of a group relationship, which goes with its last.
func (r *removal) shrinkTie(t GroupRelationship, pair string) {
	if now, seen := r.ties[t.ID]; seen {
		if now == nil {
			return
		}
		t = *now
	}
	t.Pairs = slices.DeleteFunc(slices.Clone(t.Pairs), func(id string) bool { return id == pair })
	r.ties[t.ID] = &t
	if len(t.Pairs) == 0 {
		r.ties[t.ID] = nil
	}
}

// leaveGroups takes a volume that is no more out of its groups.
func (r *removal) leaveGroups(groups []Group, v VolumeRef) {
	for _, g := range groups {
		if now, seen := r.groups[g.ID]; seen {
			if now == nil {
				continue
			}
			g = *now
		}
		g.Members = slices.DeleteFunc(slices.Clone(g.Members), func(m VolumeRef) bool { return m == v })
		r.groups[g.ID] = &g
		if len(g.Members) == 0 && g.DeleteOnEmptyElement {
			r.groups[g.ID] = nil
		}
	}
}

// endGroup removes a group that is there only for relationships, with the last
// of them.
func (s *Service) endGroup(r *removal, id string) {
	g, ok := s.book.group(id)
	if !ok || g.Persistent && !g.DeleteOnUnassociated {
		return
	}
	for _, tie := range s.book.tiesOf(id) {
		if t, seen := r.ties[tie]; !seen || t != nil {
			return
		}
	}
	r.groups[id] = nil
}

// store carries the removal out in a transaction.
func (r *removal) store(tx store.Tx) error {
	for _, rec := range r.pairs {
		if err := tx.Delete(bucketPairs, rec.ID); err != nil {
			return err
		}
		if rec.Type != pairstate.Mirror {
			continue
		}
		if err := mirror.Forget(tx, rec.ID); err != nil {
			return err
		}
	}
	return errors.Join(replace(tx, bucketTies, r.ties), replace(tx, bucketGroups, r.groups))
}

// replace stores what has changed and deletes what is nil.
func replace[T any](tx store.Tx, bucket string, changed map[string]*T) error {
	for id, v := range changed {
		var err error
		if v == nil {
			err = tx.Delete(bucket, id)
		} else {
			err = put(tx, bucket, id, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// showLocked carries it out in the book.
func (r *removal) showLocked(b *book) {
	for _, rec := range r.pairs {
		b.tellGonePairLocked(rec.ID)
		b.dropPairLocked(rec.ID)
	}
	for id, t := range r.ties {
		if b.dropTieLocked(id); t != nil {
			b.putTieLocked(*t)
		}
		b.tellTieLocked(id)
	}
	for id, g := range r.groups {
		if b.dropGroupLocked(id); g != nil {
			b.putGroupLocked(*g)
		}
		b.tellGroupLocked(id)
	}
}
