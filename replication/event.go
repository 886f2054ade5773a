package replication

import (
	"time"

	"twinlun/blockdev/pool"
	"twinlun/replication/job"
	"twinlun/replication/pairstate"
)

// Change is one object before and after something happened to it. The values are
// copies. Both are nil where the event is of another object.
type Change[T any] struct {
	Before *T // nil: the object was made
	After  *T // nil: the object is gone
}

// ChangeKind says what happened to an object.
type ChangeKind uint8

// The kinds of change.
const (
	Unchanged ChangeKind = iota
	Created
	Modified
	Deleted
)

// String is the kind in lower case.
func (k ChangeKind) String() string {
	return [...]string{Unchanged: "unchanged", Created: "created", Modified: "modified", Deleted: "deleted"}[min(k, Deleted)]
}

// Kind says what happened; Unchanged for a Change without an object.
func (c Change[T]) Kind() ChangeKind {
	switch {
	case c.Before == nil && c.After == nil:
		return Unchanged
	case c.Before == nil:
		return Created
	case c.After == nil:
		return Deleted
	}
	return Modified
}

// ObjectKind says what sort of object an Event is about.
type ObjectKind uint8

// The sorts of object.
const (
	RelationshipObject ObjectKind = iota + 1
	GroupRelationshipObject
	GroupObject
	JobObject
	VolumeObject
)

// String names the sort as metrics do.
func (k ObjectKind) String() string {
	names := [...]string{
		RelationshipObject: "relationship", GroupRelationshipObject: "group_relationship",
		GroupObject: "group", JobObject: "job", VolumeObject: "volume",
	}
	return names[min(k, VolumeObject)]
}

// Event is one change of one object, after it was stored. Exactly one of the
// Changes is set. What a list shows at some time is what it showed before with the
// events since then applied, but for the Allocated, Shared, Dependent and Damaged of
// volumes: they move with the data and are no event by themselves.
type Event struct {
	// Number counts the events of a Service from 1. Those of one object are in
	// the order of its changes.
	Number uint64
	Time   time.Time

	Relationship      Change[Relationship]
	GroupRelationship Change[GroupRelationship]
	Group             Change[Group]
	Job               Change[job.Record]
	Volume            Change[pool.Volume]
}

// About says what the event is about and what happened to it.
func (e *Event) About() (ObjectKind, ChangeKind) {
	for _, c := range [...]struct {
		of   ObjectKind
		kind ChangeKind
	}{
		{RelationshipObject, e.Relationship.Kind()}, {GroupRelationshipObject, e.GroupRelationship.Kind()},
		{GroupObject, e.Group.Kind()}, {JobObject, e.Job.Kind()}, {VolumeObject, e.Volume.Kind()},
	} {
		if c.kind != Unchanged {
			return c.of, c.kind
		}
	}
	return 0, Unchanged
}

// Broke says whether the event is that of a relationship that became Broken.
func (e *Event) Broke() bool {
	return broken(e.Relationship.After) && !broken(e.Relationship.Before)
}

func broken(r *Relationship) bool { return r != nil && r.State.Copy == pairstate.Broken }
