package iscsi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/pdu"
	"twinlun/blockdev/scsi"
)

func TestReportLUNsAndAbsentUnits(t *testing.T) {
	target := oneDisk(newFakeUnit(10))
	target.Units[300] = newFakeUnit(10)
	target.Units[2] = newFakeUnit(10)
	w := start(t, Config{}, target).connect().enter(1)
	itt := uint32(0)
	read := func(lun uint64, expected int, cdb ...byte) (pdu.DataIn, []byte) {
		itt++
		w.command(pdu.Command{Final: true, Read: true, ITT: itt, LUN: scsi.EncodeLUN(lun), Expected: uint32(expected)}, cdb, nil)
		return w.dataIn()
	}
	fails := func(lun uint64, asc byte, cdb ...byte) {
		t.Helper()
		itt++
		w.command(pdu.Command{Final: true, Read: true, ITT: itt, LUN: scsi.EncodeLUN(lun), Expected: 255}, cdb, nil)
		r, data := w.response(itt)
		require.EqualValues(t, scsi.StatusCheckCondition, r.Status)
		require.Equal(t, []byte{0x05, asc, 0}, []byte{data[4], data[14], data[15]})
	}
	list := []byte{0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0x41, 0x2c, 0, 0, 0, 0, 0, 0}
	list = append(list[:8], append(make([]byte, 8), list[16:]...)...)
	for _, lun := range []uint64{0, 7} { // it is the target's answer, for whatever LUN
		d, data := read(lun, 256, 0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0)
		require.Equal(t, list, data)
		require.Equal(t, pdu.Residual{Underflow: true, Count: 256 - 32}, d.Residual)
	}
	_, data := read(0, 16, 0xa0, 0, 2, 0, 0, 0, 0, 0, 0, 16)
	require.Equal(t, list[:16], data)
	_, data = read(0, 256, 0xa0, 0, 1, 0, 0, 0, 0, 0, 1, 0)
	require.Equal(t, make([]byte, 8), data)
	fails(0, 0x24, 0xa0, 0, 9, 0, 0, 0, 0, 0, 1, 0)

	_, data = read(7, 255, 0x12, 0, 0, 0, 255, 0)
	require.Len(t, data, 36)
	require.EqualValues(t, 0x7f, data[0])
	_, data = read(7, 255, 0x12, 1, 0, 0, 255, 0)
	require.Equal(t, []byte{0x7f, 0, 0, 1, 0}, data)
	_, data = read(7, 255, 0x03, 0, 0, 0, 255, 0)
	require.Equal(t, []byte{0x05, 0x25, 0}, []byte{data[2], data[12], data[13]})
	fails(7, 0x24, 0x12, 1, 0x83, 0, 255, 0)
	fails(7, 0x24, 0x12, 0, 0x83, 0, 255, 0)
	fails(7, 0x25, 0x00, 0, 0, 0, 0, 0)
	fails(7, 0x25, rw10(0x28, 0, 1)...)
}
