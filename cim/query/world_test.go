package query

import (
	"io/fs"
	"os"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/cim/mof"
	"twinlun/schemas"
)

// loadSchema is the served schema with the classes of testdata/world.mof.
var loadSchema = sync.OnceValues(func() (*cim.Schema, error) {
	files := fstest.MapFS{}
	names, err := fs.Glob(schemas.Files(), "*.mof")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := fs.ReadFile(schemas.Files(), name)
		if err != nil {
			return nil, err
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	text, err := os.ReadFile("testdata/world.mof")
	if err != nil {
		return nil, err
	}
	files["world.mof"] = &fstest.MapFile{Data: text}
	return mof.Load(files)
})

func schema(t testing.TB) *cim.Schema {
	t.Helper()
	s, err := loadSchema()
	require.NoError(t, err)
	return s
}

// noon is when it is, in all tests.
func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func config(t testing.TB) Config { return Config{Schema: schema(t), Time: noon} }

// maker makes instances of the schema.
type maker struct {
	testing.TB
	schema *cim.Schema
}

// values are properties of an instance.
type values map[string]cim.Value

func (m maker) instance(class string, v values) *cim.Instance {
	in := cim.NewInstance(m.schema.Class(class))
	for name, value := range v {
		require.NoError(m, in.Set(name, value))
	}
	if len(in.Class.Keys) > 0 {
		p, err := in.PathIn("root/test")
		require.NoError(m, err)
		in.Path = p
	}
	return in
}

func (m maker) pool(id string) *cim.Path {
	return m.instance("T_Pool", values{"InstanceID": id}).Path
}

// sample is a few instances by their names in testdata/queries.txt.
func sample(t testing.TB) (names []string, of map[string]*cim.Instance) {
	m := maker{t, schema(t)}
	deep := m.instance("T_Deep", values{"Text": "Deep", "Step": 4, "Depth": 9})
	of = map[string]*cim.Instance{
		"a": m.instance("T_Volume", values{
			"CreationClassName": "T_Volume", "DeviceID": "VOL0001", "ElementName": "Alpha", "Blocks": uint64(100), "Delta": -5,
			"Ratio": 0.5, "Load": 1.5, "Primordial": true, "Letter": uint64('x'), "Made": noon().Add(-time.Hour), "Age": 90 * time.Minute,
			"Tags": []string{"red", "Blue"}, "Health": 2, "OperationalStatus": []uint16{2, 5}, "Priority": 1, "Caption": "50% [new]_x",
			"Plan": m.instance("T_Plan", values{"Text": "Go", "Step": 1, "Inner": deep}), "Plans": []cim.Value{deep, m.instance("T_Plan", values{"Step": 6})},
		}),
		"b": m.instance("T_Volume", values{
			"CreationClassName": "T_Volume", "DeviceID": "vol0002", "ElementName": "beta", "Blocks": uint64(1<<63 + 1), "Delta": 7,
			"Ratio": -2, "Load": 1e10, "Primordial": false, "Letter": uint64('y'), "Made": noon(), "Age": time.Minute,
			"Tags": []string{}, "Health": 3, "OperationalStatus": []uint16{3}, "Priority": 2, "Caption": `it's a "b"`,
			"Plan": deep, "Anything": m.instance("T_Pool", values{"InstanceID": "inner", "Number": 8}),
		}),
		"d": m.instance("T_Disk", values{
			"CreationClassName": "T_Disk", "DeviceID": "VOL0003", "ElementName": "Gamma", "Blocks": uint64(100), "Speed": 7200,
			"Anything": m.instance("T_Plan", values{"Text": "x", "Step": 8}), "Caption": `c:\dir`,
		}),
		"n": m.instance("T_Volume", values{"CreationClassName": "T_Volume", "DeviceID": "null"}),
		"p": m.instance("T_Pool", values{"InstanceID": "p1", "Number": 1}),
	}
	of["h"] = m.instance("T_Holds", values{"Whole": m.pool("p1"), "Part": of["a"].Path})
	of["i"] = m.instance("T_Holds", values{"Whole": m.pool("P2"), "Part": of["b"].Path})
	of["sync"] = m.instance("T_Change", values{
		"SourceInstance":   m.instance("CIM_StorageSynchronized", values{"SystemElement": of["a"].Path, "SyncedElement": of["b"].Path, "CopyState": 4, "PercentSynced": 100}),
		"PreviousInstance": m.instance("CIM_StorageSynchronized", values{"SystemElement": of["a"].Path, "SyncedElement": of["b"].Path, "CopyState": 2, "PercentSynced": 100}),
		"IndicationTime":   noon(),
	})
	of["job"] = m.instance("T_Change", values{
		"SourceInstance":   m.instance("CIM_ConcreteJob", values{"InstanceID": "j1", "Name": "Copy", "JobState": 4, "OperationalStatus": []uint16{2, 17}}),
		"PreviousInstance": m.instance("CIM_ConcreteJob", values{"InstanceID": "j1", "Name": "Copy", "JobState": 4, "OperationalStatus": []uint16{2}}),
		"IndicationTime":   noon().Add(time.Minute),
	})
	of["odd"] = m.instance("T_Change", values{"SourceInstance": m.instance("T_Odd", values{
		"Blocks": m.pool("p1"), "Delta": m.pool("p2"), "Number": "8", "Step": true, "Text": noon(), "Speed": 2.5, "Depth": -3,
	})})
	return []string{"a", "b", "d", "n", "p", "h", "i", "sync", "job", "odd"}, of
}
