package classes

import (
	"time"

	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/pairstate"
)

// readOnlyTarget is the value of ReadOnly for a target that hosts cannot write.
const readOnlyTarget = 3

// setSynchronized sets what CIM_Synchronized has of the state of a replica.
func setSynchronized(b *cim.Builder, t pairstate.SyncType, mode pairstate.Mode, s pairstate.State, percent uint16) {
	b.Set("SyncType", uint64(t)).Set("Mode", uint64(mode)).Set("SyncMaintained", t == pairstate.Mirror).
		Set("CopyState", uint64(s.Copy)).Set("RequestedCopyState", uint64(s.Requested)).
		Set("ProgressStatus", uint64(s.Progress)).Set("PercentSynced", percent).
		Set("CopyRecoveryMode", 2).Set("FailedCopyStopsHostIO", false) // Automatic
	if t == pairstate.Mirror && mode == pairstate.Synchronous {
		b.Set("RPO", cim.IntervalValue(0))
	}
}

// setTimes sets when things happened. WhenSynced is the instant that the target
// shows: for a mirror the last one at which it was the same as the source.
func setTimes(b *cim.Builder, t pairstate.SyncType, established, activated, synchronized time.Time) {
	synced := activated
	if t == pairstate.Mirror {
		synced = synchronized
	}
	b.Set("WhenEstablished", cim.TimeValue(established)).Set("WhenActivated", cim.TimeValue(activated)).
		Set("WhenSynchronized", cim.TimeValue(synchronized)).Set("WhenSynced", cim.TimeValue(synced))
}

// setConsistency sets what CIM_GroupSynchronized has of consistency.
func setConsistency(b *cim.Builder, g replication.GroupRelationship) {
	if g.Consistency != replication.SequentialConsistency {
		b.Set("ConsistencyEnabled", false).Set("ConsistencyState", 2).Set("ConsistencyStatus", 4) // Not Applicable, disabled
		return
	}
	b.Set("ConsistencyEnabled", true).Set("ConsistencyType", 2)
	if consistentNow(g) {
		b.Set("ConsistencyState", 3).Set("ConsistencyStatus", 2) // Consistent, Completed
		return
	}
	b.Set("ConsistencyState", 4).Set("ConsistencyStatus", 3) // Inconsistent, in progress
}

// consistentNow says whether all members of the target group show one instant:
// those of snapshots and clones do once it was taken.
func consistentNow(g replication.GroupRelationship) bool {
	if g.Type == pairstate.Mirror {
		return g.State.Copy == pairstate.Synchronized
	}
	return !g.WhenActivated.IsZero()
}

// copyType is StorageSynchronized.CopyType, the older name of the type of copy:
// 2 Async, 3 Sync, 4 UnSyncAssoc, 5 UnSyncUnAssoc.
func copyType(t pairstate.SyncType, m pairstate.Mode) uint64 {
	switch {
	case t == pairstate.Mirror && m == pairstate.Asynchronous:
		return 2
	case t == pairstate.Mirror:
		return 3
	case t == pairstate.Snapshot:
		return 4
	default:
		return 5
	}
}

// replicaType is StorageSynchronized.ReplicaType: 2 Full Copy, 4 After Delta.
func replicaType(t pairstate.SyncType) uint64 {
	if t == pairstate.Snapshot {
		return 4
	}
	return 2
}

// copyMethodology is StorageSynchronized.CopyMethodology: 3 Full-Copy, 9
// Snap-And-Clone, 11 Redirect-On-Write.
func copyMethodology(t pairstate.SyncType) uint64 {
	switch t {
	case pairstate.Mirror:
		return 3
	case pairstate.Snapshot:
		return 11
	default:
		return 9
	}
}

// syncState is StorageSynchronized.SyncState, the older name of the copy state.
// An idle snapshot is Idle (11), as clients of the Copy Services profile expect.
// 0 is Unknown.
func syncState(t pairstate.SyncType, s pairstate.State) uint64 {
	switch {
	case s.Progress == pairstate.Restoring:
		return 10
	case t == pairstate.Snapshot && s.Copy == pairstate.Synchronized:
		return 11
	}
	return syncStates()[s.Copy]
}

func syncStates() map[pairstate.CopyState]uint64 {
	return map[pairstate.CopyState]uint64{
		pairstate.Initialized:    2,
		pairstate.Inactive:       2,
		pairstate.Prepared:       4,
		pairstate.Unsynchronized: 5,
		pairstate.Synchronized:   6,
		pairstate.Skewed:         11,
		pairstate.Restored:       11,
		pairstate.Broken:         12,
		pairstate.Fractured:      13,
		pairstate.Split:          13,
		pairstate.Suspended:      14,
	}
}
