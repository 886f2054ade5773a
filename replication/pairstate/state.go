package pairstate

// State is where one relationship stands. The zero value is a relationship that
// does not exist yet.
type State struct {
	Copy CopyState `json:"copy"`
	// Requested is the goal while something is in flight, NotApplicable
	// once it is reached.
	Requested CopyState      `json:"requested"`
	Progress  ProgressStatus `json:"progress"`
}

// Idle says that nothing is in flight: what comes next is up to a user or to
// the devices.
func (s State) Idle() bool { return s.Progress == Completed || s.Progress == Dormant }
