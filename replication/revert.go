package replication

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"twinlun/blockdev/pool"
	"twinlun/replication/mirror"
	"twinlun/replication/pairstate"
)

// Restore gives the source of a snapshot or of a complete clone the content of its
// target, or the sources of a group that of theirs, all at one instant: Restore from
// Replica. Its cost does not depend on sizes. All happens or nothing, also after a
// crash. Writes that hosts make meanwhile are held until it is done. It returns the
// relationships of the snapshots that KeepName asked for, in the order of the pairs.
//
// KindInUse: initiators are logged in to a source (not with Force), or a mirror, a
// copy or another request uses it. KindInvalid: source and target differ in size, or
// the name cannot be.
func (s *Service) Restore(ctx context.Context, r RestoreRequest) (kept []string, err error) {
	_, kept, err = s.modify(ctx, ModifyRequest{Operation: OpRestore, ID: r.ID, Force: r.Force}, r.KeepName)
	return kept, s.refused(err)
}

// reversion is a Restore or Reset that is being carried out: volumes get the content
// that they had.
type reversion struct {
	s     *Service
	event pairstate.Event // Restore or Reset
	recs  []pairRecord
	plans map[string]*reverting // by pair
	gates []gated
}

// gated is a volume whose writes are held.
type gated struct {
	gate   *mirror.Gate
	detach func()
}

// revert carries out a Restore or Reset of pairs whose volumes are claimed.
func (s *Service) revert(ctx context.Context, t modified, e pairstate.Event, force bool, keep string, h *hold) ([]string, error) {
	whole := context.WithoutCancel(ctx)
	if err := s.finishRevert(whole, t.ids); err != nil { // the store had failed before this one
		return nil, err
	}
	v := &reversion{s: s, event: e, recs: s.book.recordsBy(t.ids), plans: map[string]*reverting{}}
	if err := v.check(ctx); err != nil {
		return nil, err
	}
	if err := v.plan(ctx, keep, t.tie != "", h); err != nil {
		return nil, err
	}
	defer v.open(whole)
	if err := v.shut(ctx); err != nil {
		return nil, err
	}
	if err := v.checkSessions(force); err != nil {
		return nil, err
	}
	if err := v.begin(whole); err != nil {
		return nil, err
	}
	return s.carryOutRevert(whole, e, t.ids)
}

// changed is the volume of a pair that gets another content.
func changed(e pairstate.Event, r pairRecord) VolumeRef {
	if e == pairstate.Reset {
		return r.Target
	}
	return r.Source
}

// check refuses what cannot be taken back, before anything is touched.
func (v *reversion) check(ctx context.Context) error {
	const param = "Synchronization"
	for _, r := range v.recs {
		if r.Source.Pool != v.recs[0].Source.Pool {
			return Errorf(KindNotSupported, param, "the volumes are in the pools %s and %s; one instant is possible within one pool only",
				v.recs[0].Source.Pool, r.Source.Pool)
		}
		source, err := v.s.lookUp(ctx, r.Source, param)
		if err != nil {
			return err
		}
		target, err := v.s.lookUp(ctx, r.Target, param)
		if err != nil {
			return err
		}
		if v.event == pairstate.Restore && source.Size != target.Size {
			return Errorf(KindInvalid, param, "volume %s has %d bytes and %v %s %d: one cannot have the content of the other",
				source.Name, source.Size, r.Type, target.Name, target.Size)
		}
		name := source.Name
		if v.event == pairstate.Reset {
			name = target.Name
		}
		if err := v.s.checkReplaceable(changed(v.event, r), r.ID, name, param); err != nil {
			return err
		}
	}
	return nil
}

// checkReplaceable refuses a volume whose content others than the pair rely on.
func (s *Service) checkReplaceable(ref VolumeRef, pair, name, param string) error {
	for _, o := range s.book.recordsOf(ref) {
		switch {
		case o.ID == pair:
		case !o.State.Idle():
			return Errorf(KindInUse, param, "volume %s is in %v %s, which is %v", name, o.Type, o.Name, o.State)
		case o.Source == ref && o.Type == pairstate.Mirror && o.State.Copy != pairstate.Inactive:
			return Errorf(KindInUse, param, "volume %s is the source of mirror %s", name, o.Name)
		case o.Source == ref:
		case o.Type != pairstate.Clone:
			return Errorf(KindInUse, param, "volume %s is itself the target of %v %s, which must be dissolved first", name, o.Type, o.Name)
		case !holdsContent(o), o.Settings.TargetReadOnly:
			return Errorf(KindInUse, param, "volume %s is the target of clone %s, which is %v", name, o.Name, o.State)
		}
	}
	return nil
}

