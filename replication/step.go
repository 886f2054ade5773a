package replication

import (
	"context"
	"fmt"
	"slices"
	"time"

	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// change is one change of state of some relationships.
type change struct {
	ids   []string
	event pairstate.Event
	force bool
	// reason is why they are Broken afterwards, if they are.
	reason string
	// at is when it happened; zero: now.
	at time.Time
	// edit, if set, changes each record further.
	edit func(*pairRecord)
	// also, if set, is part of the transaction.
	also func(store.Tx) error
}

// step takes relationships through one event together: the state machine
// decides, the new states are stored in one transaction, then shown. If one of
// them refuses, or storing fails, none changes. It returns the effects that the
// caller must carry out, the same for all unless their states differed.
//
// It may be called from the write path: it waits for the store only.
func (s *Service) step(ctx context.Context, c change) (map[string][]pairstate.Effect, error) {
	pairs, err := s.lockSteps(c.ids)
	if err != nil {
		return nil, err
	}
	defer unlockSteps(pairs)
	next := make([]pairRecord, len(pairs))
	effects := make(map[string][]pairstate.Effect, len(pairs))
	for i, p := range pairs {
		rec, _ := s.book.record(p.id)
		if effects[p.id], err = s.advance(&rec, c); err != nil {
			return nil, err
		}
		next[i] = rec
	}
	if err := s.storePairs(ctx, next, c.also); err != nil {
		return nil, err
	}
	s.showPairs(next)
	return effects, nil
}

// lockSteps takes the step locks of relationships in the order of their IDs.
func (s *Service) lockSteps(ids []string) ([]*pair, error) {
	sorted := slices.Compact(slices.Sorted(slices.Values(ids)))
	pairs := make([]*pair, 0, len(sorted))
	for _, id := range sorted {
		p := s.book.pair(id)
		if p == nil {
			unlockSteps(pairs)
			return nil, gone(id)
		}
		p.step.Lock()
		pairs = append(pairs, p)
		if s.book.pair(id) != p {
			unlockSteps(pairs)
			return nil, gone(id)
		}
	}
	return pairs, nil
}

func unlockSteps(pairs []*pair) {
	for _, p := range pairs {
		p.step.Unlock()
	}
}

// gone refuses an ID that names no relationship, or no more.
func gone(id string) *Error {
	return Errorf(KindInvalid, "Synchronization", "there is no relationship %s", id)
}

// advance lets the state machine change a record.
func (s *Service) advance(rec *pairRecord, c change) ([]pairstate.Effect, error) {
	state, effects, err := pairstate.Step(rec.Type, rec.State, c.event, c.force)
	if err != nil {
		return nil, err
	}
	rec.State = state
	rec.Reason = ""
	if state.Copy == pairstate.Broken {
		rec.Reason = c.reason
	}
	if c.at.IsZero() {
		c.at = s.cfg.Time()
	}
	recordEffects(rec, effects, c.at)
	if c.edit != nil {
		c.edit(rec)
	}
	return effects, nil
}

// recordEffects carries out the effects that belong to the record itself.
func recordEffects(rec *pairRecord, effects []pairstate.Effect, at time.Time) {
	if slices.Contains(effects, pairstate.RecordActivated) {
		rec.WhenActivated = at
	}
	if slices.Contains(effects, pairstate.RecordSynchronized) {
		rec.WhenSynchronized = at
	}
	if holdsContent(*rec) {
		rec.Percent = 100
	} else if slices.Contains(effects, pairstate.StartCopy) {
		rec.Percent = 0
	}
}

// amend changes a record without a change of state.
func (s *Service) amend(ctx context.Context, p *pair, edit func(*pairRecord)) error {
	p.step.Lock()
	defer p.step.Unlock()
	rec, ok := s.book.record(p.id)
	if !ok {
		return gone(p.id)
	}
	edit(&rec)
	if err := s.storePairs(ctx, []pairRecord{rec}, nil); err != nil {
		return err
	}
	s.showPairs([]pairRecord{rec})
	return nil
}

// storePairs stores records in one transaction. What was begun is ended: a
// canceled caller does not stop it.
func (s *Service) storePairs(ctx context.Context, recs []pairRecord, also func(store.Tx) error) error {
	err := s.cfg.Store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		for _, r := range recs {
			if err := put(tx, bucketPairs, r.ID, r); err != nil {
				return err
			}
		}
		if also != nil {
			return also(tx)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store the state of %d relationships: %w", len(recs), err)
	}
	return nil
}

// showPairs puts stored records into the book and pokes the requests that wait
// for them.
func (s *Service) showPairs(recs []pairRecord) {
	s.book.change(func() { s.book.showPairsLocked(recs) })
	for _, r := range recs {
		s.log.Debug("relationship changed", "relationship", r.ID, "type", r.Type.String(), "state", r.State.String())
		s.poke(r.Request)
	}
}

// progress notes how far the copy of a relationship is.
func (s *Service) progress(id string, done, total int64) {
	if total <= 0 {
		return
	}
	percent := uint16(min(max(100*float64(done)/float64(total), 0), 99))
	if s.book.setPercent(id, percent) {
		rec, _ := s.book.record(id)
		s.poke(rec.Request)
	}
}

// keepProgress stores how far the copies came that go on with the next Start, so that
// it shows no less without an event.
func (s *Service) keepProgress() {
	ids := s.book.ahead()
	if len(ids) == 0 {
		return
	}
	pairs, err := s.lockSteps(ids)
	if err == nil {
		defer unlockSteps(pairs)
		recs := s.book.recordsBy(ids)
		if err = s.storePairs(context.Background(), recs, nil); err == nil {
			s.showPairs(recs)
		}
	}
	if err != nil {
		s.log.Warn("how far copies came is not kept", "relationships", len(ids), "err", err)
	}
}
