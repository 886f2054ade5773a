//go:build race

package system

// raceEnabled says whether the race detector is on.
const raceEnabled = true
