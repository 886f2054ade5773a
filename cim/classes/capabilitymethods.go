package classes

import (
	"context"
	"slices"

	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/pairstate"
)

// replicationType is what the parameter ReplicationType means. Options that are
// given beside it are checked; none of them changes an answer.
func (a *args) replicationType() replicationType {
	const param = "ReplicationType"
	a.need(param, "a replication type")
	a.settings()
	n := a.number(param)
	i := slices.IndexFunc(replicationTypes(), func(t replicationType) bool { return uint64(t.number) == n })
	switch {
	case i >= 0:
		return replicationTypes()[i]
	case n < typeSyncMirrorLocal, n > typeLast && n < vendorRange:
		a.fail(replication.KindInvalid, param, "%d is reserved", n)
	default:
		a.fail(replication.KindNotSupported, param, "%d is not supported", n)
	}
	return replicationType{}
}

// answer is the reply of a method whose result is outs.
func (a *args) answer(outs ...cim.Arg) (*cim.Reply, error) {
	if a.err != nil {
		return nil, a.err
	}
	return done(outs...), nil
}

// convertSyncType answers for a local copy, and where Mode is NULL for the one
// that the service chooses.
func convertSyncType(_ context.Context, a *args) (*cim.Reply, error) {
	a.need("SyncType", "a type of copy")
	sync, mode := pairstate.SyncType(a.number("SyncType")), pairstate.Mode(a.enumerated("Mode"))
	if place := a.enumerated("LocalOrRemote"); place > 2 {
		a.fail(replication.KindNotSupported, "LocalOrRemote", "%d is not supported: replicas are local (2)", place)
	}
	if mode == 0 {
		mode = pairstate.Synchronous
	}
	i := slices.IndexFunc(replicationTypes(), func(t replicationType) bool { return t.sync == sync && t.mode == mode })
	if i < 0 {
		a.fail(replication.KindNotSupported, "SyncType", "%d with Mode %d is not supported", sync, mode)
		return nil, a.err
	}
	return a.answer(out("SupportedReplicationTypes", replicationTypes()[i].number))
}

func convertReplicationType(_ context.Context, a *args) (*cim.Reply, error) {
	t := a.replicationType()
	const local = 2
	return a.answer(out("SyncType", uint64(t.sync)), out("Mode", uint64(t.mode)), out("LocalOrRemote", local))
}

// copyStates are the copy states that a type of copy can have.
func copyStates(t pairstate.SyncType) []pairstate.CopyState {
	states := []pairstate.CopyState{pairstate.Initialized}
	if t != pairstate.Snapshot {
		states = append(states, pairstate.Unsynchronized)
	}
	states = append(states, pairstate.Synchronized, pairstate.Broken, pairstate.Inactive)
	if t != pairstate.Mirror {
		states = append(states, pairstate.Skewed, pairstate.Restored)
	}
	return states
}

// statesFor are the copy states of a type, of which the parameter Operation
// leaves those in which it is possible.
func (a *args) statesFor(t pairstate.SyncType) []pairstate.CopyState {
	states := copyStates(t)
	if !a.given("Operation") {
		return states
	}
	op := replication.Operation(a.number("Operation"))
	return slices.DeleteFunc(states, func(s pairstate.CopyState) bool { return !possible(t, op, s, true) })
}

func supportedCopyStates(_ context.Context, a *args) (*cim.Reply, error) {
	t := a.replicationType().sync
	states := a.statesFor(t)
	accessible := make([]cim.Value, 0, len(states))
	for _, s := range states {
		accessible = append(accessible, t != pairstate.Mirror && s != pairstate.Initialized && s != pairstate.Inactive)
	}
	return a.answer(out("SupportedCopyStates", numbers(states)), out("HostAccessible", accessible))
}

func supportedGroupCopyStates(_ context.Context, a *args) (*cim.Reply, error) {
	states := a.statesFor(a.replicationType().sync)
	if !a.given("Operation") {
		states = append(states, pairstate.Mixed)
	}
	return a.answer(out("SupportedCopyStates", numbers(states)))
}

// numbers are the numbers of enumerated values.
func numbers[T ~uint16](values []T) []uint16 {
	list := make([]uint16, 0, len(values))
	for _, v := range values {
		list = append(list, uint16(v))
	}
	return list
}

// supportedWaitStates answers by the values of MethodName: 2 CreateElementReplica,
// 3 CreateGroupReplica, 7 CreateListReplica, 8 CreateGroupReplicaFromElements and
// 4 ModifyReplicaSynchronization.
func supportedWaitStates(_ context.Context, a *args) (*cim.Reply, error) {
	flowing := []pairstate.CopyState{pairstate.Unsynchronized, pairstate.Synchronized}
	making := append([]pairstate.CopyState{pairstate.Initialized}, append(flowing, pairstate.Inactive)...)
	kind := a.replicationType().sync
	if kind == pairstate.Snapshot {
		flowing, making = flowing[1:], []pairstate.CopyState{pairstate.Synchronized, pairstate.Inactive}
	}
	switch n := a.number("MethodName"); n {
	case 2, 3, 7, 8:
		return a.answer(out("SupportedCopyStates", numbers(making)))
	case 4:
		switch op := replication.Operation(a.number("Operation")); {
		case op == 0, op == replication.OpActivate:
		case op == replication.OpRestore && kind != pairstate.Mirror:
			flowing = []pairstate.CopyState{pairstate.Synchronized, pairstate.Restored}
		case op == replication.OpResetReplica && kind == pairstate.Snapshot:
			flowing = []pairstate.CopyState{pairstate.Synchronized}
		default:
			flowing = nil // the operations that end a relationship
		}
		return a.answer(out("SupportedCopyStates", numbers(append(flowing, pairstate.NotApplicable))))
	default:
		a.fail(replication.KindNotSupported, "MethodName", "%d does not wait for a copy state", n)
		return nil, a.err
	}
}

