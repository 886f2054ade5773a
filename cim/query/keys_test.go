package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// keysText is what Keys says: sets with their values, inexact ones with a tilde.
func keysText(s *Select, class *cim.Class) string {
	sets, ok := s.Keys(class)
	if !ok {
		return "all"
	}
	var out []string
	for _, set := range sets {
		text := ""
		if !set.Exact {
			text = "~"
		}
		for _, k := range set.Keys {
			text += fmt.Sprintf("%s=%s ", k.Name, cim.FormatText(k.Value))
		}
		out = append(out, strings.TrimSpace(text))
	}
	return strings.Join(out, "; ")
}

func TestKeys(t *testing.T) {
	for _, c := range []struct{ language, from, where, want string }{
		{"CQL", "T_Volume", "DeviceID='a' AND CreationClassName='T_Volume'", "CreationClassName=T_Volume DeviceID=a"},
		{"CQL", "T_Volume", "CreationClassName='t_volume' AND 'a'=deviceid AND Blocks > 3", "CreationClassName=t_volume DeviceID=a"},
		{"WQL", "T_Volume", "DeviceID='a' AND CreationClassName='t_volume'", "~CreationClassName=T_Volume DeviceID=a"},
		{"WQL", "T_Volume", "DeviceID='12' AND CreationClassName='t_volume'", "~CreationClassName=T_Volume DeviceID=12"},
		{"WQL", "T_Volume", "DeviceID='12' AND CreationClassName='nope'", "~CreationClassName=nope DeviceID=12"},
		{"WQL", "T_Volume", "CreationClassName='nope'", "~CreationClassName=nope"},
		{"CQL", "T_Volume", "DeviceID='a'", "DeviceID=a"},
		{"CQL", "T_Volume", "DeviceID='a' OR DeviceID='b' OR DeviceID='a'", "DeviceID=a; DeviceID=b; DeviceID=a"},
		{"CQL", "T_Volume", "(DeviceID='a' OR DeviceID='b') AND CreationClassName='x'", "CreationClassName=x DeviceID=a; CreationClassName=x DeviceID=b"},
		{"CQL", "T_Volume", "(DeviceID='a' OR DeviceID='b') AND (CreationClassName='x' OR CreationClassName='y')", "CreationClassName=x DeviceID=a; CreationClassName=y DeviceID=a; CreationClassName=x DeviceID=b; CreationClassName=y DeviceID=b"},
		{"CQL", "T_Volume", "DeviceID='a' AND DeviceID='b'", "DeviceID=a"},
		{"CQL", "T_Volume", "DeviceID='a' OR Blocks=3", "all"},
		{"CQL", "T_Volume", "DeviceID='a' AND (Blocks=3 OR CreationClassName='x')", "DeviceID=a"},
		{"CQL", "T_Volume", "NOT DeviceID='a'", "all"},
		{"CQL", "T_Volume", "NOT (NOT DeviceID='a')", "all"},
		{"CQL", "T_Volume", "DeviceID<>'a'", "all"},
		{"CQL", "T_Volume", "DeviceID<='a'", "all"},
		{"CQL", "T_Volume", "DeviceID LIKE 'a'", "all"},
		{"CQL", "T_Volume", "DeviceID=CreationClassName", "all"},
		{"CQL", "T_Volume", "UpperCase(DeviceID)='A'", "all"},
		{"CQL", "T_Volume", "T_Disk::DeviceID='A'", "all"},
		{"CQL", "T_Volume", "Blocks=3", "all"},
		{"WQL", "T_Volume", "DeviceID=NULL", "all"},
		{"WQL", "T_Volume", "Plan.Text='x' AND DeviceID='7'", "DeviceID=7"},
		{"CQL", "T_Volume v", "v.DeviceID='a'", "DeviceID=a"},
		{"CQL", "CIM_ManagedElement", "InstanceID='a'", "InstanceID=a"},
		{"WQL", "T_Holds", `Whole='T_Pool="p"'`, `~Whole=T_Pool.InstanceID="p"`},
	} {
		s := compile(t, c.language, "SELECT * FROM "+c.from+" WHERE "+c.where)
		class := s.Class()
		if c.from == "CIM_ManagedElement" {
			class = schema(t).Class("CIM_ConcreteJob") // where InstanceID is a key
		}
		require.Equal(t, c.want, keysText(s, class), c.where)
	}
	require.Equal(t, "all", keysText(compile(t, "WQL", "SELECT * FROM T_Volume"), schema(t).Class("T_Volume")))
	s := compile(t, "CQL", "SELECT * FROM CIM_ManagedElement WHERE InstanceID='a'")
	require.Equal(t, "all", keysText(s, schema(t).Class("CIM_StorageVolume")), "its keys are others")
}

// What would be too many sets of keys is cut or given up, never wrong.
func TestKeysAreBounded(t *testing.T) {
	or := func(property string, n int) string {
		terms := make([]string, n)
		for i := range terms {
			terms[i] = fmt.Sprintf("%s='%d'", property, i)
		}
		return "(" + strings.Join(terms, " OR ") + ")"
	}
	count := func(where string) int {
		s := compile(t, "CQL", "SELECT * FROM T_Volume WHERE "+where)
		sets, ok := s.Keys(s.Class())
		require.Equal(t, ok, len(sets) > 0)
		return len(sets)
	}
	require.Equal(t, 100, count(or("DeviceID", 100)))
	require.Zero(t, count(or("DeviceID", maxAlternatives+1)))
	require.Equal(t, 100, count(or("DeviceID", 10)+" AND "+or("CreationClassName", 10)))
	require.Equal(t, 100, count(or("DeviceID", 100)+" AND "+or("CreationClassName", 100)))
	require.LessOrEqual(t, count(strings.Repeat(or("DeviceID", 2)+" AND ", 300)+or("CreationClassName", 2)), maxAlternatives)
}
