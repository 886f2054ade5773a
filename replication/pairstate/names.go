package pairstate

import "strconv"

var syncTypeNames = map[SyncType]string{Mirror: "mirror", Snapshot: "snapshot", Clone: "clone"}

var copyStateNames = [...]string{
	Initialized: "Initialized", Unsynchronized: "Unsynchronized", Synchronized: "Synchronized",
	Broken: "Broken", Fractured: "Fractured", Split: "Split", Inactive: "Inactive",
	Suspended: "Suspended", Failedover: "Failedover", Prepared: "Prepared", Aborted: "Aborted",
	Skewed: "Skewed", Mixed: "Mixed", NotApplicable: "NotApplicable", Partitioned: "Partitioned",
	Invalid: "Invalid", Restored: "Restored",
}

var progressNames = [...]string{
	Completed: "Completed", Dormant: "Dormant", Initializing: "Initializing", Preparing: "Preparing",
	Synchronizing: "Synchronizing", Resyncing: "Resyncing", Restoring: "Restoring",
	Fracturing: "Fracturing", Splitting: "Splitting", FailingOver: "FailingOver",
	FailingBack: "FailingBack", Aborting: "Aborting", Mixing: "Mixing", NoProgress: "NoProgress",
	Suspending: "Suspending", Detaching: "Detaching", Terminating: "Terminating",
}

// nameOf is names[n], or "none" for 0 and the number for what has no name.
func nameOf(names []string, n uint16) string {
	if n == 0 {
		return "none"
	}
	if int(n) < len(names) && names[n] != "" {
		return names[n]
	}
	return strconv.Itoa(int(n))
}

// String is the type in lower case, such as "clone".
func (t SyncType) String() string {
	if s, ok := syncTypeNames[t]; ok {
		return s
	}
	return strconv.Itoa(int(t))
}

// String is the name that CIM_Synchronized gives the state, without spaces.
func (c CopyState) String() string { return nameOf(copyStateNames[:], uint16(c)) }

// String is the name that CIM_Synchronized gives the status, without spaces.
func (p ProgressStatus) String() string { return nameOf(progressNames[:], uint16(p)) }

// String is "copy state/progress", with the goal while there is one.
func (s State) String() string {
	t := s.Copy.String() + "/" + s.Progress.String()
	if s.Requested != NotApplicable && s.Requested != 0 {
		t += "->" + s.Requested.String()
	}
	return t
}
