package replication

import (
	"time"

	"twinlun/replication/pairstate"
)

// ListRequest is CreateListReplica, and with one source CreateElementReplica.
type ListRequest struct {
	Names    []string // of the targets; missing or empty ones are made up
	SyncType pairstate.SyncType
	Mode     pairstate.Mode // 0: the service decides
	Sources  []VolumeRef
	Targets  []VolumeRef // existing volumes; empty: new ones are made
	// TargetPool is where new targets are allocated; empty: beside the source.
	TargetPool  string
	Consistency Consistency
	Settings    Settings
	Labels      map[string]string // for new targets, such as a storage setting
	Wait        Wait
}

// GroupRequest is CreateGroupReplicaFromElements, and with SourceGroup given
// CreateGroupReplica.
type GroupRequest struct {
	RelationshipName string // empty: made up
	SyncType         pairstate.SyncType
	Mode             pairstate.Mode
	// Sources become the members of a new source group, in order. Empty when
	// SourceGroup is given.
	Sources         []VolumeRef
	SourceGroup     string // ID of an existing group
	SourceGroupName string // of the new source group; empty: made up
	TargetGroup     string // ID of an existing group; empty: a new one is made
	TargetGroupName string // of the new target group; empty: made up
	Targets         []VolumeRef
	TargetNames     []string // empty ones are RelationshipName_1, _2, ...
	TargetPool      string
	Consistency     Consistency
	Settings        Settings
	Labels          map[string]string
	Wait            Wait
}

// Wait says what the caller waits for before a method returns.
type Wait struct {
	// State is WaitForCopyState; 0: return when the work is started.
	State pairstate.CopyState
	// For bounds the wait; the service never waits longer than MaxWait.
	For time.Duration
}

// MaxWait is the longest time that a method waits for a copy state.
const MaxWait = 10 * time.Second

// Result is what a method that makes relationships made. The slices are in the
// order of the sources.
type Result struct {
	// Job is the ID of the job that goes on, or empty when all is done. A
	// method with a job answers 4096, without one 0.
	Job string
	// Targets and Relationships have one entry for each source; with
	// Settings.ContinueOnError those that failed are missing and Failed
	// says why.
	Targets       []VolumeRef
	Relationships []string
	Failed        []error

	// GroupRelationship and both groups, for a group request.
	GroupRelationship        string
	SourceGroup, TargetGroup string
}

// Operation is the Operation parameter of ModifyReplicaSynchronization.
type Operation uint16

// The operations of CIM 2.49. Those that the service does not do yet fail with
// KindNotSupported.
const (
	OpAbort                 Operation = 2
	OpActivateConsistency   Operation = 3
	OpActivate              Operation = 4
	OpAddSyncPair           Operation = 5
	OpDeactivateConsistency Operation = 6
	OpDeactivate            Operation = 7
	OpDetach                Operation = 8
	OpDissolve              Operation = 9
	OpFailover              Operation = 10
	OpFailback              Operation = 11
	OpFracture              Operation = 12
	OpRemoveSyncPair        Operation = 13
	OpResync                Operation = 14
	OpRestore               Operation = 15
	OpResume                Operation = 16
	OpResetToSync           Operation = 17
	OpResetToAsync          Operation = 18
	OpReturnToPool          Operation = 19
	OpReverseRoles          Operation = 20
	OpSplit                 Operation = 21
	OpSuspend               Operation = 22
	OpUnprepare             Operation = 23
	OpPrepare               Operation = 24
	OpResetToAdaptive       Operation = 25
	OpResetToActive         Operation = 26
	OpResetReplica          Operation = 27
)

// ModifyRequest is ModifyReplicaSynchronization of one pair or one group
// relationship.
type ModifyRequest struct {
	Operation Operation
	// ID of a Relationship or of a GroupRelationship.
	ID    string
	Force bool
	Wait  Wait
}

// RestoreRequest is OpRestore with more to say.
type RestoreRequest struct {
	// ID of a Relationship or of a GroupRelationship.
	ID string
	// Force restores also what initiators are logged in to.
	Force bool
	// KeepName, if it is not empty, asks for a snapshot of each source as it was
	// before, with a relationship of its own. It is the name of the only one;
	// those of a group are KeepName_1, _2 and so on.
	KeepName string
}

// GroupSpec is CreateGroup.
type GroupSpec struct {
	Name                 string // empty: made up
	Members              []VolumeRef
	Persistent           bool
	DeleteOnEmptyElement bool
	DeleteOnUnassociated bool
}
