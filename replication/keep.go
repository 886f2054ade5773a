package replication

import (
	"context"
	"errors"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// keepParam is the parameter at fault where a pool has refused a Restore; other is
// that of all but the snapshot to keep, which alone has a name and a size.
func keepParam(other string, err error) string {
	if _, limit := errors.AsType[*pool.LimitError](err); limit || blockdev.Is(err, blockdev.KindExists) {
		return "KeepName"
	}
	return other
}

// reverted stores that the volumes have their new content, with the relationships of
// the snapshots that were kept, in one transaction.
func (s *Service) reverted(ctx context.Context, e pairstate.Event, ids []string, recs []pairRecord) ([]string, error) {
	kept := s.keptPairs(ctx, recs)
	c := change{ids: ids, event: pairstate.SourceRestored, also: func(tx store.Tx) error { return putPairs(tx, kept) }}
	c.edit = func(r *pairRecord) { r.Revert = nil }
	if e == pairstate.Reset {
		c.event = pairstate.TargetReset
	}
	if _, err := s.step(ctx, c); err != nil {
		for _, p := range kept {
			p.unhookTarget()
		}
		return nil, err
	}
	s.book.change(func() {
		for _, p := range kept {
			s.book.addPairLocked(p)
			s.book.tellNewPairLocked(p)
		}
	})
	if e == pairstate.Reset {
		s.noteMeanwhile(ctx, ids)
	}
	made := make([]string, len(kept))
	for i, p := range kept {
		made[i] = p.id
		if p.early.Load() {
			s.written(ctx, p)
		}
	}
	return made, nil
}

// keptPairs are the relationships of the snapshots that were kept. Their targets are
// watched.
func (s *Service) keptPairs(ctx context.Context, recs []pairRecord) []*pair {
	var kept []*pair
	for _, r := range recs {
		if r.Revert.Keep == nil {
			continue
		}
		p := newPair(s.keptRecord(r))
		if err := s.hookTarget(ctx, p, p.rec); err != nil {
			s.log.Error("a target is not watched until the next start", "relationship", p.id, "err", err)
		}
		kept = append(kept, p)
	}
	return kept
}

// keptRecord is the relationship of the snapshot that a Restore of r keeps.
func (s *Service) keptRecord(r pairRecord) pairRecord {
	k := r.Revert.Keep
	out := pairRecord{Made: true, Relationship: Relationship{
		ID: k.ID, Name: k.Name, Source: r.Source, Target: VolumeRef{Pool: r.Source.Pool, ID: k.Volume},
		Type: pairstate.Snapshot, Mode: pairstate.Synchronous, WhenEstablished: k.At,
	}}
	for _, e := range []pairstate.Event{pairstate.Formed, pairstate.Begin, pairstate.Taken} {
		// The table lets every snapshot through these events.
		if _, err := s.advance(&out, change{event: e, at: k.At}); err != nil {
			s.log.Error("a new relationship was refused", "err", err)
		}
	}
	return out
}

// putPairs stores new relationships.
func putPairs(tx store.Tx, pairs []*pair) error {
	for _, p := range pairs {
		if err := put(tx, bucketPairs, p.id, p.rec); err != nil {
			return err
		}
	}
	return nil
}
