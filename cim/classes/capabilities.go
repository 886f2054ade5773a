package classes

import (
	"context"
	"slices"

	"twinlun/cim"
	"twinlun/replication/pairstate"
)

// Replication types that work (ReplicationServiceCapabilities, CIM 2.49), and
// the last one that has a meaning.
const (
	typeSyncMirrorLocal    = 2
	typeSyncSnapshotLocal  = 6
	typeAsyncSnapshotLocal = 7
	typeSyncCloneLocal     = 10
	typeAsyncCloneLocal    = 11
	typeLast               = 27
)

// replicationType says what a replication type is.
type replicationType struct {
	number uint16
	sync   pairstate.SyncType
	mode   pairstate.Mode
}

// replicationTypes lists those that work.
func replicationTypes() []replicationType {
	return []replicationType{
		{typeSyncMirrorLocal, pairstate.Mirror, pairstate.Synchronous},
		{typeSyncSnapshotLocal, pairstate.Snapshot, pairstate.Synchronous},
		{typeAsyncSnapshotLocal, pairstate.Snapshot, pairstate.Asynchronous},
		{typeSyncCloneLocal, pairstate.Clone, pairstate.Synchronous},
		{typeAsyncCloneLocal, pairstate.Clone, pairstate.Asynchronous},
	}
}

// Actions of SupportedSynchronousActions (CIM 2.49) that are carried out.
const (
	actionCreateElementReplica           = 2
	actionCreateGroupReplica             = 3
	actionModifyReplicaSynchronization   = 5
	actionCreateGroup                    = 12
	actionDeleteGroup                    = 13
	actionAddMembers                     = 14
	actionRemoveMembers                  = 15
	actionCreateListReplica              = 19
	actionCreateGroupReplicaFromElements = 20
)

func replicationServiceCapabilities(r *registry) {
	s := &source[string]{class: r.class(classCapabilities), each: only(idCapabilities), find: always(idCapabilities)}
	s.fill = func(b *cim.Builder, id string) {
		var types []uint16
		for _, t := range replicationTypes() {
			types = append(types, t.number)
		}
		withJob := []uint16{
			actionCreateElementReplica, actionCreateGroupReplica, actionModifyReplicaSynchronization,
			actionCreateListReplica, actionCreateGroupReplicaFromElements,
		}
		b.Set("InstanceID", id).Set("ElementName", "Replication capabilities").
			Set("SupportedReplicationTypes", types).
			Set("SupportedStorageObjects", []uint16{2}). // StorageVolume
			Set("SupportedAsynchronousActions", withJob).
			Set("SupportedSynchronousActions", append(slices.Clone(withJob),
				actionCreateGroup, actionDeleteGroup, actionAddMembers, actionRemoveMembers))
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
