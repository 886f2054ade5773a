package pairstate

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite testdata/table.golden")

const golden = "testdata/table.golden"

// everything calls fn for each type, state and event, with and without force.
func everything(fn func(SyncType, State, Event, bool)) {
	for _, t := range []SyncType{Mirror, Snapshot, Clone} {
		for c := CopyState(0); c <= Restored; c++ {
			for p := ProgressStatus(0); p <= Terminating; p++ {
				for e := Formed; e <= ResetFailed; e++ {
					s := State{Copy: c, Requested: NotApplicable, Progress: p}
					fn(t, s, e, false)
					fn(t, s, e, true)
				}
			}
		}
	}
}

// TestGolden compares every step that is possible with a list that a reviewer has
// read. What is not in the list is refused.
func TestGolden(t *testing.T) {
	var lines []string
	everything(func(typ SyncType, s State, e Event, force bool) {
		next, effects, err := Step(typ, s, e, force)
		if err != nil {
			return
		}
		if _, _, plain := Step(typ, s, e, false); force && plain == nil {
			return // listed without force
		}
		how := ""
		if force {
			how = " (force)"
		}
		lines = append(lines, fmt.Sprintf("%-8s %-29s %s%s: %s %v", typ, s, e, how, next, effects))
	})
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// TestEveryStep checks what must hold for all of them.
func TestEveryStep(t *testing.T) {
	taken := map[int]bool{}
	everything(func(typ SyncType, s State, e Event, force bool) {
		at := fmt.Sprint(typ, " ", s, " ", e, " ", force)
		next, effects, err := Step(typ, s, e, force)
		if err != nil {
			var refused *Error
			require.ErrorAs(t, err, &refused, at)
			require.Equal(t, Error{typ, s, e, refused.NeedsForce}, *refused, at)
			require.Equal(t, s, next, at)
			require.Nil(t, effects, at)
			if refused.NeedsForce {
				require.False(t, force, at)
				_, _, err := Step(typ, s, e, true)
				require.NoError(t, err, at)
			}
			return
		}
		taken[rowOf(typ, s, e, force)] = true
		require.NotZero(t, next.Copy, at)
		require.NotZero(t, next.Progress, at)
		require.NotZero(t, next.Requested, at)
		if next.Requested != NotApplicable {
			require.False(t, next.Idle(), "%s: a goal and nothing under way", at)
		}
		if next.Copy == Synchronized && next.Idle() {
			require.Equal(t, NotApplicable, next.Requested, at)
		}
		if slices.Contains(effects, RemoveAssociation) {
			require.Equal(t, RemoveAssociation, effects[len(effects)-1], "%s: nothing can follow", at)
		}
		if slices.Contains(effects, TakeSnapshot) {
			require.NotEqual(t, Mirror, typ, at)
		}
	})
	for i := range table {
		require.True(t, taken[i], "row %d is never taken: %+v", i, table[i])
	}
}

// rowOf is the index of the row that Step takes.
func rowOf(typ SyncType, s State, e Event, force bool) int {
	return slices.IndexFunc(table, func(r row) bool { return r.matches(typ, s, e) && (!r.force || force) })
}

// TestRestartIsStable: a second crash right after a start asks for the same again.
func TestRestartIsStable(t *testing.T) {
	everything(func(typ SyncType, s State, e Event, _ bool) {
		next, _, err := Step(typ, s, e, true)
		if err != nil {
			return
		}
		once, first, err := Step(typ, next, Restart, false)
		require.NoError(t, err, "%v %v: no restart from %v", typ, e, next)
		twice, second, err := Step(typ, once, Restart, false)
		require.NoError(t, err)
		require.Equal(t, once, twice, "%v %v", typ, next)
		require.Equal(t, first, second, "%v %v", typ, next)
	})
}

// TestLives walks whole lives.
func TestLives(t *testing.T) {
	type step struct {
		e  Event
		to string
	}
	for name, c := range map[string]struct {
		t     SyncType
		steps []step
	}{
		"snapshot": {Snapshot, []step{
			{Formed, "Initialized/Dormant"}, {Begin, "Initialized/Initializing->Synchronized"}, {Taken, "Synchronized/Completed"},
			{TargetWritten, "Skewed/Completed"}, {ReturnToPool, "Skewed/Terminating"}, {Restart, "Skewed/Terminating"},
		}},
		"snapshot restored from": {Snapshot, []step{
			{Formed, "Initialized/Dormant"}, {Begin, "Initialized/Initializing->Synchronized"}, {Taken, "Synchronized/Completed"},
			{Restore, "Synchronized/Restoring->Synchronized"}, {Restart, "Synchronized/Restoring->Synchronized"}, {SourceRestored, "Synchronized/Completed"},
			{Restore, "Synchronized/Restoring->Synchronized"}, {TargetWritten, "Skewed/Restoring->Restored"}, {RestoreFailed, "Skewed/Completed"},
			{Restore, "Skewed/Restoring->Restored"}, {SourceRestored, "Restored/Completed"}, {Reset, "Restored/Resyncing->Synchronized"},
			{ResetFailed, "Restored/Completed"}, {Reset, "Restored/Resyncing->Synchronized"}, {Restart, "Restored/Resyncing->Synchronized"},
			{TargetReset, "Synchronized/Completed"}, {TargetWritten, "Skewed/Completed"}, {Reset, "Skewed/Resyncing->Synchronized"},
		}},
		"inactive clone": {Clone, []step{
			{FormedInactive, "Inactive/Dormant"}, {Activate, "Initialized/Initializing->Synchronized"}, {CopyFailed, "Inactive/Dormant"},
			{Activate, "Initialized/Initializing->Synchronized"}, {Taken, "Unsynchronized/Synchronizing->Synchronized"},
			{Restart, "Unsynchronized/Synchronizing->Synchronized"}, {CopyDone, "Synchronized/Completed"}, {Detach, "Synchronized/Detaching"},
			{EndFailed, "Synchronized/Completed"},
		}},
		"clone written early": {Clone, []step{
			{Formed, "Initialized/Dormant"}, {Begin, "Initialized/Initializing->Synchronized"}, {Taken, "Unsynchronized/Synchronizing->Synchronized"},
			{TargetWritten, "Skewed/Synchronizing"}, {Restart, "Skewed/Synchronizing"}, {CopyDone, "Skewed/Completed"}, {Restart, "Skewed/Completed"},
		}},
		"mirror": {Mirror, []step{
			{Formed, "Initialized/Dormant"}, {Begin, "Unsynchronized/Synchronizing->Synchronized"}, {Restart, "Unsynchronized/Synchronizing->Synchronized"},
			{CopyDone, "Synchronized/Completed"}, {Restart, "Unsynchronized/Resyncing->Synchronized"}, {CopyDone, "Synchronized/Completed"},
			{TargetLost, "Broken/Dormant"}, {TargetReturned, "Unsynchronized/Resyncing->Synchronized"}, {CopyFailed, "Broken/Dormant"},
			{Detach, "Broken/Detaching"}, {EndFailed, "Broken/Dormant"}, {Dissolve, "Broken/Detaching"},
		}},
	} {
		var s State
		for i, step := range c.steps {
			next, _, err := Step(c.t, s, step.e, false)
			require.NoError(t, err, "%s, step %d", name, i)
			require.Equal(t, step.to, next.String(), "%s, step %d", name, i)
			s = next
		}
	}
}

func TestErrorTells(t *testing.T) {
	_, _, err := Step(Mirror, State{Synchronized, NotApplicable, Completed}, Detach, false)
	require.EqualError(t, err, "Detach is not possible for a mirror that is Synchronized/Completed without force")
	_, _, err = Step(99, State{}, 99, false)
	require.EqualError(t, err, "99 is not possible for a 99 that is none/none")
}
