package scsi

import (
	"context"
	"testing"

	"twinlun/blockdev/memdev"
)

// FuzzExecute throws arbitrary CDBs and Data-Out at a unit: it must not panic,
// not return or ask for more than the transport takes, and answer in one of the
// known ways.
func FuzzExecute(f *testing.F) {
	for _, r := range rows() {
		f.Add([]byte(r.usage), []byte{}, 512)
		small := []byte(r.usage)
		for i := 1; i < len(small)-1; i++ {
			small[i] &= 0x01
		}
		f.Add(small, sectors(1, 2), 4096)
	}
	f.Add([]byte(unmapCDB(40)), unmapList(lbaRange{lba: 3, n: 4}, lbaRange{lba: 1 << 40, n: 7}), 0)
	f.Add([]byte("\x15\x10\x00\x00\x10\x00"), []byte("\x00\x00\x00\x00\x0a\x0a\x02\x10\x00\x00\x00\x00\x00\x00\x00\x00"), 0)
	f.Add([]byte{}, []byte{}, -1)
	f.Fuzz(func(t *testing.T, cdb, out []byte, expected int) {
		expected = min(expected, MaxTransfer)
		u, err := NewUnit(Config{Device: memdev.New(1 << 20), ID: testID})
		if err != nil {
			t.Fatal(err)
		}
		u.AttachNexus(nexusA)
		for range 2 { // the first meets the unit attention
			res := u.Execute(context.Background(), &Command{
				CDB: cdb, DataOut: out, Nexus: nexusA, Expected: expected,
				Alloc: func(n int) []byte {
					if n <= 0 || n > expected {
						t.Fatalf("asked for %d bytes, %d expected", n, expected)
					}
					return make([]byte, n)
				},
			})
			checkResult(t, res, expected)
		}
	})
}

// checkResult checks what is true of every result.
func checkResult(t *testing.T, res Result, expected int) {
	t.Helper()
	if len(res.DataIn) > max(expected, 0) || res.Transfer < 0 {
		t.Fatalf("%d bytes of Data-In, transfer %d, %d expected", len(res.DataIn), res.Transfer, expected)
	}
	switch res.Status {
	case StatusGood:
		if res.Sense != nil || len(res.DataIn) > res.Transfer {
			t.Fatalf("GOOD with sense % X, %d bytes of %d", res.Sense, len(res.DataIn), res.Transfer)
		}
	case StatusCheckCondition:
		if len(res.Sense) != senseLength || res.Sense[2] == 0 || len(res.DataIn) != 0 {
			t.Fatalf("CHECK CONDITION with sense % X", res.Sense)
		}
		if res.Sense[2] == 0x04 {
			t.Fatalf("a device without faults fails internally: % X", res.Sense)
		}
	default:
		t.Fatalf("status %#x", res.Status)
	}
}
