package pairstate

// row allows one event: for these types, in these copy states, while this is
// under way. The first row that matches decides.
type row struct {
	types []SyncType
	from  []CopyState
	while []ProgressStatus
	event Event
	force bool // only when the caller insists

	to        CopyState      // or same
	progress  ProgressStatus // or still
	requested CopyState      // NotApplicable unless something is in flight
	effects   []Effect
}

// same leaves the copy state as it is.
const same CopyState = 0

// still leaves the progress as it is.
const still ProgressStatus = 0

// What the rows are made of. Nothing changes these.
var (
	mirrors   = []SyncType{Mirror}
	snapshots = []SyncType{Snapshot}
	clones    = []SyncType{Clone}
	points    = []SyncType{Snapshot, Clone}
	all       = []SyncType{Mirror, Snapshot, Clone}

	nothing = []ProgressStatus{0} // not there yet
	idle    = []ProgressStatus{Completed, Dormant}
	taking  = []ProgressStatus{Initializing}
	copying = []ProgressStatus{Synchronizing, Resyncing}
	moving  = []ProgressStatus{Completed, Dormant, Synchronizing, Resyncing}
	ending  = []ProgressStatus{Detaching, Terminating}

	restoring = []ProgressStatus{Restoring}
	resetting = []ProgressStatus{Resyncing} // of a snapshot

	remove   = []Effect{StopCopy, RemoveAssociation}
	giveBack = []Effect{StopCopy, DeleteTarget, RemoveAssociation}
)

// from lists copy states.
func from(s ...CopyState) []CopyState { return s }

// do lists effects.
func do(e ...Effect) []Effect { return e }

