//go:build !race

package server

// raceDetector says that every access to memory is watched, which is slow.
const raceDetector = false
