package query

import (
	"cmp"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// Numbers in rising order; those of one row are worth the same.
func TestOrderNumbers(t *testing.T) {
	rising := [][]cim.Value{
		{math.Inf(-1)},
		{-1e300},
		{int64(math.MinInt64), float64(math.MinInt64)},
		{int64(math.MinInt64 + 1)},
		{-2.5}, {int64(-2), -2.0}, {-1.5}, {int64(-1), -1.0}, {-0.5},
		{uint64(0), int64(0), 0.0, math.Copysign(0, -1)},
		{0.5}, {uint64(1), int64(1), 1.0}, {1.5}, {uint64(2)},
		{uint64(1 << 53), float64(1 << 53)}, {uint64(1<<53 + 1), int64(1<<53 + 1)},
		{uint64(math.MaxInt64), int64(math.MaxInt64)},
		{uint64(1 << 63), float64(1 << 63)},
		{uint64(math.MaxUint64)},
		{float64(1 << 64)},
		{math.Inf(1)},
	}
	for i, row := range rising {
		for j, other := range rising {
			for _, a := range row {
				for _, b := range other {
					order, rel := orderNumbers(a, b)
					require.Equal(t, ordered, rel)
					require.Equal(t, cmp.Compare(i, j), cmp.Compare(order, 0), "%T %v, %T %v", a, a, b, b)
				}
			}
		}
	}
	for _, other := range []cim.Value{math.NaN(), 1.0, uint64(1), int64(-1), "1", nil} {
		for _, pair := range [][2]cim.Value{{math.NaN(), other}, {other, math.NaN()}} {
			_, rel := comparer{}.order(pair[0], pair[1])
			require.Equal(t, unrelated, rel, other)
		}
	}
}

// Values of different kinds, and NULL, do not compare.
func TestUnrelated(t *testing.T) {
	p := &cim.Path{Class: "T_Pool"}
	all := []cim.Value{nil, "1", true, uint64(1), cim.TimeValue(noon()), cim.IntervalValue(time.Second), p, []cim.Value{"1"}}
	k := comparer{schema: schema(t), fold: true}
	for i, a := range all {
		for j, b := range all {
			_, rel := k.order(a, b)
			require.Equal(t, i != j || a == nil, rel == unrelated, "%v, %v", a, b)
			require.Equal(t, i == j && a != nil, k.compare(equal, a, b) == yes)
		}
	}
	require.Equal(t, unknown, k.compare(less, p, p), "paths have no order")
	require.Equal(t, no, k.compare(equal, []cim.Value{"1", nil}, []cim.Value{"1", "2"}))
	require.Equal(t, yes, k.compare(equal, []cim.Value{"a", nil}, []cim.Value{"A", nil}))
	require.Equal(t, no, k.compare(equal, []cim.Value{"a"}, []cim.Value{"a", "a"}))
}

func TestFold(t *testing.T) {
	texts := []string{"", "a", "A", "aB", "Ab", "b", "straße", "STRASSE", "\u212a", "k", "K", "ſ", "s", "é", "É", "日本", "\xff", "a\xff"}
	for _, a := range texts {
		for _, b := range texts {
			if strings.ContainsRune(a+b, '\ufffd') {
				continue // the standard library holds all that is no UTF-8 for the same
			}
			require.Equal(t, strings.EqualFold(a, b), sameFold(a, b), "%q %q", a, b)
			require.Equal(t, cmp.Compare(orderFold(a, b), 0), -cmp.Compare(orderFold(b, a), 0), "%q %q", a, b)
		}
	}
}

func TestAddTimes(t *testing.T) {
	at := func(h int) cim.DateTime { return cim.DateTime{Time: noon().Add(time.Duration(h) * time.Hour)} }
	span := func(h int) cim.DateTime {
		return cim.DateTime{Interval: time.Duration(h) * time.Hour, IsInterval: true}
	}
	for _, c := range []struct {
		a, b  cim.DateTime
		minus bool
		want  cim.Value
	}{
		{at(1), span(2), false, at(3)}, {span(2), at(1), false, at(3)}, {at(3), span(2), true, at(1)}, {at(3), at(1), true, span(2)},
		{span(1), span(2), false, span(3)}, {span(3), span(2), true, span(1)}, {span(1), span(2), true, nil}, {at(1), at(2), true, nil},
		{at(1), at(2), false, nil}, {span(1), at(1), true, nil},
		{cim.DateTime{Interval: math.MaxInt64, IsInterval: true}, span(1), false, nil},
	} {
		got := addTimes(c.a, c.b, c.minus)
		require.True(t, cim.Equal(c.want, got), "%s %s %v: %v", c.a, c.b, c.minus, got)
	}
}

func TestSamePath(t *testing.T) {
	path := func(text string) *cim.Path {
		p, err := ParsePath(schema(t), text)
		require.NoError(t, err)
		return p
	}
	const base = `root/a:T_Volume.CreationClassName="c",DeviceID="d"`
	for text, want := range map[string]bool{
		base: true,
		`T_Volume.DeviceID="d",CreationClassName="c"`:                 true,
		`//h/ROOT/a:T_Disk.CreationClassName="c",DeviceID="d"`:        true,
		`//h/root/b:T_Volume.CreationClassName="c",DeviceID="d"`:      false,
		`root/a:T_Volume.CreationClassName="C",DeviceID="d"`:          false,
		`root/a:T_Volume.CreationClassName="c"`:                       false,
		`root/a:T_Volume`:                                             false,
		`root/a:CIM_StorageVolume.CreationClassName="c",DeviceID="d"`: false,
	} {
		for fold := range 2 {
			k := comparer{schema(t), fold == 1}
			expect := want || fold == 1 && strings.Contains(text, `"C"`)
			require.Equal(t, expect, k.samePath(path(base), path(text)), text)
			require.Equal(t, expect, k.samePath(path(text), path(base)), text)
		}
	}
}
