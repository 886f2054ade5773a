package cim

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseText(t *testing.T) {
	tests := []struct {
		typ  Type
		in   string
		want Value // nil: refused
	}{
		{Boolean, "true", true},
		{Boolean, " TRUE\n", true},
		{Boolean, "False", false},
		{Boolean, "1", true},
		{Boolean, "0", false},
		{Boolean, "yes", nil},
		{Boolean, "", nil},
		{String, " a ", " a "},
		{String, "", ""},
		{Uint8, "255", uint64(255)},
		{Uint8, "256", nil},
		{Uint8, "0xfF", uint64(255)},
		{Uint8, "0X100", nil},
		{Uint8, "-1", nil},
		{Uint8, "-0", uint64(0)},
		{Uint16, " 4096 ", uint64(4096)},
		{Uint16, "+1", uint64(1)},
		{Uint16, "010", uint64(10)},
		{Uint64, "18446744073709551615", uint64(math.MaxUint64)},
		{Uint64, "18446744073709551616", nil},
		{Sint64, "-9223372036854775808", int64(math.MinInt64)},
		{Sint64, "-9223372036854775809", nil},
		{Sint64, "9223372036854775808", nil},
		{Sint8, "-0x80", int64(-128)},
		{Uint32, "", nil},
		{Uint32, "-", nil},
		{Uint32, "0x", nil},
		{Uint32, "+-1", nil},
		{Uint32, "1_000", nil},
		{Uint32, "1.0", nil},
		{Uint32, "1 2", nil},
		{Real64, "1.5e3", 1500.0},
		{Real64, "-INF", math.Inf(-1)},
		{Real64, "1e999", nil},
		{Real64, "0x1p4", nil},
		{Real64, "x", nil},
		{Real32, "1e39", nil},
		{Char16, "A", uint64('A')},
		{Char16, " ", uint64(' ')},
		{Char16, "é", uint64('é')},
		{Char16, "AB", nil},
		{Char16, "\U0001F600", nil},
		{Char16, "", nil},
		{Datetime, "19980525133015.000000-300", DateTime{Time: time.Date(1998, 5, 25, 13, 30, 15, 0, time.FixedZone("", -300*60))}},
		{Datetime, "tomorrow", nil},
		{Reference, "A.B=1", nil},
	}
	for _, tt := range tests {
		got, err := ParseText(tt.typ, tt.in)
		if tt.want == nil {
			require.Error(t, err, "%q as %s gave %v", tt.in, tt.typ, got)
			require.Nil(t, got)
			continue
		}
		require.NoError(t, err, "%q as %s", tt.in, tt.typ)
		require.True(t, Equal(tt.want, got), "%q as %s: %#v", tt.in, tt.typ, got)
	}
}

func TestFormatText(t *testing.T) {
	class := &Class{Name: "A"}
	tests := []struct {
		in   Value
		want string
	}{
		{nil, ""},
		{"a b", "a b"},
		{true, "true"},
		{uint64(math.MaxUint64), "18446744073709551615"},
		{int64(-5), "-5"},
		{1.5, "1.5"},
		{math.Inf(1), "INF"},
		{math.Inf(-1), "-INF"},
		{math.NaN(), "NaN"},
		{IntervalValue(time.Second), "00000000000001.000000:000"},
		{&Path{Class: "A", Keys: []Key{{"K", "v"}}}, `A.K="v"`},
		{&Instance{Class: class}, "instance of A"},
		{[]Value{uint64(1), nil, uint64(3)}, "1,,3"},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, FormatText(tt.in))
	}
}

func TestParseTextMessagesAreShort(t *testing.T) {
	long := make([]byte, 1<<16)
	for i := range long {
		long[i] = '7'
	}
	for typ := Boolean; typ <= Reference; typ++ {
		if _, err := ParseText(typ, string(long)); err != nil {
			require.Less(t, len(err.Error()), 200, "%s", typ)
		}
	}
}

func FuzzParseText(f *testing.F) {
	f.Add(uint8(Uint16), "0x10")
	f.Add(uint8(Datetime), "********0000**.******:000")
	f.Add(uint8(Datetime), "P1DT2H3M4.5S")
	f.Add(uint8(Real32), "-1e10")
	f.Add(uint8(Char16), "\xff")
	f.Fuzz(func(t *testing.T, typ uint8, s string) {
		v, err := ParseText(Type(typ), s)
		if err != nil {
			require.Nil(t, v)
			return
		}
		// What was read fits its declaration and survives being written.
		same, err := Coerce(v, Type(typ), false, false)
		require.NoError(t, err)
		if Type(typ) == Char16 || v != v {
			return
		}
		require.True(t, Equal(v, same))
		again, err := ParseText(Type(typ), FormatText(v))
		require.NoError(t, err)
		require.Equal(t, FormatText(v), FormatText(again))
	})
}
