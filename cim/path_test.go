package cim

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPathString(t *testing.T) {
	disc := &Path{Namespace: "root/cimv2", Class: "Disc", Keys: []Key{{"ID", `a"b\c`}}}
	tests := []struct {
		in   *Path
		want string
	}{
		{nil, ""},
		{&Path{Class: "Disc"}, "Disc"},
		{&Path{Namespace: "root", Class: "Disc"}, "root:Disc"},
		{&Path{Host: "h:5985", Namespace: "root", Class: "Disc", Keys: []Key{{"ID", "x"}}}, `//h:5985/root:Disc.ID="x"`},
		{&Path{Class: "Disc", Keys: []Key{{"A", "x"}, {"B", uint64(1)}, {"C", true}, {"D", int64(-1)}}}, `Disc.A="x",B=1,C=true,D=-1`},
		{disc, `root/cimv2:Disc.ID="a\"b\\c"`},
		{&Path{Class: "Pair", Keys: []Key{{"Left", disc}}}, `Pair.Left="root/cimv2:Disc.ID=\"a\\\"b\\\\c\""`},
		{&Path{Class: "T", Keys: []Key{{"At", IntervalValue(time.Second)}}}, `T.At="00000000000001.000000:000"`},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, tt.in.String())
	}
}

func TestPathEqual(t *testing.T) {
	base := func() *Path {
		return &Path{Host: "h", Namespace: "root/cimv2", Class: "Pair", Keys: []Key{
			{"Left", &Path{Class: "Disc", Keys: []Key{{"ID", "a"}}}}, {"N", uint64(1)},
		}}
	}
	tests := []struct {
		name string
		edit func(p *Path)
		want bool
	}{
		{"same", func(*Path) {}, true},
		{"case of names", func(p *Path) { p.Host, p.Namespace, p.Class, p.Keys[0].Name = "H", "ROOT/cimv2", "PAIR", "LEFT" }, true},
		{"order of keys", func(p *Path) { p.Keys[0], p.Keys[1] = p.Keys[1], p.Keys[0] }, true},
		{"host", func(p *Path) { p.Host = "" }, false},
		{"namespace", func(p *Path) { p.Namespace = "root" }, false},
		{"class", func(p *Path) { p.Class = "Pairs" }, false},
		{"number", func(p *Path) { p.Keys[1].Value = uint64(2) }, false},
		{"type", func(p *Path) { p.Keys[1].Value = "1" }, false},
		{"reference", func(p *Path) { p.Keys[0].Value.(*Path).Keys[0].Value = "A" }, false},
		{"key missing", func(p *Path) { p.Keys = p.Keys[:1] }, false},
		{"key twice", func(p *Path) { p.Keys[1] = p.Keys[0] }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, q := base(), base()
			tt.edit(q)
			require.Equal(t, tt.want, p.Equal(q))
			require.Equal(t, tt.want, q.Equal(p))
		})
	}
	var none *Path
	require.True(t, none.Equal(nil))
	require.False(t, none.Equal(base()))
	require.False(t, base().Equal(nil))
}

func TestEqual(t *testing.T) {
	class := discClass()
	one := NewInstance(class)
	two := NewInstance(class)
	require.True(t, Equal(one, two))
	require.NoError(t, two.Set("ID", "x"))
	require.False(t, Equal(one, two))
	require.True(t, Equal(nil, nil))
	require.False(t, Equal(nil, []Value{}))
	require.False(t, Equal("x", []Value{"x"}))
	require.False(t, Equal([]Value{"x"}, "x"))
	require.True(t, Equal([]Value{"x", nil}, []Value{"x", nil}))
	require.False(t, Equal([]Value{"x"}, []Value{"x", nil}))
	require.False(t, Equal([]Value{"x"}, []Value{"y"}))
	require.False(t, Equal(uint64(1), int64(1)))
	require.False(t, Equal(math.NaN(), math.NaN()))
	require.False(t, Equal(&Path{}, "x"))
	require.False(t, Equal(DateTime{}, "x"))
}

func TestCanonicalNamespace(t *testing.T) {
	for _, ns := range []string{`root\CIMV2\storage`, "/root/cimv2/storage/", ` \Root\cimv2/Storage `} {
		require.Equal(t, "root/cimv2/storage", CanonicalNamespace(ns))
	}
	require.Empty(t, CanonicalNamespace("//"))
}
