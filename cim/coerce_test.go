package cim

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCoerceIntegers(t *testing.T) {
	tests := []struct {
		in   Value
		typ  Type
		want Value // nil: refused
	}{
		{uint64(255), Uint8, uint64(255)},
		{uint64(256), Uint8, nil},
		{65535, Uint16, uint64(65535)},
		{65536, Uint16, nil},
		{65535, Char16, uint64(65535)},
		{65536, Char16, nil},
		{int64(math.MaxUint32), Uint32, uint64(math.MaxUint32)},
		{int64(math.MaxUint32 + 1), Uint32, nil},
		{uint64(math.MaxUint64), Uint64, uint64(math.MaxUint64)},
		{-1, Uint64, nil},
		{-128, Sint8, int64(-128)},
		{-129, Sint8, nil},
		{127, Sint8, int64(127)},
		{128, Sint8, nil},
		{int64(math.MinInt64), Sint64, int64(math.MinInt64)},
		{uint64(math.MaxInt64), Sint64, int64(math.MaxInt64)},
		{uint64(math.MaxInt64 + 1), Sint64, nil},
		{int64(math.MinInt32), Sint32, int64(math.MinInt32)},
		{int64(math.MinInt32 - 1), Sint32, nil},
		{int8(-1), Sint16, int64(-1)},
		{int16(-1), Sint16, int64(-1)},
		{int32(-1), Sint16, int64(-1)},
		{uint8(1), Uint16, uint64(1)},
		{uint16(1), Uint16, uint64(1)},
		{uint32(1), Uint16, uint64(1)},
		{uint(1), Uint16, uint64(1)},
		{"1", Uint16, nil},
		{1.0, Uint16, nil},
		{true, Uint16, nil},
	}
	for _, tt := range tests {
		got, err := Coerce(tt.in, tt.typ, false, false)
		if tt.want == nil {
			require.Error(t, err, "%v as %s", tt.in, tt.typ)
			continue
		}
		require.NoError(t, err, "%v as %s", tt.in, tt.typ)
		require.Equal(t, tt.want, got)
	}
}

func TestCoerceOthers(t *testing.T) {
	now := time.Unix(1, 0)
	path := &Path{Class: "A"}
	tests := []struct {
		name string
		in   Value
		typ  Type
		want Value
		ok   bool
	}{
		{"null", nil, Uint8, nil, true},
		{"boolean", true, Boolean, true, true},
		{"number as boolean", 1, Boolean, nil, false},
		{"string", "x", String, "x", true},
		{"number as string", 1, String, nil, false},
		{"real", 1.5, Real64, 1.5, true},
		{"integer as real", -2, Real64, -2.0, true},
		{"float32", float32(0.5), Real32, 0.5, true},
		{"real32 rounds", 0.1, Real32, float64(float32(0.1)), true},
		{"real32 overflows", 1e300, Real32, nil, false},
		{"infinite real32", math.Inf(1), Real32, math.Inf(1), true},
		{"text as real", "1", Real64, nil, false},
		{"time", now, Datetime, DateTime{Time: now}, true},
		{"zero time", time.Time{}, Datetime, nil, true},
		{"interval", time.Second, Datetime, IntervalValue(time.Second), true},
		{"negative interval", -time.Second, Datetime, nil, false},
		{"datetime", TimeValue(now), Datetime, DateTime{Time: now}, true},
		{"text as datetime", "2026", Datetime, nil, false},
		{"reference", path, Reference, path, true},
		{"nil reference", (*Path)(nil), Reference, nil, true},
		{"text as reference", "A", Reference, nil, false},
		{"instance where a string is declared", &Instance{}, String, nil, false},
		{"no such type", "x", Type(99), nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Coerce(tt.in, tt.typ, false, false)
			require.Equal(t, tt.ok, err == nil, "%v", err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestCoerceArrays(t *testing.T) {
	path := &Path{Class: "A"}
	tests := []struct {
		in   Value
		typ  Type
		want Value
	}{
		{7, Uint16, []Value{uint64(7)}},
		{[]Value{1, nil, uint8(3)}, Uint16, []Value{uint64(1), nil, uint64(3)}},
		{[]Value{}, Uint16, []Value{}},
		{[]string{"a", "b"}, String, []Value{"a", "b"}},
		{[]uint16{1, 2}, Uint32, []Value{uint64(1), uint64(2)}},
		{[]*Path{path, nil}, Reference, []Value{path, nil}},
		{nil, Uint16, nil},
	}
	for _, tt := range tests {
		got, err := Coerce(tt.in, tt.typ, true, false)
		require.NoError(t, err)
		require.Equal(t, tt.want, got)
	}
	_, err := Coerce([]Value{1, "x"}, Uint16, true, false)
	require.EqualError(t, err, "entry 2: want uint16, have string")
	_, err = Coerce([]Value{1}, Uint16, false, false)
	require.EqualError(t, err, "an array where one uint16 is declared")
	_, err = Coerce([]Value{[]Value{1}}, Uint16, true, false)
	require.EqualError(t, err, "entry 1: want uint16, have array")
}

func TestCoerceDoesNotKeepTheCallersSlice(t *testing.T) {
	in := []Value{"a"}
	got, err := Coerce(in, String, true, false)
	require.NoError(t, err)
	in[0] = "b"
	require.Equal(t, []Value{"a"}, got)
}

func TestCoerceEmbedded(t *testing.T) {
	in := &Instance{Class: &Class{Name: "A"}}
	got, err := Coerce(in, String, true, true)
	require.NoError(t, err)
	require.Equal(t, []Value{in}, got)
	_, err = Coerce("<INSTANCE/>", String, false, true)
	require.EqualError(t, err, "want embedded instance, have string")
	got, err = Coerce((*Instance)(nil), String, false, true)
	require.NoError(t, err)
	require.Nil(t, got)
}

func TestTypeNames(t *testing.T) {
	for typ := Boolean; typ < Reference; typ++ {
		got, ok := TypeNamed(typ.String())
		require.True(t, ok, "%s", typ)
		require.Equal(t, typ, got)
	}
	_, ok := TypeNamed("ref")
	require.False(t, ok)
	require.Equal(t, "ref", Reference.String())
	require.Equal(t, "type(0)", Type(0).String())
	require.Equal(t, "type(200)", Type(200).String())
}
