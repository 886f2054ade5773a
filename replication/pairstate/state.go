package pairstate

// State is where one relationship stands.
type State struct {
	Copy CopyState `json:"copy"`
	// Requested is the goal while something is in flight, NotApplicable
	// once it is reached.
	Requested CopyState      `json:"requested"`
	Progress  ProgressStatus `json:"progress"`
}
