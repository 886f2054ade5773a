package scsi

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/memdev"
)

// golden turns hexadecimal text with spaces and line ends into bytes.
func golden(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	require.NoError(t, err)
	return b
}

func TestInquiryGolden(t *testing.T) {
	r := newRig(t)
	for name, c := range map[string]struct{ cdb, want string }{
		"standard": {"\x12\x00\x00\x01\x00\x00", `
			00 00 06 12 5b 00 00 02
			54 57 49 4e 4c 55 4e 20
			56 6f 6c 75 6d 65 20 20 20 20 20 20 20 20 20 20
			31 20 20 20
			00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
			00 a0 04 60 04 c0 09 60 05 c0 06 00 00 00 00 00
			00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00`},
		"supported pages": {"\x12\x01\x00\x01\x00\x00", "00 00 00 06 00 80 83 b0 b1 b2"},
		"serial number":   {"\x12\x01\x80\x01\x00\x00", "00 80 00 20" + hex.EncodeToString([]byte(testID))},
		"identification": {"\x12\x01\x83\x01\x00\x00", `00 83 00 48
			01 03 00 10 ` + testID + `
			02 01 00 28 54 57 49 4e 4c 55 4e 20 ` + hex.EncodeToString([]byte(testID)) + `
			51 94 00 04 00 00 00 01`},
		"block limits": {"\x12\x01\xb0\x01\x00\x00", `00 b0 00 3c
			01 08 00 08 00 00 40 00 00 00 08 00 00 00 00 00
			00 10 00 00 00 00 01 00 00 00 00 08 80 00 00 00
			00 00 00 00 00 00 80 00 00 00 00 00 00 00 00 00
			00 00 00 00 00 00 00 00 00 00 00 00`},
		"characteristics": {"\x12\x01\xb1\x01\x00\x00", "00 b1 00 3c 00 01" + strings.Repeat("00", 58)},
		"provisioning":    {"\x12\x01\xb2\x01\x00\x00", "00 b2 00 04 00 e4 02 00"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, golden(t, c.want), r.good(c.cdb))
		})
	}
}

func TestInquiryIdentity(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Vendor, c.Product, c.Revision, c.Serial = "VENDOR", "A product", "2.5", "S/N 1"
	})
	data := r.good("\x12\x00\x00\x01\x00\x00")
	require.Equal(t, "VENDOR  A product       2.5 ", string(data[8:36]))
	require.Equal(t, "S/N 1", string(r.good("\x12\x01\x80\x01\x00\x00")[4:]))
	require.Contains(t, string(r.good("\x12\x01\x83\x01\x00\x00")), "VENDOR  S/N 1")
}

func TestInquiryAllocationLength(t *testing.T) {
	r := newRig(t)
	full := r.good("\x12\x00\x00\x01\x00\x00")
	for n := range 300 {
		cdb := []byte{0x12, 0, 0, byte(n >> 8), byte(n), 0}
		res := r.do(string(cdb))
		want := full[:min(n, len(full))]
		require.Equal(t, len(want), res.Transfer)
		require.Equal(t, string(want), string(res.DataIn))
	}
	res := r.exec(&Command{CDB: []byte("\x12\x00\x00\x00\x60\x00"), Expected: 5})
	require.Equal(t, full[:5], res.DataIn)
	require.Equal(t, 96, res.Transfer, "the rest is an overflow")
}

func TestInquiryRefuses(t *testing.T) {
	r := newRig(t)
	sense := r.bad(invalidFieldInCDB, "\x12\x00\x80\x00\xff\x00")
	require.Equal(t, []byte{0xC0, 0, 2}, sense[15:18])
	r.bad(invalidFieldInCDB, "\x12\x01\x81\x00\xff\x00")
	sense = r.bad(invalidFieldInCDB, "\x12\x02\x00\x00\xff\x00")
	require.Equal(t, []byte{0xC9, 0, 1}, sense[15:18], "CMDDT is obsolete")
}

