package classes

import (
	"context"

	"twinlun/blockdev/export"
	"twinlun/blockdev/pool"
	"twinlun/replication"
	"twinlun/replication/job"
	"twinlun/replication/setting"
)

// Replicator carries out the methods of the replication service.
// *replication.Service is one. Failures are *replication.Error.
type Replicator interface {
	CreateList(ctx context.Context, r replication.ListRequest) (replication.Result, error)
	CreateGroupFromElements(ctx context.Context, r replication.GroupRequest) (replication.Result, error)
	// Modify returns the ID of the job that goes on, or "" when all is done.
	Modify(ctx context.Context, r replication.ModifyRequest) (jobID string, err error)
	// Restore returns the IDs of the relationships of what was kept.
	Restore(ctx context.Context, r replication.RestoreRequest) (kept []string, err error)
}

// The methods named Each call f for what there is when they are called, in a stable
// order, each as it is when its turn comes; what is gone by then is left out. f may
// take its time, so no lock is held meanwhile. They end with the first error of f or
// that of ctx. The methods named Of find what they give without going through all.

// Pairs shows what is replicated, by ID. A missing one is a KindInvalid error.
type Pairs interface {
	Relationship(ctx context.Context, id string) (replication.Relationship, error)
	EachRelationship(ctx context.Context, f func(replication.Relationship) error) error
	// RelationshipsOf lists those that have v as source or target.
	RelationshipsOf(ctx context.Context, v replication.VolumeRef) ([]replication.Relationship, error)
}

// Ties is Pairs for groups.
type Ties interface {
	EachGroupRelationship(ctx context.Context, f func(replication.GroupRelationship) error) error
	// GroupRelationshipsOf lists those that have a group as source or target.
	GroupRelationshipsOf(ctx context.Context, group string) ([]replication.GroupRelationship, error)
}

// Relationships shows what is replicated, one by one and in groups.
type Relationships interface {
	Pairs
	Ties
}

// GroupReader shows replication groups, by ID.
type GroupReader interface {
	Group(ctx context.Context, id string) (replication.Group, error)
	EachGroup(ctx context.Context, f func(replication.Group) error) error
	// GroupsOf lists those that have v as a member.
	GroupsOf(ctx context.Context, v replication.VolumeRef) ([]replication.Group, error)
}

// Groups keeps replication groups.
type Groups interface {
	GroupReader
	CreateGroup(ctx context.Context, s replication.GroupSpec) (replication.Group, error)
	// ModifyGroup adds or removes members; adding keeps the order given.
	ModifyGroup(ctx context.Context, id string, add, remove []replication.VolumeRef) error
	// DeleteGroup fails with KindInUse while a relationship stands on it.
	DeleteGroup(ctx context.Context, id string) error
}

// VolumeReader shows volumes.
type VolumeReader interface {
	Volume(ctx context.Context, v replication.VolumeRef) (pool.Volume, error)
	// EachVolume goes by pool and name.
	EachVolume(ctx context.Context, f func(pool.Volume) error) error
	CountVolumes(ctx context.Context) (int, error)
}

// Volumes makes and removes volumes with regard to what is replicated: a volume
// in a relationship or a group, exposed or open is KindInUse.
type Volumes interface {
	VolumeReader
	CreateVolume(ctx context.Context, pool string, s pool.Spec) (pool.Volume, error)
	// UpdateVolume is pool.Volumes.Update, and makes smaller what is empty there. f
	// may be called more than once.
	UpdateVolume(ctx context.Context, v replication.VolumeRef, f func(*pool.Volume) error) (pool.Volume, error)
	// ResizeVolume can take data away, with force.
	ResizeVolume(ctx context.Context, v replication.VolumeRef, size int64, force bool) (pool.Volume, error)
	DeleteVolume(ctx context.Context, v replication.VolumeRef) error
}

// Editor changes what is kept of groups and relationships, durably. A missing one is a
// KindInvalid error of the parameter that names it; one of a value names the property.
type Editor interface {
	EditGroup(ctx context.Context, id string, e replication.GroupEdit) error
	EditRelationship(ctx context.Context, id string, e replication.RelationshipEdit) error
	RenameGroupRelationship(ctx context.Context, id, name string) error
}

// Settings keeps the settings that users make. *setting.Keeper is one. Failures are
// setting.ErrNotFound and its neighbours, and *setting.InvalidError.
type Settings interface {
	Setting(ctx context.Context, kind setting.Kind, id string) (setting.Record, error)
	// Settings lists those of a kind by ID.
	Settings(ctx context.Context, kind setting.Kind) ([]setting.Record, error)
	CreateSetting(ctx context.Context, r setting.Record) (setting.Record, error)
	// UpdateSetting changes one as f does, or not at all where f fails.
	UpdateSetting(ctx context.Context, kind setting.Kind, id string, f func(*setting.Record) error) (setting.Record, error)
	DeleteSetting(ctx context.Context, kind setting.Kind, id string) error
}

// Pools shows the pools and scrubs them.
type Pools interface {
	Pools(ctx context.Context) ([]pool.Info, error)
	// ScrubPool begins to compare a pool with its checksums, at rate bytes a second
	// at most (0: no limit), and returns the ID of the job.
	ScrubPool(ctx context.Context, name string, rate int64) (jobID string, err error)
}

// JobReader shows jobs, by ID. A missing one is job.ErrNotFound.
type JobReader interface {
	Job(ctx context.Context, id string) (job.Record, error)
	EachJob(ctx context.Context, f func(job.Record) error) error
	// JobsOf lists those that affect an element.
	JobsOf(ctx context.Context, e job.Element) ([]job.Record, error)
	CountJobs(ctx context.Context) (int, error)
}

// Jobs shows and cancels jobs.
type Jobs interface {
	JobReader
	// CancelJob asks a running job to stop; what it had begun is undone. It
	// does not wait. A job that is done: job.ErrDone.
	CancelJob(ctx context.Context, id string) error
	// DeleteJob forgets a job that is done; one that is not: job.ErrRunning.
	DeleteJob(ctx context.Context, id string) error
}

// Exports says which volumes initiators reach. *export.Exports is one. Failures
// are *blockdev.Error.
type Exports interface {
	Expose(ctx context.Context, r export.Request) (export.Export, error)
	// Hide takes initiators off the list of an export, or with none given
	// ends the export; sessions that may no longer be are closed.
	Hide(ctx context.Context, v export.VolumeRef, initiators []string) error
	Export(ctx context.Context, v export.VolumeRef) (export.Export, error)
	Exports(ctx context.Context) ([]export.Export, error)
	// TargetOf is the iSCSI name of the target of a volume, empty if there is none.
	TargetOf(v export.VolumeRef) string
}
