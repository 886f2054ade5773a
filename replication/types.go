// Package replication makes and keeps replicas of volumes: clones, snapshots and
// mirrors, one by one, in lists and in groups. Service is what management
// protocols call; it knows nothing of CIM or SOAP, but its terms and numbers are
// those of the SNIA Replication Services profile.
//
// Every relationship, group and job is a record in the store. A change of state
// is stored before it is acted on, so that a restart continues what was under way.
package replication

import (
	"time"

	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
)

// VolumeRef names a volume in one of the service's pools.
type VolumeRef struct {
	Pool string        `json:"pool"`
	ID   pool.VolumeID `json:"id"`
}

// Relationship ties a target volume to its source (CIM_StorageSynchronized). The
// value is a copy: reading it needs no lock.
type Relationship struct {
	ID    string // opaque, unique for ever
	Group string // ID of the group relationship it is a pair of, or empty
	// GroupName is the name of that, or empty. It is not stored.
	GroupName string `json:"-"`

	Name   string // user's name; never empty
	Source VolumeRef
	Target VolumeRef
	Type   pairstate.SyncType
	Mode   pairstate.Mode
	State  pairstate.State
	// Percent of the work to reach synchronization that is done, 0 to 100.
	Percent  uint16
	Settings Settings
	Reason   string // why CopyState is Broken; otherwise empty

	WhenEstablished  time.Time
	WhenActivated    time.Time // also the point in time of a snapshot or clone
	WhenSynchronized time.Time // zero until it first was
}

// Group is an ordered list of volumes (CIM_ReplicationGroup). The value is a copy.
type Group struct {
	ID                    string // opaque, unique for ever
	Name                  string // unique regardless of case
	Members               []VolumeRef
	Persistent            bool // false: may go when the last relationship of it ends
	DeleteOnEmptyElement  bool
	DeleteOnUnassociated  bool
	ConsistentPointInTime bool // a target group whose members hold one instant
	Created               time.Time
}

// GroupRelationship ties a target group to its source group
// (CIM_GroupSynchronized). Its state is that of its pairs: their common value or
// Mixed.
type GroupRelationship struct {
	ID          string
	Name        string   // RelationshipName, unique regardless of case
	Source      string   // group ID
	Target      string   // group ID
	Pairs       []string // relationship IDs in the order of the source group; not to be changed
	Type        pairstate.SyncType
	Mode        pairstate.Mode
	Consistency Consistency
	State       pairstate.State
	Percent     uint16

	WhenEstablished  time.Time
	WhenActivated    time.Time
	WhenSynchronized time.Time
}

// Consistency is the Consistency parameter of the group and list methods.
type Consistency uint16

// The consistencies. The zero value leaves it to the service.
const (
	NoConsistency         Consistency = 2
	SequentialConsistency Consistency = 3
)

// Settings are what the service honours of a CIM_ReplicationSettingData. The
// zero value is the default of every field.
type Settings struct {
	// CopyPriority is 0 not managed, 1 low, 2 same, 3 high, 4 urgent. Low
	// halves the share of the background copy.
	CopyPriority uint16 `json:"copyPriority,omitempty"`
	// ContinueOnError (OnGroupOrListError 2) keeps the members of a list or
	// group that succeeded when others fail.
	ContinueOnError bool `json:"continueOnError,omitempty"`
	// ConsistentPointInTime asks for one instant across all members, as
	// SequentialConsistency does.
	ConsistentPointInTime bool `json:"consistentPointInTime,omitempty"`
	// TargetReadOnly (ReadOnly 3) refuses host writes to the target.
	TargetReadOnly bool `json:"targetReadOnly,omitempty"`
}
