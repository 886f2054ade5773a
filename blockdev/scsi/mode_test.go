package scsi

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	cachingPage = "08 12 04 00000000000000000000000000000000 00"
	controlPage = "0a 0a 02 10 0040000000000000"
	descriptor  = "00004000 00000200"
)

func TestModeSense(t *testing.T) {
	r := newRig(t)
	empty := "08 12 000000000000000000000000000000000000"
	for name, c := range map[string]struct{ cdb, want string }{
		"6 caching":           {"\x1a\x00\x08\x00\xff\x00", "1f 00 10 08" + descriptor + cachingPage},
		"6 caching no desc":   {"\x1a\x08\x08\x00\xff\x00", "17 00 10 00" + cachingPage},
		"6 control":           {"\x1a\x08\x0a\x00\xff\x00", "0f 00 10 00" + controlPage},
		"6 all":               {"\x1a\x08\x3f\x00\xff\x00", "23 00 10 00" + cachingPage + controlPage},
		"6 all with subpages": {"\x1a\x08\x3f\xff\xff\x00", "23 00 10 00" + cachingPage + controlPage},
		"6 caching subpages":  {"\x1a\x08\x08\xff\xff\x00", "17 00 10 00" + cachingPage},
		"6 changeable":        {"\x1a\x08\x48\x00\xff\x00", "17 00 10 00" + empty},
		"6 default":           {"\x1a\x08\x88\x00\xff\x00", "17 00 10 00" + cachingPage},
		"6 cut":               {"\x1a\x08\x3f\x00\x04\x00", "23 00 10 00"},
		"10 caching":          {"\x5a\x00\x08\x00\x00\x00\x00\x00\xff\x00", "0022 00 10 0000 0008" + descriptor + cachingPage},
		"10 long LBA":         {"\x5a\x10\x08\x00\x00\x00\x00\x00\xff\x00", "0022 00 10 0000 0008" + descriptor + cachingPage},
		"10 all no desc":      {"\x5a\x08\x3f\x00\x00\x00\x00\x00\xff\x00", "0026 00 10 0000 0000" + cachingPage + controlPage},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, golden(t, c.want), r.good(c.cdb)) })
	}
	r.bad(savingNotSupported, "\x1a\x00\xc8\x00\xff\x00")
	require.Equal(t, []byte{0xCD, 0, 2}, r.bad(invalidFieldInCDB, "\x1a\x00\x01\x00\xff\x00")[15:18])
	require.Equal(t, []byte{0xC0, 0, 3}, r.bad(invalidFieldInCDB, "\x1a\x00\x0a\x05\xff\x00")[15:18])
}

func TestModeSelect(t *testing.T) {
	const head6, head10 = "00 00 00 00", "0000 00 00 0000 0000"
	for name, c := range map[string]struct {
		long bool
		list string
		want condition
	}{
		"nothing":                {false, "", noSense},
		"header only":            {false, head6, noSense},
		"caching as it is":       {false, head6 + cachingPage, noSense},
		"both with descriptor":   {false, "00 00 10 08" + descriptor + cachingPage + controlPage, noSense},
		"10 both":                {true, head10 + controlPage + cachingPage, noSense},
		"10 with descriptor":     {true, "0000 00 00 0000 0008" + descriptor + controlPage, noSense},
		"PS bit is ignored":      {false, head6 + "8a" + controlPage[2:], noSense},
		"WCE off":                {false, head6 + "08 12 00 00000000000000000000000000000000 00", invalidFieldInParameter},
		"SWP on":                 {false, head6 + "0a 0a 02 10 0800000000000000", invalidFieldInParameter},
		"unknown page":           {false, head6 + "1c 0a 00 00 0000000000000000", invalidFieldInParameter},
		"subpage":                {false, head6 + "4a 01 00 00", invalidFieldInParameter},
		"wrong page length":      {false, head6 + "0a 0b 02 10 000000000000000000", invalidFieldInParameter},
		"other block length":     {false, "00 00 00 08 00004000 00001000" + controlPage, invalidFieldInParameter},
		"long descriptor":        {true, "0000 00 00 0100 0010" + "00000000000000000000000000000000", invalidFieldInParameter},
		"short header":           {false, "00 00", parameterListLength},
		"cut page":               {false, head6 + "0a 0a 02 10", parameterListLength},
		"cut page header":        {false, head6 + "0a", parameterListLength},
		"cut descriptor":         {false, "00 00 00 08 00004000", parameterListLength},
		"10 short header":        {true, "0000 00 00", parameterListLength},
		"second page is refused": {false, head6 + controlPage + "08 12 05", parameterListLength},
	} {
		t.Run(name, func(t *testing.T) {
			list := golden(t, c.list)
			cdb := string([]byte{0x15, 0x10, 0, 0, byte(len(list)), 0})
			if c.long {
				cdb = string([]byte{0x55, 0x10, 0, 0, 0, 0, 0, 0, byte(len(list)), 0})
			}
			r := newRig(t)
			if c.want != noSense {
				r.bad(c.want, cdb, list...)
				return
			}
			r.good(cdb, list...)
		})
	}
}

