package replication

import (
	"context"
	"slices"

	"twinlun/replication/pairstate"
)

// Modify carries out an operation on one relationship, or on all pairs of a
// group relationship: ModifyReplicaSynchronization. Activate, Detach, Dissolve,
// Return To ResourcePool, Restore from Replica and Reset Replica are served. The ID of a job is returned when work
// goes on. Failures are *Error; one that says that the state does not allow the
// operation has changed nothing. When a target of a group cannot be deleted because
// somebody has it open, those before it are gone and the others are as before.
func (s *Service) Modify(ctx context.Context, r ModifyRequest) (string, error) {
	id, _, err := s.modify(ctx, r, "")
	return id, s.refused(err)
}

// modify is Modify; keep is RestoreRequest.KeepName, and kept what it asked for.
func (s *Service) modify(ctx context.Context, r ModifyRequest, keep string) (jobID string, kept []string, err error) {
	op, err := operationOf(r.Operation)
	if err != nil {
		return "", nil, err
	}
	h := s.claims.hold()
	defer h.release()
	t, err := s.target(r.ID, h, op.event == pairstate.Restore)
	if err != nil {
		return "", nil, err
	}
	if err := s.checkModify(r, op, t); err != nil {
		return "", nil, err
	}
	switch op.event {
	case pairstate.Activate:
		jobID, err = s.activate(ctx, t, r.Wait, h)
		return jobID, nil, err
	case pairstate.Restore, pairstate.Reset:
		kept, err = s.revert(ctx, t, op.event, r.Force, keep, h)
		return "", kept, err
	}
	return "", nil, s.endAll(context.WithoutCancel(ctx), ending{ids: t.ids, event: op.event, force: r.Force})
}

// operation is how an Operation is carried out.
type operation struct {
	event pairstate.Event
	types []pairstate.SyncType
}

// operationOf is the table of operations that are served.
func operationOf(op Operation) (operation, error) {
	all := []pairstate.SyncType{pairstate.Mirror, pairstate.Snapshot, pairstate.Clone}
	switch op {
	case OpActivate:
		return operation{pairstate.Activate, all}, nil
	case OpDetach:
		return operation{pairstate.Detach, []pairstate.SyncType{pairstate.Mirror, pairstate.Clone}}, nil
	case OpDissolve:
		return operation{pairstate.Dissolve, all}, nil
	case OpReturnToPool:
		return operation{pairstate.ReturnToPool, []pairstate.SyncType{pairstate.Snapshot}}, nil
	case OpRestore:
		return operation{pairstate.Restore, []pairstate.SyncType{pairstate.Snapshot, pairstate.Clone}}, nil
	case OpResetReplica:
		return operation{pairstate.Reset, []pairstate.SyncType{pairstate.Snapshot}}, nil
	}
	if op < OpAbort || op > OpResetReplica && op < vendorRange {
		return operation{}, Errorf(KindInvalid, "Operation", "%d is not an operation", uint16(op))
	}
	return operation{}, Errorf(KindNotSupported, "Operation", "%d is not supported", uint16(op))
}

// modified is what an operation works on.
type modified struct {
	ids []string // of the pairs
	typ pairstate.SyncType
	// tie is the group relationship, or empty.
	tie string
}

// target finds the pairs of a relationship or group relationship and claims
// their volumes and groups: the sources too where they are changed.
func (s *Service) target(id string, h *hold, changed bool) (modified, error) {
	source := h.share
	if changed {
		source = h.take
	}
	t, err := s.findTarget(id)
	if err != nil {
		return t, err
	}
	if tie, ok := s.book.tie(t.tie); ok && !(h.take(groupClaim(tie.Target)) && h.share(groupClaim(tie.Source))) {
		return t, Errorf(KindInUse, "Synchronization", "a group of it is in use by another request")
	}
	recs := s.book.recordsBy(t.ids)
	for _, r := range recs {
		if !h.take(volumeClaim(r.Target)) || !source(volumeClaim(r.Source)) {
			return t, Errorf(KindInUse, "Synchronization", "%v %s is in use by another request", r.Type, r.Name)
		}
	}
	if len(s.book.recordsBy(t.ids)) != len(t.ids) {
		return t, gone(id)
	}
	return t, nil
}

func (s *Service) findTarget(id string) (modified, error) {
	if tie, ok := s.book.tie(id); ok {
		return modified{ids: tie.Pairs, typ: tie.Type, tie: id}, nil
	}
	r, ok := s.book.record(id)
	if !ok {
		return modified{}, gone(id)
	}
	if tie, ok := s.book.tie(r.Group); ok {
		return modified{}, Errorf(KindInUse, "Synchronization", "%v %s is a pair of group relationship %s, which must be named instead", r.Type, r.Name, tie.Name)
	}
	return modified{ids: []string{id}, typ: r.Type}, nil
}

// checkModify refuses what cannot be done, before anything is.
func (s *Service) checkModify(r ModifyRequest, op operation, t modified) error {
	if !slices.Contains(op.types, t.typ) {
		return Errorf(KindNotSupported, "Operation", "%v is not supported for a %v", op.event, t.typ)
	}
	if !canWaitAfter(op.event, t.typ, r.Wait.State) {
		return Errorf(KindInvalid, "WaitForCopyState", "%d is not a state that this operation can wait for", uint16(r.Wait.State))
	}
	for _, rec := range s.book.recordsBy(t.ids) {
		if err := s.checkVolumes(op.event, rec, t); err != nil {
			return err
		}
	}
	return nil
}

// canWaitAfter says which copy states an operation can wait for. Those that end
// a relationship take 15 Not Applicable, which clients send. What Restore and Reset
// come to is there when they return.
func canWaitAfter(e pairstate.Event, t pairstate.SyncType, c pairstate.CopyState) bool {
	switch {
	case e == pairstate.Restore && (c == pairstate.Synchronized || c == pairstate.Restored),
		e == pairstate.Reset && c == pairstate.Synchronized:
		return true
	case e != pairstate.Activate:
		return c == 0 || c == pairstate.NotApplicable
	}
	return c != pairstate.Inactive && c != pairstate.Initialized && canWaitFor(t, c)
}

// checkVolumes refuses operations that would take a target from those who use
// it.
func (s *Service) checkVolumes(e pairstate.Event, r pairRecord, t modified) error {
	exposed, sessions := s.exposed(r.Target)
	switch {
	case e == pairstate.Activate && sessions > 0:
		return Errorf(KindInUse, "Synchronization", "the target of %v %s is in use by %d iSCSI sessions", r.Type, r.Name, sessions)
	case e != pairstate.ReturnToPool:
		return nil
	case exposed:
		return Errorf(KindInUse, "Synchronization", "the target of %v %s is exposed to initiators", r.Type, r.Name)
	}
	for _, other := range s.book.recordsOf(r.Target) {
		if other.ID != r.ID {
			return Errorf(KindInUse, "Synchronization", "the target of %v %s is the source of %v %s", r.Type, r.Name, other.Type, other.Name)
		}
	}
	tie, _ := s.book.tie(t.tie)
	for _, g := range s.book.groupsOf(r.Target) {
		if g.ID != tie.Target {
			return Errorf(KindInUse, "Synchronization", "the target of %v %s is a member of group %s", r.Type, r.Name, g.Name)
		}
	}
	return nil
}
