package pairstate

// Event is what happens to a relationship: an order of a user, or news of the
// devices and the copy.
type Event uint8

// The events.
const (
	// Formed: the relationship is made; its data does not flow yet.
	Formed Event = iota + 1
	// FormedInactive: it is made and waits for Activate.
	FormedInactive
	// Begin starts the flow of data of a relationship that was Formed.
	Begin
	// Activate starts the flow of data of one that waits for it.
	Activate
	// Taken: the effect TakeSnapshot is done.
	Taken
	// CopyDone: source and target are equal, or the target needs the source
	// no more.
	CopyDone
	// CopyFailed: the effect TakeSnapshot or StartCopy failed, or the copy
	// could not go on.
	CopyFailed
	// TargetLost: the target cannot be written, or is not there.
	TargetLost
	// TargetReturned: what failed may work again.
	TargetReturned
	// Diverged: a write of the source failed half-way, so that a mirror's
	// two sides may differ although both still work.
	Diverged
	// TargetWritten: a host wrote to the target of a snapshot or clone.
	TargetWritten
	// Restart: the daemon has started and nothing is running.
	Restart
	// Detach makes the target a volume on its own.
	Detach
	// Dissolve ends the relationship and keeps the target as it is.
	Dissolve
	// ReturnToPool ends the relationship and deletes the target.
	ReturnToPool
	// EndFailed: an effect of Detach, Dissolve or ReturnToPool failed.
	EndFailed
	// Restore gives the source the content of the target.
	Restore
	// SourceRestored: the effect RestoreSource is done.
	SourceRestored
	// RestoreFailed: it failed, and the source is as it was.
	RestoreFailed
	// Reset takes the target of a snapshot back to its point in time.
	Reset
	// TargetReset: the effect ResetTarget is done.
	TargetReset
	// ResetFailed: it failed, and the target is as it was.
	ResetFailed
)

var eventNames = [...]string{
	Formed: "Formed", FormedInactive: "FormedInactive", Begin: "Begin", Activate: "Activate",
	Taken: "Taken", CopyDone: "CopyDone", CopyFailed: "CopyFailed", TargetLost: "TargetLost",
	TargetReturned: "TargetReturned", Diverged: "Diverged", TargetWritten: "TargetWritten",
	Restart: "Restart", Detach: "Detach", Dissolve: "Dissolve", ReturnToPool: "ReturnToPool",
	EndFailed: "EndFailed",
	Restore:   "Restore", SourceRestored: "SourceRestored", RestoreFailed: "RestoreFailed",
	Reset: "Reset", TargetReset: "TargetReset", ResetFailed: "ResetFailed",
}

// String is the name of the constant.
func (e Event) String() string { return nameOf(eventNames[:], uint16(e)) }

// Effect is something that the caller must do after it has stored the new
// state. Each is idempotent: after a crash Restart asks for it again.
type Effect uint8

// The effects.
const (
	// TakeSnapshot: make the target show what the source holds now, together
	// with the other members of a consistent set; then Taken or CopyFailed.
	TakeSnapshot Effect = iota + 1
	// StartCopy: let the copy run from where it was - a clone's hydration, a
	// mirror with its first copy or resync; then CopyDone or CopyFailed.
	StartCopy
	// StopCopy: stop what StartCopy started and wait for its end. It does
	// nothing when nothing runs.
	StopCopy
	// DeleteTarget: delete the target volume if it is there.
	DeleteTarget
	// RemoveAssociation: forget the relationship, with its dirty regions, in
	// one store transaction. What fails before it is EndFailed.
	RemoveAssociation
	// RecordActivated: the time is the relationship's WhenActivated. It
	// belongs to the transaction that stores the state.
	RecordActivated
	// RecordSynchronized: the time is its WhenSynchronized. It belongs to the
	// transaction that stores the state.
	RecordSynchronized
	// RestoreSource: make the source show what the target holds, together with
	// the other members of a group; then SourceRestored or RestoreFailed.
	RestoreSource
	// ResetTarget: take the target back to its point in time, likewise; then
	// TargetReset or ResetFailed.
	ResetTarget
	// FindOut whether RestoreSource or ResetTarget has happened, without doing it:
	// hosts may have written since; then the same events.
	FindOut
)

var effectNames = [...]string{
	TakeSnapshot: "TakeSnapshot", StartCopy: "StartCopy", StopCopy: "StopCopy",
	DeleteTarget: "DeleteTarget", RemoveAssociation: "RemoveAssociation",
	RecordActivated: "RecordActivated", RecordSynchronized: "RecordSynchronized",
	RestoreSource: "RestoreSource", ResetTarget: "ResetTarget", FindOut: "FindOut",
}

// String is the name of the constant.
func (e Effect) String() string { return nameOf(effectNames[:], uint16(e)) }

// Error refuses an event.
type Error struct {
	Type  SyncType
	State State
	Event Event
	// NeedsForce: the event would be taken with force.
	NeedsForce bool
}

// Error tells the event and the state that refuses it.
func (e *Error) Error() string {
	s := e.Event.String() + " is not possible for a " + e.Type.String() + " that is " + e.State.String()
	if e.NeedsForce {
		s += " without force"
	}
	return s
}
