// Package pairstate is the state machine of one replication relationship. It is
// pure: Step takes a state, an event and the time and returns the next state and
// the effects that the caller must carry out; it does no I/O and keeps nothing.
//
// The vocabulary and its numbers are those of CIM_Synchronized and
// CIM_StorageSynchronized (CIM 2.49).
package pairstate

// SyncType is CIM_Synchronized.SyncType: the type of copy.
type SyncType uint16

// The types of copy.
const (
	Mirror   SyncType = 6
	Snapshot SyncType = 7
	Clone    SyncType = 8
)

// Mode is CIM_Synchronized.Mode: when the target is updated.
type Mode uint16

// The modes.
const (
	Synchronous  Mode = 2
	Asynchronous Mode = 3
)

// CopyState is CIM_Synchronized.CopyState.
type CopyState uint16

// The copy states.
const (
	Initialized    CopyState = 2
	Unsynchronized CopyState = 3
	Synchronized   CopyState = 4
	Broken         CopyState = 5
	Fractured      CopyState = 6
	Split          CopyState = 7
	Inactive       CopyState = 8
	Suspended      CopyState = 9
	Failedover     CopyState = 10
	Prepared       CopyState = 11
	Aborted        CopyState = 12
	Skewed         CopyState = 13
	Mixed          CopyState = 14
	NotApplicable  CopyState = 15
	Partitioned    CopyState = 16
	Invalid        CopyState = 17
	Restored       CopyState = 18
)

// ProgressStatus is CIM_Synchronized.ProgressStatus.
type ProgressStatus uint16

// The progress statuses that occur.
const (
	Completed     ProgressStatus = 2
	Dormant       ProgressStatus = 3
	Initializing  ProgressStatus = 4
	Preparing     ProgressStatus = 5
	Synchronizing ProgressStatus = 6
	Resyncing     ProgressStatus = 7
	Restoring     ProgressStatus = 8
	Fracturing    ProgressStatus = 9
	Splitting     ProgressStatus = 10
	FailingOver   ProgressStatus = 11
	FailingBack   ProgressStatus = 12
	Aborting      ProgressStatus = 13
	Mixing        ProgressStatus = 14
	NoProgress    ProgressStatus = 15
	Suspending    ProgressStatus = 16
	Detaching     ProgressStatus = 21
	Terminating   ProgressStatus = 23
)
