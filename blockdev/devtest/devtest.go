// Package devtest is the conformance suite of blockdev.Device and of its optional
// interfaces. Every implementation runs it in its own tests.
package devtest

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"twinlun/blockdev"
)

// MinSize is the size that the suite needs of a device, in bytes.
const MinSize = 1 << 20

// Factory gives a device that is new for each call, at least MinSize long, reads
// as zeros and stays open until the suite closes it.
type Factory func(t *testing.T) blockdev.Device

// Run tests that devices of the factory do what blockdev.Device and those
// optional interfaces promise that they have.
func Run(t *testing.T, open Factory) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(t *testing.T, d blockdev.Device)
	}{
		{"ReadsZerosAtFirst", readsZeros},
		{"ReadsWhatWasWritten", readsWritten},
		{"WritesNothingElse", writesNothingElse},
		{"UnalignedAndOverlapping", unaligned},
		{"RandomAgainstModel", randomModel},
		{"OutOfRange", outOfRange},
		{"EmptyTransfers", emptyTransfers},
		{"LeavesCallersBuffer", leavesBuffer},
		{"SizeIsWholeSectors", wholeSectors},
		{"Flush", flush},
		{"CloseEnds", closeEnds},
		{"CloseTwice", closeTwice},
		{"CloseWaitsForCalls", closeWaits},
		{"ParallelDisjoint", parallelDisjoint},
		{"ParallelOverlapping", parallelOverlapping},
		{"ReadDuringWrite", readDuringWrite},
		{"Zero", zero},
		{"FUA", fua},
		{"Extents", extents},
		{"ExtentsLimit", extentsLimit},
		{"ExtentsAfterZero", extentsAfterZero},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t)
			if d.Size() < MinSize {
				t.Fatalf("the factory gave %d bytes, the suite needs %d", d.Size(), MinSize)
			}
			t.Cleanup(func() { ok(t, d.Close()) })
			c.run(t, d)
		})
	}
}

// bg is the context of calls that are not given up.
func bg() context.Context { return context.Background() }

// ok stops the test at a failure that should not be.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected failure: %v", err)
	}
}

// fails stops the test unless err is a *blockdev.Error of kind k.
func fails(t *testing.T, err error, k blockdev.Kind, what string) {
	t.Helper()
	var e *blockdev.Error
	if !errors.As(err, &e) || !blockdev.Is(err, k) {
		t.Fatalf("%s: got %v, want a failure of kind %q", what, err, k)
	}
}

// pattern is n bytes that differ from sector to sector and from seed to seed.
func pattern(seed byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = seed ^ byte(i) ^ byte(i>>9)*31 | 1
	}
	return b
}

// holds stops the test unless the device has want at off.
func holds(t *testing.T, d blockdev.Device, off int64, want []byte) {
	t.Helper()
	got := bytes.Repeat([]byte{0xA5}, len(want))
	ok(t, d.ReadAt(bg(), got, off))
	if bytes.Equal(got, want) {
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("byte %d is 0x%02x, want 0x%02x", off+int64(i), got[i], want[i])
		}
	}
}
