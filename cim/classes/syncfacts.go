package classes

import (
	"time"

	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/pairstate"
)

// setSynchronized sets what CIM_Synchronized has of the state of a replica.
func setSynchronized(b *cim.Builder, t pairstate.SyncType, mode pairstate.Mode, s pairstate.State, percent uint16) {
	b.Set("SyncType", uint64(t)).Set("Mode", uint64(mode)).Set("SyncMaintained", t == pairstate.Mirror).
		Set("CopyState", uint64(s.Copy)).Set("RequestedCopyState", uint64(s.Requested)).
		Set("ProgressStatus", uint64(s.Progress)).Set("PercentSynced", percent).
		Set("CopyRecoveryMode", 2).Set("FailedCopyStopsHostIO", false)
	if t == pairstate.Mirror && mode == pairstate.Synchronous {
		b.Set("RPO", cim.IntervalValue(0))
	}
}

func setTimes(b *cim.Builder, established, activated, synchronized time.Time) {
	b.Set("WhenEstablished", cim.TimeValue(established)).Set("WhenActivated", cim.TimeValue(activated)).
		Set("WhenSynchronized", cim.TimeValue(synchronized))
}

// setConsistency sets what CIM_GroupSynchronized has of consistency.
func setConsistency(b *cim.Builder, g replication.GroupRelationship) {
	if g.Consistency != replication.SequentialConsistency {
		b.Set("ConsistencyEnabled", false).Set("ConsistencyState", 2).Set("ConsistencyStatus", 4)
		return
	}
	b.Set("ConsistencyEnabled", true).Set("ConsistencyType", 2)
	if g.State.Copy == pairstate.Synchronized || g.Type != pairstate.Mirror {
		b.Set("ConsistencyState", 3).Set("ConsistencyStatus", 2)
		return
	}
	b.Set("ConsistencyState", 4).Set("ConsistencyStatus", 3)
}

// copyType is StorageSynchronized.CopyType, the older name of the type of copy:
// 3 Sync, 4 UnSyncAssoc, 5 UnSyncUnAssoc.
func copyType(t pairstate.SyncType) uint64 {
	switch t {
	case pairstate.Mirror:
		return 3
	case pairstate.Snapshot:
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
func syncState(t pairstate.SyncType, s pairstate.State) uint64 {
	if t == pairstate.Snapshot && s.Copy == pairstate.Synchronized {
		return 11
	}
	if state, ok := syncStates()[s.Copy]; ok {
		return state
	}
	return 0
}

func syncStates() map[pairstate.CopyState]uint64 {
	return map[pairstate.CopyState]uint64{
		pairstate.Initialized:    2,
		pairstate.Inactive:       2,
		pairstate.Prepared:       4,
		pairstate.Unsynchronized: 5,
		pairstate.Synchronized:   6,
		pairstate.Skewed:         11,
		pairstate.Broken:         12,
		pairstate.Fractured:      13,
		pairstate.Split:          13,
		pairstate.Suspended:      14,
	}
}