// supportedFeatures: 2 replication groups, 3 multi-hop replication, 7 the
// service suspends source I/O when necessary, 8 targets from any pool or 44 from
// that of the source, 24 adjustable CopyPriority, 39 targets shall not be
// supplied, 51 clients can name targets.
func supportedFeatures(_ context.Context, a *args) (*cim.Reply, error) {
	features := map[pairstate.SyncType][]uint16{
		pairstate.Mirror:   {2, 7, 8, 24, 51},
		pairstate.Snapshot: {2, 3, 7, 24, 39, 44, 51},
		pairstate.Clone:    {2, 3, 7, 24, 44, 51},
	}
	return a.answer(out("Features", features[a.replicationType().sync]))
}

// supportedGroupFeatures: 3 many-to-many groups, 5 empty groups are allowed, 14
// groups are nameable, 23 a volume can be in several groups, 34 a target group
// shall not be supplied, 38 the service makes target groups, 56 clients can name
// relationships.
func supportedGroupFeatures(_ context.Context, a *args) (*cim.Reply, error) {
	features := []uint16{3, 5, 14, 23, 38, 56}
	if a.replicationType().sync == pairstate.Snapshot {
		features = []uint16{3, 5, 14, 23, 34, 38, 56}
	}
	return a.answer(out("GroupFeatures", features))
}

// supportedListFeatures: 2 lists, 3 sequential consistency, 4 no consistency.
func supportedListFeatures(_ context.Context, a *args) (*cim.Reply, error) {
	a.replicationType()
	return a.answer(out("GroupFeatures", []uint16{2, 3, 4}))
}

// supportedConsistency: 2 sequentially consistent.
func supportedConsistency(_ context.Context, a *args) (*cim.Reply, error) {
	a.replicationType()
	return a.answer(out("SupportedConsistency", []uint16{2}))
}

func supportedOperations(_ context.Context, a *args) (*cim.Reply, error) {
	return a.operations("SupportedOperations")
}

func supportedGroupOperations(_ context.Context, a *args) (*cim.Reply, error) {
	return a.operations("SupportedGroupOperations")
}

// operations answers which operations a type of copy has, in the copy state that
// the parameter CopyState limits the answer to.
func (a *args) operations(param string) (*cim.Reply, error) {
	t := a.replicationType().sync
	states := copyStates(t)
	if s := pairstate.CopyState(a.enumerated("CopyState")); s != 0 {
		states = slices.DeleteFunc(states, func(o pairstate.CopyState) bool { return o != s })
	}
	var ops []uint16
	var force []cim.Value
	in := func(op replication.Operation, forced bool) bool {
		return slices.ContainsFunc(states, func(s pairstate.CopyState) bool { return possible(t, op, s, forced) })
	}
	for _, op := range []replication.Operation{
		replication.OpActivate, replication.OpDetach, replication.OpDissolve, replication.OpRestore,
		replication.OpReturnToPool, replication.OpResetReplica,
	} {
		if in(op, true) {
			ops, force = append(ops, uint16(op)), append(force, !in(op, false))
		}
	}
	return a.answer(out(param, ops), out("RequiresForce", force))
}

// possible says whether an operation is taken in a copy state, whatever is under
// way.
func possible(t pairstate.SyncType, op replication.Operation, s pairstate.CopyState, force bool) bool {
	event, ok := map[replication.Operation]pairstate.Event{
		replication.OpActivate:     pairstate.Activate,
		replication.OpDetach:       pairstate.Detach,
		replication.OpDissolve:     pairstate.Dissolve,
		replication.OpReturnToPool: pairstate.ReturnToPool,
		replication.OpRestore:      pairstate.Restore,
		replication.OpResetReplica: pairstate.Reset,
	}[op]
	if !ok {
		return false
	}
	for _, p := range []pairstate.ProgressStatus{pairstate.Completed, pairstate.Dormant, pairstate.Synchronizing, pairstate.Resyncing} {
		if _, _, err := pairstate.Step(t, pairstate.State{Copy: s, Progress: p}, event, force); err == nil {
			return true
		}
	}
	return false
}

// defaultSettingData is what holds where no options are given; it can be changed
// and sent back.
func defaultSettingData(_ context.Context, a *args) (*cim.Reply, error) {
	a.replicationType()
	in, err := cim.Build(a.Schema.Class(classSettingData)).
		Set("InstanceID", "TWINLUN:replication-setting").Set("ElementName", "Default").
		Set("Pairing", 3).Set("UnequalGroupsAction", 2).Set("DesiredCopyMethodology", 2).Set("CopyPriority", 0).Instance()
	if err != nil {
		return nil, err
	}
	return a.answer(out("DefaultInstance", in))
}