func TestModeSelectFields(t *testing.T) {
	r := newRig(t)
	list := golden(t, "00000000 0a 0a 02 10 0800000000000000")
	cdb := "\x15\x10\x00\x00\x10\x00"
	require.Equal(t, []byte{0x8B, 0, 8}, r.bad(invalidFieldInParameter, cdb, list...)[15:18], "SWP is bit 3 of byte 4 of the page")
	require.Equal(t, []byte{0xC8, 0, 1}, r.bad(invalidFieldInCDB, "\x15\x11\x00\x00\x00\x00")[15:18], "pages cannot be saved")
	r.bad(parameterListLength, "\x15\x10\x00\x00\x20\x00", list...)
}

func TestReportOpcodesAll(t *testing.T) {
	r := newRig(t)
	data := r.good("\xa3\x0c\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00")
	require.EqualValues(t, len(data)-4, be.Uint32(data))
	require.Len(t, data, 4+8*len(rows()))
	for i, row := range rows() {
		d := data[4+8*i:][:8]
		require.Equal(t, row.opcode(), d[0])
		require.EqualValues(t, len(row.usage), be.Uint16(d[6:]))
		if row.is(actions) {
			require.Equal(t, []byte{0, 0, row.action(), 0, 1}, d[1:6])
		} else {
			require.Equal(t, []byte{0, 0, 0, 0, 0}, d[1:6])
		}
	}
	data = r.good("\xa3\x0c\x80\x00\x00\x00\x00\x00\xff\xff\x00\x00")
	require.Len(t, data, 4+20*len(rows()))
	require.EqualValues(t, 0x02, data[4+5])
	require.Equal(t, golden(t, "000a 0000 00000000 00000000"), data[12:24])
	require.Len(t, r.good("\xa3\x0c\x00\x00\x00\x00\x00\x00\x00\x0a\x00\x00"), 10)
}

func TestReportOpcodesOne(t *testing.T) {
	r := newRig(t)
	ask := func(option, op byte, action uint16) string {
		return string([]byte{0xA3, 0x0C, option, op, byte(action >> 8), byte(action), 0, 0, 1, 0, 0, 0})
	}
	for _, row := range rows() {
		want := append([]byte{0, 3, 0, byte(len(row.usage))}, row.usage...)
		action := uint16(0)
		if row.is(actions) {
			action = uint16(row.action())
			r.bad(invalidFieldInCDB, ask(1, row.opcode(), action))
			require.Equal(t, want, r.good(ask(2, row.opcode(), action)), row.name)
		} else {
			require.Equal(t, want, r.good(ask(1, row.opcode(), 0)), row.name)
			r.bad(invalidFieldInCDB, ask(2, row.opcode(), 0))
		}
		require.Equal(t, want, r.good(ask(3, row.opcode(), action)), row.name)
		data := r.good(ask(0x83, row.opcode(), action))
		require.EqualValues(t, 0x83, data[1])
		require.Equal(t, noTimeouts, string(data[len(data)-12:]))
	}
	none := []byte{0, 1, 0, 0}
	for _, cdb := range []string{
		ask(1, 0x5F, 0), ask(2, 0x5F, 1), ask(3, 0x5F, 0), ask(2, 0x9E, 0x11), ask(3, 0x9E, 0x11), ask(2, 0x9E, 0x110), ask(3, 0x28, 4),
	} {
		require.Equal(t, none, r.good(cdb), "% X", cdb)
	}
	r.bad(invalidFieldInCDB, ask(4, 0x28, 0))
}
