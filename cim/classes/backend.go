package classes

import (
	"context"

	"twinlun/blockdev/export"
	"twinlun/blockdev/pool"
	"twinlun/replication"
	"twinlun/replication/job"
)

// Replicator carries out the methods of the replication service.
// *replication.Service is one. Failures are *replication.Error.
type Replicator interface {
	CreateList(ctx context.Context, r replication.ListRequest) (replication.Result, error)
	CreateGroupFromElements(ctx context.Context, r replication.GroupRequest) (replication.Result, error)
	// Modify returns the ID of the job that goes on, or "" when all is done.
	Modify(ctx context.Context, r replication.ModifyRequest) (jobID string, err error)
}

// Relationships shows what is replicated. Lists are ordered by ID and are
// snapshots; a missing one is a KindInvalid error.
type Relationships interface {
	Relationship(ctx context.Context, id string) (replication.Relationship, error)
	Relationships(ctx context.Context) ([]replication.Relationship, error)
	// RelationshipsOf lists those that have v as source or target.
	RelationshipsOf(ctx context.Context, v replication.VolumeRef) ([]replication.Relationship, error)
	GroupRelationship(ctx context.Context, id string) (replication.GroupRelationship, error)
	GroupRelationships(ctx context.Context) ([]replication.GroupRelationship, error)
}

// Groups keeps replication groups.
type Groups interface {
	Group(ctx context.Context, id string) (replication.Group, error)
	Groups(ctx context.Context) ([]replication.Group, error)
	CreateGroup(ctx context.Context, s replication.GroupSpec) (replication.Group, error)
	// ModifyGroup adds or removes members; adding keeps the order given.
	ModifyGroup(ctx context.Context, id string, add, remove []replication.VolumeRef) error
	// DeleteGroup fails with KindInUse while a relationship stands on it.
	DeleteGroup(ctx context.Context, id string) error
}

// Volumes makes and removes volumes with regard to what is replicated: a volume
// in a relationship or a group, exposed or open is KindInUse.
type Volumes interface {
	CreateVolume(ctx context.Context, pool string, s pool.Spec) (pool.Volume, error)
	// UpdateVolume is pool.Volumes.Update.
	UpdateVolume(ctx context.Context, v replication.VolumeRef, f func(*pool.Volume) error) (pool.Volume, error)
	DeleteVolume(ctx context.Context, v replication.VolumeRef) error
	Volume(ctx context.Context, v replication.VolumeRef) (pool.Volume, error)
	// Volumes lists those of all pools by pool and name.
	Volumes(ctx context.Context) ([]pool.Volume, error)
}

// Pools shows the pools.
type Pools interface {
	Pools(ctx context.Context) ([]pool.Info, error)
}

// Jobs shows and cancels jobs. A missing one is job.ErrNotFound.
type Jobs interface {
	Job(ctx context.Context, id string) (job.Record, error)
	Jobs(ctx context.Context) ([]job.Record, error)
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
}
