package scsi

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/faultdev"
)

// attempts are commands that reach the device, by what fails for them.
func attempts() map[string]struct {
	cdb    string
	out    []byte
	writes bool
} {
	type attempt = struct {
		cdb    string
		out    []byte
		writes bool
	}
	list := unmapList(lbaRange{lba: 0, n: 1})
	return map[string]attempt{
		"READ":              {rw(0x28, 0, 0, 1), nil, false},
		"VERIFY":            {rw(0x2F, 0, 0, 1), nil, false},
		"VERIFY compare":    {rw(0x2F, 2, 0, 1), sectors(0, 1), false},
		"GET LBA STATUS":    {"\x9e\x12\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x18\x00\x00", nil, false},
		"WRITE":             {rw(0x2A, 0, 0, 1), sectors(1, 1), true},
		"WRITE FUA":         {rw(0x2A, 8, 0, 1), sectors(1, 1), true},
		"WRITE AND VERIFY":  {rw(0x2E, 2, 0, 1), sectors(1, 1), true},
		"COMPARE AND WRITE": {"\x89\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00", append(sectors(0, 1), sectors(1, 1)...), true},
		"WRITE SAME zero":   {rw(0x41, 0, 0, 9), sectors(0, 1), true},
		"WRITE SAME":        {rw(0x93, 0, 0, 9), sectors(1, 1), true},
		"UNMAP":             {unmapCDB(len(list)), list, true},
		"SYNCHRONIZE CACHE": {rw(0x35, 0, 0, 0), nil, true},
		"STOP":              {"\x1b\x00\x00\x00\x00\x00", nil, true},
	}
}

func TestDeviceFailures(t *testing.T) {
	fail := func(k blockdev.Kind) error { return blockdev.Errorf(k, "device", "the detail") }
	for _, c := range []struct {
		err         error
		read, write condition
		logged      bool
	}{
		{fail(blockdev.KindIO), mediumReadError, mediumWriteError, true},
		{fail(blockdev.KindNoSpace), spaceAllocationFailed, spaceAllocationFailed, false},
		{fail(blockdev.KindReadOnly), writeProtected, writeProtected, false},
		{fail(blockdev.KindOutOfRange), lbaOutOfRange, lbaOutOfRange, false},
		{fail(blockdev.KindClosed), notReadyNoMedium, notReadyNoMedium, false},
		{fail(blockdev.KindInternal), internalTargetFailure, internalTargetFailure, true},
		{fail(blockdev.KindInvalid), internalTargetFailure, internalTargetFailure, true},
		{fail(blockdev.KindUnsupported), internalTargetFailure, internalTargetFailure, true},
		{fmt.Errorf("wrapped: %w", fail(blockdev.KindNoSpace)), spaceAllocationFailed, spaceAllocationFailed, false},
		{errors.New("the detail of something strange"), internalTargetFailure, internalTargetFailure, true},
		{context.Canceled, internalTargetFailure, internalTargetFailure, true}, // not the command's own context
	} {
		for name, a := range attempts() {
			t.Run(fmt.Sprint(name, " ", c.err), func(t *testing.T) {
				r := newRig(t)
				r.plan.Inject(faultdev.Fault{Err: c.err})
				want := c.read
				if a.writes {
					want = c.write
				}
				r.bad(want, a.cdb, a.out...)
				if c.logged {
					require.Contains(t, r.log.String(), c.err.Error())
					require.Contains(t, r.log.String(), testID)
				} else {
					require.Empty(t, r.log.String())
				}
			})
		}
	}
}

func TestBusyDevice(t *testing.T) {
	for name, a := range attempts() {
		r := newRig(t)
		r.plan.Inject(faultdev.Fault{Err: blockdev.Errorf(blockdev.KindBusy, "device", "later")})
		res := r.do(a.cdb, a.out...)
		require.Equal(t, StatusBusy, res.Status, name)
		require.Nil(t, res.Sense)
		require.Empty(t, res.DataIn)
	}
}

func TestClosedDevice(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.mem.Close())
	for _, a := range attempts() {
		r.bad(notReadyNoMedium, a.cdb, a.out...)
	}
}

// TestNothingIsWrittenAfterAFailure has the comparison of COMPARE AND WRITE and
// the first of several steps fail.
func TestNothingIsWrittenAfterAFailure(t *testing.T) {
	broken := faultdev.Fault{Ops: []faultdev.Op{faultdev.OpRead}, Err: blockdev.Errorf(blockdev.KindIO, "read", "broken")}
	r := newRig(t)
	r.plan.Inject(broken)
	a := attempts()["COMPARE AND WRITE"]
	r.bad(mediumWriteError, a.cdb, a.out...)
	require.Zero(t, r.plan.Count(faultdev.OpWrite, faultdev.OpFUA))

	r = newRig(t)
	r.put(0, sectors(1, 8))
	r.plan.Inject(faultdev.Fault{Ops: []faultdev.Op{faultdev.OpZero}, Times: 1, Err: broken.Err})
	list := unmapList(lbaRange{lba: 0, n: 1}, lbaRange{lba: 4, n: 1})
	r.bad(mediumWriteError, unmapCDB(len(list)), list...)
	require.Equal(t, sectors(1, 8), r.medium(0, 8*512))
}

func TestFailedFlushIsReported(t *testing.T) {
	r := newRig(t)
	flush := []faultdev.Op{faultdev.OpFlush}
	r.plan.Inject(faultdev.Fault{Ops: flush, Times: 1, Err: blockdev.Errorf(blockdev.KindIO, "flush", "lost")})
	r.bad(mediumWriteError, rw(0x35, 0, 0, 0))
	require.Equal(t, 1, r.plan.Count(flush...), "it is not tried again")
	r.plan.Inject(faultdev.Fault{Ops: flush, Err: blockdev.Errorf(blockdev.KindIO, "flush", "lost")})
	r.bad(mediumReadError, rw(0x28, bitFUA, 0, 1))
}

func TestTransferIsKeptOnFailure(t *testing.T) {
	r := newRig(t)
	r.plan.Inject(faultdev.Fault{Err: blockdev.Errorf(blockdev.KindIO, "device", "broken")})
	require.Equal(t, 512, r.do(rw(0x2A, 0, 0, 1), sectors(1, 1)...).Transfer, "all of Data-Out was taken")
	require.Zero(t, r.do(rw(0x28, 0, 0, 1)).Transfer, "no Data-In was given")
}