// plan notes what is needed after a crash, and claims what the snapshots that are
// kept need.
func (v *reversion) plan(ctx context.Context, keep string, group bool, h *hold) error {
	in, err := reverterOf(v.s.pools[v.recs[0].Source.Pool])
	if err != nil {
		return v.s.failure("Operation", err)
	}
	for i, r := range v.recs {
		p := &reverting{}
		if p.Revision, err = in.Revision(ctx, changed(v.event, r).ID); err != nil {
			return v.s.failure("Synchronization", err)
		}
		if keep != "" {
			name := keep
			if group {
				name = fmt.Sprintf("%s_%d", keep, i+1)
			}
			if p.Keep, err = v.s.planKeep(r.Source.Pool, name, h); err != nil {
				return err
			}
		}
		v.plans[r.ID] = p
	}
	return nil
}

// planKeep plans the snapshot of a source as it was.
func (s *Service) planKeep(in, name string, h *hold) (*keeping, error) {
	const param = "KeepName"
	if err := pool.ValidName(name); err != nil {
		return nil, Errorf(KindInvalid, param, "%.64q cannot be the name of a volume", name)
	}
	id, err := s.newID()
	if err != nil {
		return nil, s.failure("", err)
	}
	vol, err := s.newVolumeID()
	if err != nil {
		return nil, s.failure("", err)
	}
	if !h.take(nameClaim(in, name)) || !h.take(volumeClaim(VolumeRef{Pool: in, ID: vol})) {
		return nil, Errorf(KindInvalid, param, "the name %s is being taken by another request", name)
	}
	return &keeping{ID: id, Volume: vol, Name: name, At: s.cfg.Time()}, nil
}

// shut holds the writes of hosts from now on. What they write to the target of a
// Reset is noted when it goes on, unless its guard refuses it then.
func (v *reversion) shut(ctx context.Context) error {
	for _, r := range v.recs {
		var note func(context.Context)
		if v.event == pairstate.Reset && hookFor(r) != guardHook {
			p := v.s.book.pair(r.ID)
			note = func(ctx context.Context) { v.s.written(ctx, p) }
		}
		ref := changed(v.event, r)
		g := gated{gate: mirror.NewGate(note)}
		var err error
		if g.detach, err = v.s.pools[ref.Pool].Attach(ctx, ref.ID, g.gate); err != nil {
			return v.s.failure("Synchronization", err)
		}
		v.gates = append(v.gates, g)
	}
	return nil
}

// open lets the writes go on. The target of a Reset gets the hook that it needs now.
func (v *reversion) open(ctx context.Context) {
	for _, g := range v.gates {
		g.gate.Open()
	}
	for i, g := range v.gates {
		if v.event == pairstate.Reset {
			v.s.rehookTarget(ctx, v.recs[i].ID)
		}
		g.detach()
	}
}

// rehookTarget puts a new hook on a target, the one that its state asks for.
func (s *Service) rehookTarget(ctx context.Context, id string) {
	p := s.book.pair(id)
	rec, ok := s.book.record(id)
	if p == nil || !ok {
		return
	}
	p.live.spend()
	if err := s.hookTarget(ctx, p, rec); err != nil {
		s.log.Error("a target is not watched until the next start", "relationship", id, "err", err)
	}
}

// checkSessions refuses volumes that initiators are logged in to. Writes are held
// already: of one who logs in after this, none is lost.
func (v *reversion) checkSessions(force bool) error {
	for _, r := range v.recs {
		ref := changed(v.event, r)
		if _, sessions := v.s.exposed(ref); sessions > 0 && !force {
			return Errorf(KindInUse, "Synchronization",
				"the volume that %v %s would replace the content of is in use by %d iSCSI sessions; hosts must let go of it first, unless Force is true",
				r.Type, r.Name, sessions)
		}
	}
	return nil
}

// begin stores the decision. A source that is the target of a clone is not its point
// in time any more. Of the target of a Reset counts what is written from now on.
func (v *reversion) begin(ctx context.Context) error {
	ids := make([]string, len(v.recs))
	for i, r := range v.recs {
		ids[i] = r.ID
	}
	_, err := v.s.step(ctx, change{ids: ids, event: v.event, edit: func(r *pairRecord) {
		r.Revert = v.plans[r.ID]
		r.Written = r.Written && v.event != pairstate.Reset
	}})
	if err != nil || v.event == pairstate.Reset {
		return err
	}
	for _, r := range v.recs {
		if o, ok := v.s.book.recordTo(r.Source); ok {
			v.s.written(ctx, v.s.book.pair(o.ID))
		}
	}
	return nil
}

