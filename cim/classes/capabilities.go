package classes

import (
	"context"
	"slices"

	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/pairstate"
)

// Replication types that work (ReplicationServiceCapabilities, CIM 2.49).
const (
	typeSyncMirrorLocal    = 2
	typeSyncSnapshotLocal  = 6
	typeAsyncSnapshotLocal = 7
	typeSyncCloneLocal     = 10
	typeAsyncCloneLocal    = 11
)

// replicationTypes says what each of them is.
func replicationTypes() map[uint64]pairstate.SyncType {
	return map[uint64]pairstate.SyncType{
		typeSyncMirrorLocal:    pairstate.Mirror,
		typeSyncSnapshotLocal:  pairstate.Snapshot,
		typeAsyncSnapshotLocal: pairstate.Snapshot,
		typeSyncCloneLocal:     pairstate.Clone,
		typeAsyncCloneLocal:    pairstate.Clone,
	}
}

func replicationServiceCapabilities(r *registry) {
	s := &source[string]{class: r.class(classCapabilities), list: only(idCapabilities), find: always(idCapabilities)}
	s.fill = func(b *cim.Builder, id string) {
		creating := []uint16{2, 3, 19, 20} // CreateElementReplica, CreateGroupReplica, CreateListReplica, CreateGroupReplicaFromElements
		b.Set("InstanceID", id).Set("ElementName", "Replication capabilities").
			Set("SupportedReplicationTypes", []uint16{typeSyncMirrorLocal, typeSyncSnapshotLocal, typeAsyncSnapshotLocal, typeSyncCloneLocal, typeAsyncCloneLocal}).
			Set("SupportedStorageObjects", []uint16{2}). // StorageVolume
			Set("SupportedAsynchronousActions", creating).
			// and ModifyReplicaSynchronization, CreateGroup, DeleteGroup, AddMembers, RemoveMembers
			Set("SupportedSynchronousActions", append(slices.Clone(creating), 5, 12, 13, 14, 15))
	}
	r.add(&service[string]{source: s, model: r.model, role: cim.RoleMonitor, methods: map[string]method{
		"ConvertSyncTypeToReplicationType": convertSyncType,
		"ConvertReplicationTypeToSyncType": convertReplicationType,
		"GetSupportedCopyStates":           supportedCopyStates,
		"GetSupportedGroupCopyStates":      supportedGroupCopyStates,
		"GetSupportedWaitForCopyStates":    supportedWaitStates,
		"GetSupportedFeatures":             supportedFeatures,
		"GetSupportedGroupFeatures":        supportedGroupFeatures,
		"GetSupportedListFeatures":         supportedListFeatures,
		"GetSupportedConsistency":          supportedConsistency,
		"GetSupportedOperations":           supportedOperations,
		"GetSupportedGroupOperations":      supportedGroupOperations,
		"GetDefaultReplicationSettingData": defaultSettingData,
	}})
}

// elementCapabilities ties the replication service to its capabilities.
func elementCapabilities(r *registry) {
	m := r.model
	r.add(&association{
		class: r.class("TWINLUN_ElementCapabilities"), near: "ManagedElement", far: "Capabilities",
		all: func(_ context.Context, yield links) error {
			return yield(link{near: m.servicePath(classReplicationSvc), far: byInstanceID(classCapabilities, idCapabilities)})
		},
	})
}

// syncType is the type of copy that the parameter ReplicationType means.
func (a *args) syncType() pairstate.SyncType {
	n := a.number("ReplicationType")
	t, ok := replicationTypes()[n]
	if !ok {
		a.fail(replication.KindNotSupported, "ReplicationType", "%d is not supported", n)
	}
	return t
}

// answer is the reply of a method with one list of numbers.
func (a *args) answer(param string, numbers []uint16, more ...cim.Arg) (*cim.Reply, error) {
	if a.err != nil {
		return nil, a.err
	}
	return done(append([]cim.Arg{{Name: param, Value: numbers}}, more...)...), nil
}

func convertSyncType(_ context.Context, a *args) (*cim.Reply, error) {
	if a.number("LocalOrRemote") == 3 {
		return notSupported("LocalOrRemote: remote replication is not supported"), nil
	}
	t := map[[2]uint64]uint64{
		{6, 0}: typeSyncMirrorLocal, {6, 2}: typeSyncMirrorLocal,
		{7, 0}: typeSyncSnapshotLocal, {7, 2}: typeSyncSnapshotLocal, {7, 3}: typeAsyncSnapshotLocal,
		{8, 0}: typeSyncCloneLocal, {8, 2}: typeSyncCloneLocal, {8, 3}: typeAsyncCloneLocal,
	}[[2]uint64{a.number("SyncType"), a.number("Mode")}]
	if t == 0 {
		return notSupported("SyncType %d with Mode %d is not supported", a.number("SyncType"), a.number("Mode")), nil
	}
	return done(cim.Arg{Name: "SupportedReplicationTypes", Value: t}), nil
}

