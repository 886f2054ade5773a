package replication

import (
	"fmt"

	"twinlun/replication/pairstate"
)

// wish is what the list and the group methods have in common.
type wish struct {
	typ         pairstate.SyncType
	mode        pairstate.Mode
	consistency Consistency
	settings    Settings
	wait        Wait
	labels      map[string]string

	sources []VolumeRef
	targets []VolumeRef // existing ones; empty: new ones are made
	names   []string    // of new targets
	// pool is where new targets are made; empty: beside their sources.
	pool string
	// prefix is what names that were not given are made of: prefix_1 and so
	// on. Empty: the source's name and the type of copy.
	prefix string

	// What the CIM parameters are called that the fields came in.
	sourceParam, targetParam, nameParam string
}

func (r ListRequest) wish() wish {
	return wish{
		typ: r.SyncType, mode: r.Mode, consistency: r.Consistency, settings: r.Settings, wait: r.Wait,
		labels: r.Labels, sources: r.Sources, targets: r.Targets, names: r.Names, pool: r.TargetPool,
		sourceParam: "SourceElements", targetParam: "TargetElements", nameParam: "ElementNames",
	}
}

func (r GroupRequest) wish() wish {
	return wish{
		typ: r.SyncType, mode: r.Mode, consistency: r.Consistency, settings: r.Settings, wait: r.Wait,
		labels: r.Labels, sources: r.Sources, targets: r.Targets, names: r.TargetNames, pool: r.TargetPool,
		sourceParam: "SourceElements", targetParam: "TargetElements", nameParam: "TargetElementNames",
	}
}

// consistent says whether all points in time must be one instant.
func (w *wish) consistent() bool {
	return w.consistency == SequentialConsistency || w.settings.ConsistentPointInTime
}

// inactive says whether the pairs are to wait for Activate.
func (w *wish) inactive() bool { return w.wait.State == pairstate.Inactive }

// at names element i of a parameter.
func at(param string, i int) string { return fmt.Sprintf("%s[%d]", param, i) }

// check looks at what can be judged without looking at any volume.
func (w *wish) check(maxElements int) error {
	checks := []func() error{
		w.checkType, w.checkMode, w.checkConsistency, w.checkSettings, w.checkWait,
		func() error { return w.checkCounts(maxElements) }, w.checkTargetTerms,
	}
	for _, c := range checks {
		if err := c(); err != nil {
			return err
		}
	}
	return nil
}

// vendorRange is where the vendor's values of CIM value maps begin.
const vendorRange = 0x8000

// tokenizedClone is SyncType 9 of CIM 2.49.
const tokenizedClone pairstate.SyncType = 9

func (w *wish) checkType() error {
	switch {
	case w.typ == pairstate.Mirror || w.typ == pairstate.Snapshot || w.typ == pairstate.Clone:
		return nil
	case w.typ == tokenizedClone || w.typ >= vendorRange:
		return Errorf(KindNotSupported, "SyncType", "%d is not supported; use 6 Mirror, 7 Snapshot or 8 Clone", uint16(w.typ))
	case w.typ == 0:
		return Errorf(KindInvalid, "SyncType", "is needed: 6 Mirror, 7 Snapshot or 8 Clone")
	}
	return Errorf(KindInvalid, "SyncType", "%d is reserved; use 6 Mirror, 7 Snapshot or 8 Clone", uint16(w.typ))
}

// checkMode decides the mode where the caller left it open: synchronous, because
// a target is never behind when the method has returned.
func (w *wish) checkMode() error {
	switch {
	case w.mode == 0:
		w.mode = pairstate.Synchronous
	case w.mode != pairstate.Synchronous && w.mode != pairstate.Asynchronous:
		return Errorf(KindInvalid, "Mode", "%d is neither 2 Synchronous nor 3 Asynchronous", uint16(w.mode))
	case w.mode == pairstate.Asynchronous && w.typ == pairstate.Mirror:
		return Errorf(KindNotSupported, "Mode", "asynchronous mirrors are not supported; use 2 Synchronous")
	}
	return nil
}

func (w *wish) checkConsistency() error {
	switch w.consistency {
	case 0, NoConsistency, SequentialConsistency:
		return nil
	}
	return Errorf(KindInvalid, "Consistency", "%d is neither 2 No Consistency nor 3 Sequential Consistency", uint16(w.consistency))
}

// maxPriority is CopyPriority Urgent.
const maxPriority = 4

func (w *wish) checkSettings() error {
	const param = "ReplicationSettingData"
	if w.settings.CopyPriority > maxPriority {
		return Errorf(KindInvalid, param, "CopyPriority %d is not one of 0 to 4", w.settings.CopyPriority)
	}
	return nil
}

func (w *wish) checkWait() error {
	if !canWaitFor(w.typ, w.wait.State) {
		return Errorf(KindInvalid, "WaitForCopyState", "%d is not a state that a %v can be waited for in", uint16(w.wait.State), w.typ)
	}
	if w.wait.For < 0 {
		return Errorf(KindInvalid, "WaitForCopyState", "the time to wait is negative")
	}
	return nil
}

// canWaitFor says which copy states a creation can wait for. A snapshot is never
// Initialized or Unsynchronized in a way that could be seen.
func canWaitFor(t pairstate.SyncType, s pairstate.CopyState) bool {
	switch s {
	case 0, pairstate.Synchronized, pairstate.Inactive:
		return true
	case pairstate.Initialized, pairstate.Unsynchronized:
		return t != pairstate.Snapshot
	}
	return false
}

func (w *wish) checkCounts(maxElements int) error {
	switch {
	case len(w.sources) == 0:
		return Errorf(KindInvalid, w.sourceParam, "at least one source is needed")
	case len(w.sources) > maxElements:
		return Errorf(KindInvalid, w.sourceParam, "%d sources are more than the %d that one request may have", len(w.sources), maxElements)
	case len(w.names) > len(w.sources):
		return Errorf(KindInvalid, w.nameParam, "%d names for %d sources", len(w.names), len(w.sources))
	}
	return nil
}

// checkTargetTerms checks how given targets go together with the rest.
func (w *wish) checkTargetTerms() error {
	if len(w.targets) == 0 {
		return nil
	}
	switch {
	case w.typ == pairstate.Snapshot:
		return Errorf(KindNotSupported, w.targetParam, "a snapshot cannot be taken into an existing volume")
	case len(w.targets) != len(w.sources):
		return Errorf(KindInvalid, w.targetParam, "%d targets for %d sources", len(w.targets), len(w.sources))
	case w.pool != "":
		return Errorf(KindInvalid, "TargetPool", "cannot be given together with target elements")
	case len(w.labels) > 0:
		return Errorf(KindInvalid, "TargetSettingGoal", "cannot be given together with target elements")
	}
	for _, n := range w.names {
		if n != "" {
			return Errorf(KindInvalid, w.nameParam, "names are for new targets, but target elements are given")
		}
	}
	return nil
}