// finishReverts finds out what became of what a crash interrupted.
func (s *Service) finishReverts(ctx context.Context) error {
	sets := map[string][]string{}
	for _, r := range s.with(func(r pairRecord) bool { return r.Revert != nil && s.pools[r.Source.Pool] != nil }) {
		key := r.Group
		if key == "" {
			key = r.ID
		}
		sets[key] = append(sets[key], r.ID)
	}
	for _, ids := range sets {
		if err := s.finishRevert(ctx, ids); err != nil {
			s.log.Error("it is not known whether volumes were taken back; the next start tries again", "relationships", ids, "err", err)
		}
	}
	return nil
}

// finishRevert is finishReverts for some pairs, those of one request. It does nothing
// where nothing is under way. What has not happened is not done: hosts may have
// written since.
func (s *Service) finishRevert(ctx context.Context, ids []string) error {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		r, ok := s.book.record(id)
		return !ok || r.Revert == nil
	})
	recs := s.book.recordsBy(ids)
	if len(recs) == 0 {
		return nil
	}
	event := pairstate.Restore
	if recs[0].State.Progress == pairstate.Resyncing {
		event = pairstate.Reset
	}
	in, err := reverterOf(s.pools[recs[0].Source.Pool])
	if err != nil {
		return err
	}
	did, err := happened(ctx, in, event, recs)
	switch {
	case err != nil:
		return err
	case did:
		_, err = s.reverted(ctx, event, ids, recs)
	default:
		s.log.Warn("volumes were not taken back: the daemon ended before it happened", "relationships", ids)
		err = s.notReverted(ctx, event, ids)
	}
	if event == pairstate.Reset {
		for _, id := range ids {
			s.rehookTarget(ctx, id)
		}
	}
	return err
}

// noteMeanwhile notes what hosts wrote to the targets of a Reset before it was known
// what had become of it.
func (s *Service) noteMeanwhile(ctx context.Context, ids []string) {
	for _, r := range s.book.recordsBy(ids) {
		if p := s.book.pair(r.ID); p != nil && r.Written && r.State.Copy == pairstate.Synchronized {
			s.written(ctx, p)
		}
	}
}

// carryOutRevert does what was stored, and stores that it is done.
func (s *Service) carryOutRevert(ctx context.Context, e pairstate.Event, ids []string) ([]string, error) {
	recs := s.book.recordsBy(ids)
	in, err := reverterOf(s.pools[recs[0].Source.Pool])
	if err == nil {
		err = takeBack(ctx, in, e, recs)
	}
	if err == nil {
		return s.reverted(ctx, e, ids, recs)
	}
	if failed := s.notReverted(ctx, e, ids); failed != nil {
		err = errors.Join(err, failed)
	}
	return nil, s.failure(keepParam("Synchronization", err), err)
}

// happened says whether the volumes of all pairs have their new content.
func happened(ctx context.Context, in reverter, e pairstate.Event, recs []pairRecord) (bool, error) {
	for _, r := range recs {
		now, err := in.Revision(ctx, changed(e, r).ID)
		if err != nil || now == r.Revert.Revision {
			return false, err
		}
	}
	return true, nil
}

// takeBack gives the volumes their new content, all or none.
func takeBack(ctx context.Context, in reverter, e pairstate.Event, recs []pairRecord) error {
	if e == pairstate.Reset {
		ids := make([]pool.VolumeID, len(recs))
		for i, r := range recs {
			ids[i] = r.Target.ID
		}
		_, err := in.ResetSet(ctx, ids)
		return err
	}
	set := make([]pool.Restoration, len(recs))
	for i, r := range recs {
		set[i] = pool.Restoration{ID: r.Source.ID, From: r.Target.ID}
		if k := r.Revert.Keep; k != nil {
			set[i].Keep = pool.Spec{ID: k.Volume, Name: k.Name}
		}
	}
	_, _, err := in.RestoreSet(ctx, set)
	return err
}

// notReverted stores that nothing has changed.
func (s *Service) notReverted(ctx context.Context, e pairstate.Event, ids []string) error {
	c := change{ids: ids, event: pairstate.RestoreFailed, edit: func(r *pairRecord) { r.Revert = nil }}
	if e == pairstate.Reset {
		c.event = pairstate.ResetFailed
		c.edit = func(r *pairRecord) { r.Revert, r.Written = nil, r.Written || r.State.Copy != pairstate.Synchronized }
	}
	_, err := s.step(ctx, c)
	if err == nil && e == pairstate.Reset {
		s.noteMeanwhile(ctx, ids)
	}
	return err
}