func convertReplicationType(_ context.Context, a *args) (*cim.Reply, error) {
	t, mode := a.syncType(), pairstate.Synchronous
	if n := a.number("ReplicationType"); n == typeAsyncSnapshotLocal || n == typeAsyncCloneLocal {
		mode = pairstate.Asynchronous
	}
	if a.err != nil {
		return nil, a.err
	}
	return done(cim.Arg{Name: "SyncType", Value: uint64(t)}, cim.Arg{Name: "Mode", Value: uint64(mode)}, cim.Arg{Name: "LocalOrRemote", Value: uint64(2)}), nil
}

// copyStates are the copy states that a type of copy can have.
func copyStates(t pairstate.SyncType) []uint16 {
	switch t {
	case pairstate.Mirror:
		return []uint16{2, 3, 4, 5, 8}
	case pairstate.Snapshot:
		return []uint16{2, 4, 8, 13}
	default:
		return []uint16{2, 3, 4, 5, 8, 13}
	}
}

func supportedCopyStates(_ context.Context, a *args) (*cim.Reply, error) {
	t := a.syncType()
	states := copyStates(t)
	accessible := make([]cim.Value, 0, len(states))
	for _, s := range states {
		accessible = append(accessible, t != pairstate.Mirror && s != 2 && s != 8)
	}
	return a.answer("SupportedCopyStates", states, cim.Arg{Name: "HostAccessible", Value: accessible})
}

func supportedGroupCopyStates(_ context.Context, a *args) (*cim.Reply, error) {
	return a.answer("SupportedCopyStates", append(copyStates(a.syncType()), 14)) // Mixed
}

func supportedWaitStates(_ context.Context, a *args) (*cim.Reply, error) {
	states := []uint16{2, 3, 4, 8}
	if a.syncType() == pairstate.Snapshot {
		states = []uint16{4, 8}
	}
	switch a.number("MethodName") {
	case 2, 3, 7, 8:
		return a.answer("SupportedCopyStates", states)
	default:
		return notSupported("MethodName: %d does not wait for a copy state", a.number("MethodName")), nil
	}
}

// supportedFeatures: 2 groups, 3 multi-hop, 7 the service suspends source I/O
// when necessary, 8 targets from any pool (mirrors) or 44 from the source's,
// 24 adjustable priority, 51 the client can name targets.
func supportedFeatures(_ context.Context, a *args) (*cim.Reply, error) {
	if a.syncType() == pairstate.Mirror {
		return a.answer("Features", []uint16{2, 7, 8, 24, 51})
	}
	return a.answer("Features", []uint16{2, 3, 7, 24, 44, 51})
}

// supportedGroupFeatures: 5 empty groups are allowed.
func supportedGroupFeatures(_ context.Context, a *args) (*cim.Reply, error) {
	a.syncType()
	return a.answer("GroupFeatures", []uint16{5})
}

// supportedListFeatures: 2 lists, 3 sequential consistency, 4 no consistency.
func supportedListFeatures(_ context.Context, a *args) (*cim.Reply, error) {
	a.syncType()
	return a.answer("GroupFeatures", []uint16{2, 3, 4})
}

func supportedConsistency(_ context.Context, a *args) (*cim.Reply, error) {
	a.syncType()
	return a.answer("SupportedConsistency", []uint16{2})
}

// operations are those of ModifyReplicaSynchronization that a type of copy has.
func operations(t pairstate.SyncType) []uint16 {
	switch t {
	case pairstate.Snapshot:
		return []uint16{uint16(replication.OpActivate), uint16(replication.OpDissolve), uint16(replication.OpReturnToPool)}
	default:
		return []uint16{uint16(replication.OpActivate), uint16(replication.OpDetach), uint16(replication.OpDissolve)}
	}
}

func supportedOperations(_ context.Context, a *args) (*cim.Reply, error) {
	return a.answer("SupportedOperations", operations(a.syncType()))
}

func supportedGroupOperations(_ context.Context, a *args) (*cim.Reply, error) {
	return a.answer("SupportedGroupOperations", operations(a.syncType()))
}

func defaultSettingData(_ context.Context, a *args) (*cim.Reply, error) {
	a.syncType()
	if a.err != nil {
		return nil, a.err
	}
	in, err := cim.Build(a.Schema.Class("CIM_ReplicationSettingData")).
		Set("InstanceID", "TWINLUN:replication-setting").Set("ElementName", "Default").
		Set("Pairing", 3).Set("UnequalGroupsAction", 2).Set("DesiredCopyMethodology", 2).Set("CopyPriority", 0).Instance()
	if err != nil {
		return nil, err
	}
	return done(cim.Arg{Name: "DefaultInstance", Value: in}), nil
}