func TestReadCapacity(t *testing.T) {
	r := newRig(t)
	require.Equal(t, golden(t, "00003fff 00000200"), r.good("\x25\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	const cdb = "\x9e\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00"
	require.Equal(t, golden(t, "0000000000003fff 00000200 00 03 c0 00"+strings.Repeat("00", 16)), r.good(cdb))
	for n := range 16 {
		c := []byte(cdb)
		c[13] = byte(n)
		require.Len(t, r.good(string(c)), n)
	}
	r.mem.Grow(testSize + 4096)
	require.EqualValues(t, 0x07, r.good("\x25\x00\x00\x00\x00\x00\x00\x00\x00\x00")[3])
}

func TestReadCapacityOfLargeUnit(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Device = memdev.New(1 << 50) })
	require.Equal(t, golden(t, "ffffffff 00000200"), r.good("\x25\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	data := r.good("\x9e\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00")
	require.Equal(t, golden(t, "000001ffffffffff"), data[:8])
	require.Equal(t, golden(t, "ffffffff00000200"), r.good("\x1a\x00\x08\x00\xff\x00")[4:12])
}

func TestReportLUNs(t *testing.T) {
	r := newRig(t)
	one := golden(t, "00000008 00000000 0000000000000000")
	require.Equal(t, one, r.good("\xa0\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00"))
	require.Equal(t, one, r.good("\xa0\x00\x02\x00\x00\x00\x00\x00\x01\x00\x00\x00"))
	require.Equal(t, one[:5], r.good("\xa0\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00"))
	require.Equal(t, make([]byte, 8), r.good("\xa0\x00\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00"))
	r.bad(invalidFieldInCDB, "\xa0\x00\x10\x00\x00\x00\x00\x00\x01\x00\x00\x00")
}

func TestExecuteTargetAndAbsent(t *testing.T) {
	luns := []uint64{0, 5, 300}
	c := &Command{CDB: []byte("\xa0\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00"), Expected: 1024}
	want := golden(t, "00000018 00000000 0000000000000000 0005000000000000 412c000000000000")
	res, ok := ExecuteTarget(c, luns)
	require.True(t, ok)
	require.Equal(t, want, res.DataIn)
	require.Equal(t, want, ExecuteAbsent(c, luns).DataIn)

	_, ok = ExecuteTarget(&Command{CDB: []byte("\x00\x00\x00\x00\x00\x00")}, luns)
	require.False(t, ok)
	c.CDB[2] = 9
	res, ok = ExecuteTarget(c, luns)
	require.True(t, ok)
	requireSense(t, invalidFieldInCDB, res)

	inquiry := &Command{CDB: []byte("\x12\x00\x00\x00\xff\x00"), Expected: 255}
	res = ExecuteAbsent(inquiry, luns)
	require.Equal(t, StatusGood, res.Status)
	require.EqualValues(t, 0x7F, res.DataIn[0])
	require.Len(t, res.DataIn, 36)
	res = ExecuteAbsent(&Command{CDB: []byte("\x12\x01\x00\x00\xff\x00"), Expected: 255}, luns)
	require.Equal(t, []byte{0x7F, 0, 0, 1, 0}, res.DataIn)
	requireSense(t, invalidFieldInCDB, ExecuteAbsent(&Command{CDB: []byte("\x12\x01\x83\x00\xff\x00"), Expected: 255}, luns))
	sense := ExecuteAbsent(&Command{CDB: []byte("\x03\x00\x00\x00\xff\x00"), Expected: 255}, luns)
	require.Equal(t, StatusGood, sense.Status)
	require.Equal(t, []byte{0x25, 0}, sense.DataIn[12:14])
	for _, cdb := range []string{"", "\x00", "\x00\x00\x00\x00\x00\x00", "\xa0\x00\x00\x00\x00\x00"} {
		requireSense(t, unitNotSupported, ExecuteAbsent(&Command{CDB: []byte(cdb), Expected: 255}, luns))
	}
}

func TestLUNs(t *testing.T) {
	for _, n := range []uint64{0, 1, 255, 256, 5000, 16383} {
		got, ok := DecodeLUN(EncodeLUN(n))
		require.True(t, ok)
		require.Equal(t, n, got)
	}
	n, ok := DecodeLUN(0x4003 << 48)
	require.True(t, ok, "flat space addressing of a small number")
	require.EqualValues(t, 3, n)
	// well known, logical unit addressing, bus 1, second level, fourth level
	for _, field := range []uint64{0xC101 << 48, 0x8005 << 48, 0x0105 << 48, 0x0005_0001 << 32, 1} {
		_, ok := DecodeLUN(field)
		require.False(t, ok, "%x", field)
	}
}
