// Package job keeps long-running operations: their state, how far they are, how
// they ended, and for how long that is remembered. Jobs are records in the store
// and outlive the daemon.
package job

import "time"

// State is CIM_ConcreteJob.JobState (CIM 2.49).
type State uint16

// The job states that occur.
const (
	New        State = 2
	Starting   State = 3
	Running    State = 4
	Completed  State = 7
	Terminated State = 8
	Killed     State = 9
	Exception  State = 10
)

// String is the name that CIM_ConcreteJob gives the state, in lower case.
func (s State) String() string {
	switch s {
	case New:
		return "new"
	case Starting:
		return "starting"
	case Running:
		return "running"
	case Completed:
		return "completed"
	case Terminated:
		return "terminated"
	case Killed:
		return "killed"
	case Exception:
		return "exception"
	}
	return "unknown"
}

// Done says whether the state is final.
func (s State) Done() bool { return s >= Completed && s <= Exception }

// Record is a job as it was when it was asked for; it is a copy.
type Record struct {
	ID      string    `json:"id"`              // opaque, unique for ever
	Name    string    `json:"name"`            // what it does, for people
	Owner   string    `json:"owner,omitempty"` // user that caused it
	State   State     `json:"state"`
	Percent uint16    `json:"percent"` // 0 to 100; 100 once State.Done
	Created time.Time `json:"created"`
	Started time.Time `json:"started,omitzero"`
	Changed time.Time `json:"changed"`        // last change of State
	Ended   time.Time `json:"ended,omitzero"` // zero until State.Done
	// Retain is how long the record is kept after Ended.
	Retain time.Duration `json:"retain"`
	// ErrorCode is 0 or the return code that the method would have had;
	// Error says what failed.
	ErrorCode uint32 `json:"errorCode,omitempty"`
	Error     string `json:"error,omitempty"`
	// Result says what the work has found out, for people; often empty.
	Result string `json:"result,omitempty"`
	// Canceling: Cancel was asked for and the job has not ended yet.
	Canceling bool `json:"canceling,omitempty"`
	// Affected are the elements that the job makes or changes.
	Affected []Element `json:"affected,omitempty"`
}

// Element names an object that a job affects.
type Element struct {
	Kind ElementKind `json:"kind"`
	Pool string      `json:"pool,omitempty"` // of a Volume
	ID   string      `json:"id"`
}

// ElementKind says what an Element is.
type ElementKind string

// The kinds of element.
const (
	Volume            ElementKind = "volume"
	Relationship      ElementKind = "relationship"
	Group             ElementKind = "group"
	GroupRelationship ElementKind = "groupRelationship"
	Pool              ElementKind = "pool" // its ID is its name
)
