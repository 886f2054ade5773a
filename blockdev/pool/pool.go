// Package pool keeps named volumes: it makes, opens, resizes and deletes them,
// takes snapshots of sets of them at one instant, and turns snapshots into
// volumes that stand alone.
//
// Pool is the interface that everything above uses. It speaks of volumes only:
// nothing in it assumes layers, files or one machine.
package pool

import (
	"context"
	"time"

	"twinlun/blockdev"
)

// VolumeID names a volume for ever: the 32 lower-case hexadecimal digits of the
// NAA IEEE Registered Extended identifier (SPC-5 section 7.7.6.6.5) that hosts
// read from VPD page 0x83. It is never used again for another volume.
type VolumeID string

// Volume describes a volume as it was when it was asked for.
type Volume struct {
	ID      VolumeID
	Pool    string // name of the pool that holds it
	Name    string // unique in its pool regardless of case; see ValidName
	Size    int64  // bytes, a multiple of blockdev.SectorSize
	Created time.Time
	// Allocated is the space in bytes that belongs to this volume alone: what
	// deleting it gives back at least.
	Allocated int64
	// Shared is the space in bytes of what the volume reads, or may be reset to,
	// and others do, too.
	Shared int64
	// Dependent says that the volume still reads data that it shares with
	// another (a snapshot, or a clone that is not yet hydrated).
	Dependent bool
	// Damaged is how many bytes of what the volume stands on are known not to be
	// what was written. What the volume has written over meanwhile may count.
	Damaged int64
	// Labels are small facts that the layers above keep with the volume.
	Labels map[string]string
}

// Spec is a wish for a new volume.
type Spec struct {
	ID     VolumeID // empty: the pool chooses; given: it must be new (see NewID)
	Name   string   // must be valid (ValidName) and free
	Size   int64    // bytes, a positive multiple of blockdev.SectorSize
	Labels map[string]string
}

// Copy is a wish for one member of a snapshot set. Exactly one of Target.Name
// and Into is given.
type Copy struct {
	Source VolumeID
	// Target is the new volume. A Size of 0 means that of the source; it
	// cannot be smaller, and what lies beyond the source reads as zeros.
	Target Spec
	// Into is an existing volume, at least as large as the source, whose
	// content is replaced. It keeps its identity, name, size and handles.
	Into VolumeID
}

// Info describes a pool.
type Info struct {
	Name           string
	Total          int64 // bytes that the place below can hold
	Free           int64 // bytes that are free there now
	Allocated      int64 // bytes that the pool's volumes hold
	Shared         int64 // of Allocated, what belongs to more than one volume
	Metadata       int64 // of Allocated, what says where the volumes' data is, and its checksums
	Reserve        int64 // of Free, what volumes cannot take by being written to
	Provisioned    int64 // sum of the sizes of its volumes
	MaxProvisioned int64 // what that is limited to; 0: no limit
	Merging        int   // layers that wait for a merge, which gives space back
	Reclaimable    int64 // of Allocated, what these merges give back at most
	Volumes        int
	LostFiles      int   // files of layers that the pool does not know, kept aside
	Lost           int64 // bytes that they take
	Damaged        int64 // bytes that are known to be damaged: scrubs and reads since the pool was opened found them
}

// Progress tells how far a long operation is: done of total bytes. It is called
// from one goroutine at a time, must return quickly, and total may change.
type Progress func(done, total int64)

// Volumes makes, lists and removes volumes.
type Volumes interface {
	// Create makes a volume that reads as zeros. KindExists: the name or the
	// id is taken; KindNoSpace: there is no room for its metadata. The
	// volume is durable when Create returns.
	Create(ctx context.Context, s Spec) (Volume, error)
	// Get describes one volume; KindNotFound if there is none.
	Get(ctx context.Context, id VolumeID) (Volume, error)
	// List describes all volumes, ordered by name.
	List(ctx context.Context) ([]Volume, error)
	// Update changes a volume's description: f gets a copy and may change
	// Name, Labels and a larger Size; other changes are ignored. What f
	// returns as an error comes back and changes nothing. Open handles see a
	// new size at once. KindInvalid: smaller size; KindExists: name taken.
	Update(ctx context.Context, id VolumeID, f func(*Volume) error) (Volume, error)
	// Delete removes the volume. KindBusy while a handle is open or a hook
	// attached. Snapshots and clones of it are not affected; space that
	// nothing shows through any more comes back soon after.
	Delete(ctx context.Context, id VolumeID) error
}

// Opener gives access to the content of volumes.
type Opener interface {
	// Open gives a handle whose writes pass the volume's hooks. Any number
	// may be open. It implements blockdev.FUAWriter, Zeroer and Extenter.
	Open(ctx context.Context, id VolumeID) (blockdev.Device, error)
	// OpenRaw gives a handle whose writes go past the hooks: for those who
	// attached them.
	OpenRaw(ctx context.Context, id VolumeID) (blockdev.Device, error)
	// Attach puts h in the write path of the volume's present and future
	// handles, before hooks attached earlier. It returns when every write
	// that did not pass h has ended. detach takes it out and returns when no
	// write is in h any more; a second call does nothing. Hooks are not
	// kept over a restart.
	Attach(ctx context.Context, id VolumeID, h blockdev.Hook) (detach func(), err error)
}

// Copier makes volumes of volumes.
type Copier interface {
	// Snapshot makes, for each member, a writable volume with the content
	// that its source has at one instant common to all members: a write that
	// any source acknowledged before the instant is in, a write that began
	// after it is not. All are made, in the order asked for, or none. The
	// result is durable when Snapshot returns. Cost does not depend on
	// sizes. KindNotFound, KindExists, KindInvalid (size) as for Create;
	// KindBusy: Into is the source of another member or is named twice.
	Snapshot(ctx context.Context, set []Copy) ([]Volume, error)
	// Hydrate copies what the volume shares with others until it depends on
	// nothing. It can be stopped by ctx and called again, also after a
	// restart, and continues. The volume can be used meanwhile. rate is in
	// bytes a second, 0 means no limit.
	Hydrate(ctx context.Context, id VolumeID, rate int64, p Progress) error
}

// Namer is what a Pool has that can tell the names that are taken without
// describing the volumes. List tells them otherwise.
type Namer interface {
	// Names gives the names of all volumes, in lower case and in no order.
	Names(ctx context.Context) ([]string, error)
	// Named says whether a volume has the name, in any case.
	Named(ctx context.Context, name string) (bool, error)
}

// Walker is what a Pool has that can list its volumes one by one. List tells them
// otherwise.
type Walker interface {
	// Walk calls f for the volumes that are there when it is called, ordered by
	// name, each as it is when its turn comes; those that are gone by then are left
	// out. f may take its time and may call the pool. Walk ends with f's first error.
	Walk(ctx context.Context, f func(Volume) error) error
	// Count says how many volumes there are.
	Count(ctx context.Context) (int, error)
}

// Scrubber is what a Pool has that can compare its content with checksums.
type Scrubber interface {
	// Scrub does so; see LayerPool.Scrub. It ends early with ctx.
	Scrub(ctx context.Context, o ScrubOptions) (Scrubbed, error)
}

// Pool is one place that holds volumes. All methods may be called at the same
// time; each failure is a *blockdev.Error.
type Pool interface {
	Volumes
	Opener
	Copier
	// Info describes the pool and its space as it is now.
	Info(ctx context.Context) (Info, error)
	// Name is the pool's name; it never changes.
	Name() string
}
