package query

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

func TestParsePath(t *testing.T) {
	for text, want := range map[string]string{
		`T_Pool.InstanceID="a"`:                       `T_Pool.InstanceID="a"`,
		` t_pool . instanceid = 'a' `:                 `T_Pool.InstanceID="a"`,
		`T_Pool="a"`:                                  `T_Pool.InstanceID="a"`,
		`T_Pool=plain`:                                `T_Pool.InstanceID="plain"`,
		`T_Pool`:                                      `T_Pool`,
		`T_Pool=@`:                                    `T_Pool`,
		`root\CIMV2:T_Pool="a"`:                       `root/cimv2:T_Pool.InstanceID="a"`,
		`\\.\root\cimv2:T_Pool="a"`:                   `//./root/cimv2:T_Pool.InstanceID="a"`,
		`//host/root/cimv2:T_Pool="a"`:                `//host/root/cimv2:T_Pool.InstanceID="a"`,
		`http://host:5988/root/cimv2:T_Pool="a"`:      `//host:5988/root/cimv2:T_Pool.InstanceID="a"`,
		`T_Pool="a:b\"c\\d"`:                          `T_Pool.InstanceID="a:b\"c\\d"`,
		`T_Pool="C:\dir"`:                             `T_Pool.InstanceID="C:\\dir"`,
		`T_Volume.DeviceID="a,b",CreationClassName=x`: `T_Volume.DeviceID="a,b",CreationClassName="x"`,
		`T_Holds.Whole="T_Pool=\"a\"",Part="T_Volume.DeviceID='b'"`: `T_Holds.Whole="T_Pool.InstanceID=\"a\"",Part="T_Volume.DeviceID=\"b\""`,
		`TWINLUN_StorageVolume.DeviceID="1", SystemName = "s" `:     `TWINLUN_StorageVolume.DeviceID="1",SystemName="s"`,
	} {
		p, err := ParsePath(schema(t), text)
		require.NoError(t, err, text)
		require.Equal(t, want, p.String(), text)
	}
	for _, text := range []string{
		"", "x", `T_Pool.`, `T_Pool.InstanceID`, `T_Pool.InstanceID="a`, `T_Pool.InstanceID="a"b`, `T_Pool="a"b`, `T_Pool.Number=5`,
		`T_Pool.InstanceID="a",InstanceID="b"`, `T_Pool.InstanceID="a",`, `T_Volume="a"`, `T_Plan="a"`, `T_Holds.Whole=T_Pool`,
		`T_Holds.Whole="nope"`, ":", "//", `T_Pool=@x=`, strings.Repeat(`T_Holds.Whole="`, 3000), strings.Repeat("T_Pool=", 5000),
	} {
		p, err := ParsePath(schema(t), text)
		if err == nil { // a text of any kind is a value, where it is plain
			require.Equal(t, "T_Pool", p.Class, text)
			require.Len(t, p.Keys, 1, text)
			continue
		}
		require.Less(t, len(err.Error()), 400)
	}
}

// A path in the form that this schema writes is read as itself.
func TestParsePathReadsString(t *testing.T) {
	_, of := sample(t)
	for name, in := range of {
		if in.Path == nil {
			continue
		}
		p, err := ParsePath(schema(t), in.Path.String())
		require.NoError(t, err, name)
		require.True(t, p.Equal(in.Path), "%s: %s", name, p)
	}
}

func TestParseAssociation(t *testing.T) {
	pool := &cim.Path{Class: "T_Pool", Keys: []cim.Key{{Name: "InstanceID", Value: "p}1"}}}
	for text, want := range map[string]cim.AssociationQuery{
		`ASSOCIATORS OF {T_Pool="p}1"}`:                                       {Object: pool},
		`associators of { T_Pool.InstanceID='p}1' } where AssocClass=T_Holds`: {Object: pool, AssociationClass: "T_Holds"},
		`ASSOCIATORS OF {T_Pool="p}1"} WHERE ResultClass = T_Volume ROLE=Whole ResultRole='Part'`: {
			Object: pool, ResultClass: "T_Volume", Role: "Whole", ResultRole: "Part",
		},
		`REFERENCES OF {T_Pool="p}1"} WHERE ResultClass=T_Holds Role=Whole`: {Object: pool, ResultClass: "T_Holds", Role: "Whole", References: true},
	} {
		require.True(t, IsAssociation(cim.Query{Language: "wql", Text: text}))
		got, err := ParseAssociation(schema(t), text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for text, want := range map[string]string{
		`ASSOCIATORS`:                                           "column 12: want OF, have the end",
		`ASSOCIATORS OF T_Pool="x"`:                             `column 16: want "{", have "T_Pool"`,
		`ASSOCIATORS OF {T_Pool="x"`:                            `column 16: "}" is missing`,
		`ASSOCIATORS OF {Nope="x"}`:                             `column 17: "Nope=\"x\"" is not the path`,
		`ASSOCIATORS OF {T_Pool="x"} AND`:                       "column 29: want WHERE or the end",
		`ASSOCIATORS OF {T_Pool="x"} WHERE`:                     "column 34: want AssocClass",
		`ASSOCIATORS OF {T_Pool="x"} WHERE ClassDefsOnly`:       "column 35: ClassDefsOnly is not served",
		`ASSOCIATORS OF {T_Pool="x"} WHERE RequiredQualifier=x`: "column 35: RequiredQualifier is not served",
		`REFERENCES OF {T_Pool="x"} WHERE ResultRole=x`:         "column 34: ResultRole is not served",
		`ASSOCIATORS OF {T_Pool="x"} WHERE Role=x Role=y`:       "column 42: Role is given twice",
		`ASSOCIATORS OF {T_Pool="x"} WHERE Role x`:              `column 40: want "=", have "x"`,
		`ASSOCIATORS OF {T_Pool="x"} WHERE Role=5`:              `column 40: want a name, have "5"`,
		`SELECT * FROM T_Pool`:                                  "column 1: want ASSOCIATORS or REFERENCES",
	} {
		_, err := ParseAssociation(schema(t), text)
		require.ErrorContains(t, err, want, text)
		require.Equal(t, cim.StatusInvalidQuery, cim.StatusOf(err))
	}
	require.False(t, IsAssociation(cim.Query{Language: "WQL", Text: "SELECT * FROM T_Pool"}))
	require.False(t, IsAssociation(cim.Query{Language: "CQL", Text: `ASSOCIATORS OF {T_Pool="x"}`}))
	require.False(t, IsAssociation(cim.Query{Language: "WQL", Text: "ASSOCIATORS " + strings.Repeat("x", MaxText)}))
}