// The life of a relationship. T stands for TakeSnapshot, which mirrors go
// without; everything that is not drawn and not in the table is refused.
//
//	            Formed                FormedInactive
//	              |                        |
//	              v                        v
//	         Initialized --- Activate - Inactive <--- CopyFailed (T)
//	              | Begin, Activate  \     ^               |
//	              v                   \    |               |
//	         Initialized/Initializing (T) -+---------------+
//	              | Taken, or a mirror's Begin
//	              v                  CopyFailed,
//	+------> Unsynchronized -------- TargetLost -----> Broken
//	|         |           ^                              |
//	| Restart,| CopyDone  +-- TargetReturned, Restart ---+
//	| Diverged|                (mirrors and clones)
//	| (M)     v      TargetWritten (S, C)
//	+--- Synchronized -----------------> Skewed
//
//	from most of these: Detach, Dissolve, ReturnToPool -> (same)/Detaching or
//	Terminating -> gone; EndFailed leads back.
//
// A snapshot goes from T to Synchronized at once. A clone that is written while
// it is copied is Skewed/Synchronizing, and Skewed when the copy is done.
//
// Restore takes a snapshot or clone through (same)/Restoring. One that nobody has
// written to is Synchronized again, for it still is its point in time. One that was
// Skewed is Restored: it is what its source was given, and that is no point in time
// of the source. Reset takes a snapshot through (same)/Resyncing to Synchronized.
var table = []row{
	// Creation.
	{all, from(0), nothing, Formed, false, Initialized, Dormant, NotApplicable, nil},
	{all, from(0), nothing, FormedInactive, false, Inactive, Dormant, NotApplicable, nil},
	{mirrors, from(Initialized), idle, Begin, false, Unsynchronized, Synchronizing, Synchronized, do(RecordActivated, StartCopy)},
	{points, from(Initialized), idle, Begin, false, Initialized, Initializing, Synchronized, do(TakeSnapshot)},
	{mirrors, from(Initialized, Inactive, Prepared), idle, Activate, false, Unsynchronized, Synchronizing, Synchronized, do(RecordActivated, StartCopy)},
	{points, from(Initialized, Inactive, Prepared), idle, Activate, false, Initialized, Initializing, Synchronized, do(TakeSnapshot)},
	{snapshots, from(Initialized), taking, Taken, false, Synchronized, Completed, NotApplicable, do(RecordActivated, RecordSynchronized)},
	{clones, from(Initialized), taking, Taken, false, Unsynchronized, Synchronizing, Synchronized, do(RecordActivated, StartCopy)},
	{points, from(Initialized), taking, CopyFailed, false, Inactive, Dormant, NotApplicable, nil},

	// The copy.
	{all, from(Unsynchronized), copying, CopyDone, false, Synchronized, Completed, NotApplicable, do(RecordSynchronized)},
	{clones, from(Skewed), copying, CopyDone, false, Skewed, Completed, NotApplicable, nil},
	{mirrors, from(Unsynchronized, Synchronized), moving, CopyFailed, false, Broken, Dormant, NotApplicable, nil},
	{clones, from(Unsynchronized, Skewed), copying, CopyFailed, false, Broken, Dormant, NotApplicable, nil},

	// The devices.
	{mirrors, from(Unsynchronized, Synchronized), moving, TargetLost, false, Broken, Dormant, NotApplicable, nil},
	{points, from(Unsynchronized, Synchronized, Skewed, Restored), moving, TargetLost, false, Broken, Dormant, NotApplicable, do(StopCopy)},
	{mirrors, from(Broken), idle, TargetReturned, false, Unsynchronized, Resyncing, Synchronized, do(StartCopy)},
	{clones, from(Broken), idle, TargetReturned, false, Unsynchronized, Synchronizing, Synchronized, do(StartCopy)},
	{mirrors, from(Synchronized), idle, Diverged, false, Unsynchronized, Resyncing, Synchronized, nil},
	{mirrors, from(Unsynchronized), copying, Diverged, false, same, still, Synchronized, nil},
	{points, from(Synchronized), idle, TargetWritten, false, Skewed, Completed, NotApplicable, nil},
	{clones, from(Unsynchronized), copying, TargetWritten, false, Skewed, Synchronizing, NotApplicable, nil},

	// The way back. What a host writes to the target meanwhile stays in it.
	{points, from(Synchronized), idle, Restore, false, same, Restoring, Synchronized, do(RestoreSource)},
	{points, from(Skewed, Restored), idle, Restore, false, same, Restoring, Restored, do(RestoreSource)},
	{points, from(Synchronized), restoring, TargetWritten, false, Skewed, Restoring, Restored, nil},
	{points, from(Synchronized), restoring, SourceRestored, false, Synchronized, Completed, NotApplicable, nil},
	{points, from(Skewed, Restored), restoring, SourceRestored, false, Restored, Completed, NotApplicable, nil},
	{points, from(Synchronized, Skewed, Restored), restoring, RestoreFailed, false, same, Completed, NotApplicable, nil},
	{snapshots, from(Synchronized, Skewed, Restored), idle, Reset, false, same, Resyncing, Synchronized, do(ResetTarget)},
	{snapshots, from(Synchronized, Skewed, Restored), resetting, TargetReset, false, Synchronized, Completed, NotApplicable, nil},
	{snapshots, from(Synchronized, Skewed, Restored), resetting, ResetFailed, false, same, Completed, NotApplicable, nil},

	// The start of the daemon. The last row: what is idle stays as it is.
	{points, from(Initialized), taking, Restart, false, Initialized, Initializing, Synchronized, do(TakeSnapshot)},
	{mirrors, from(Unsynchronized), []ProgressStatus{Synchronizing}, Restart, false, Unsynchronized, Synchronizing, Synchronized, do(StartCopy)},
	{mirrors, from(Unsynchronized, Synchronized, Broken), moving, Restart, false, Unsynchronized, Resyncing, Synchronized, do(StartCopy)},
	{clones, from(Unsynchronized, Broken), moving, Restart, false, Unsynchronized, Synchronizing, Synchronized, do(StartCopy)},
	{clones, from(Skewed), copying, Restart, false, Skewed, Synchronizing, NotApplicable, do(StartCopy)},
	{points, from(Synchronized), restoring, Restart, false, same, Restoring, Synchronized, do(FindOut)},
	{points, from(Skewed, Restored), restoring, Restart, false, same, Restoring, Restored, do(FindOut)},
	{snapshots, from(Synchronized, Skewed, Restored), resetting, Restart, false, same, Resyncing, Synchronized, do(FindOut)},
	{all, nil, []ProgressStatus{Detaching}, Restart, false, same, Detaching, NotApplicable, remove},
	{snapshots, nil, []ProgressStatus{Terminating}, Restart, false, same, Terminating, NotApplicable, giveBack},
	{all, nil, idle, Restart, false, same, still, NotApplicable, nil},

	// The end.
	{clones, from(Synchronized, Skewed, Restored), idle, Detach, false, same, Detaching, NotApplicable, remove},
	{mirrors, from(Broken, Fractured, Split, Suspended, Aborted), idle, Detach, false, same, Detaching, NotApplicable, remove},
	{mirrors, from(Unsynchronized, Synchronized), moving, Detach, true, same, Detaching, NotApplicable, remove},
	{all, nil, idle, Dissolve, false, same, Detaching, NotApplicable, remove},
	{all, from(Unsynchronized, Skewed), copying, Dissolve, true, same, Detaching, NotApplicable, remove},
	{snapshots, nil, idle, ReturnToPool, false, same, Terminating, NotApplicable, giveBack},

	// An end that failed. A mirror or a copy that was stopped for it runs again.
	{mirrors, from(Unsynchronized, Synchronized), ending, EndFailed, false, Unsynchronized, Resyncing, Synchronized, do(StartCopy)},
	{clones, from(Unsynchronized), ending, EndFailed, false, Unsynchronized, Synchronizing, Synchronized, do(StartCopy)},
	{clones, from(Skewed), ending, EndFailed, false, Skewed, Synchronizing, NotApplicable, do(StartCopy)},
	{points, from(Synchronized, Skewed, Restored), ending, EndFailed, false, same, Completed, NotApplicable, nil},
	{all, nil, ending, EndFailed, false, same, Dormant, NotApplicable, nil},
}
