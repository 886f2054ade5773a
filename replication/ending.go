package replication

import (
	"context"
	"fmt"
	"slices"

	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// ending is the end of some relationships that end together.
type ending struct {
	ids    []string
	event  pairstate.Event // Detach, Dissolve or ReturnToPool
	force  bool
	groups []string             // go with them in any case
	also   func(store.Tx) error // is stored with the decision; may be nil
}

// endAll ends relationships: none if the state machine refuses one of them.
// Their targets must be claimed.
func (s *Service) endAll(ctx context.Context, e ending) error {
	effects, err := s.step(ctx, change{ids: e.ids, event: e.event, force: e.force, also: e.also})
	if err != nil {
		return err
	}
	del := false
	for _, list := range effects {
		del = del || slices.Contains(list, pairstate.DeleteTarget)
	}
	return s.carryOutEnd(ctx, e, del)
}

// carryOutEnd does what ends relationships that the store has as ending: now, or
// after a restart. A part that fails is taken up again.
func (s *Service) carryOutEnd(ctx context.Context, e ending, del bool) error {
	for _, id := range e.ids {
		if p := s.book.pair(id); p != nil {
			p.halt()
		}
	}
	ended, failed := e.ids, error(nil)
	if del {
		ended, failed = s.deleteTargets(ctx, e.ids)
	}
	if err := s.remove(ctx, ended, e.groups, del); err != nil {
		if !del {
			s.takeUp(ctx, ended)
		}
		return err
	}
	if failed != nil {
		s.takeUp(ctx, slices.DeleteFunc(slices.Clone(e.ids), func(id string) bool { return slices.Contains(ended, id) }))
	}
	return failed
}

// deleteTargets deletes targets until one cannot be, and says which pairs are
// without one now.
func (s *Service) deleteTargets(ctx context.Context, ids []string) ([]string, error) {
	for i, r := range s.book.recordsBy(ids) {
		p := s.book.pair(r.ID)
		if p == nil {
			continue
		}
		p.unhookTarget()
		if err := s.deleteVolume(ctx, r.Target); err != nil {
			return ids[:i], fmt.Errorf("delete the target of %v %s: %w", r.Type, r.Name, err)
		}
	}
	return ids, nil
}

// takeUp puts relationships whose end failed back to work.
func (s *Service) takeUp(ctx context.Context, ids []string) {
	for _, id := range ids {
		effects, err := s.step(ctx, change{ids: []string{id}, event: pairstate.EndFailed})
		if err != nil {
			s.log.Error("a relationship whose end failed is taken up by the next start", "relationship", id, "err", err)
			continue
		}
		p := s.book.pair(id)
		rec, ok := s.book.record(id)
		if !ok {
			continue
		}
		if err := s.hookTarget(ctx, p, rec); err != nil {
			s.log.Error("a target is not guarded", "relationship", id, "err", err)
		}
		if !slices.Contains(effects[id], pairstate.StartCopy) {
			continue
		}
		if err := s.resumeCopy(ctx, p, rec); err != nil {
			s.log.Error("a relationship whose end failed does not run", "relationship", id, "err", err)
		}
	}
}
