package query

import (
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// benchQueries are what clients send.
func benchQueries() map[string]cim.Query {
	return map[string]cim.Query{
		"key":        {Language: "WQL", Text: "SELECT * FROM T_Volume WHERE DeviceID = 'VOL0001'"},
		"two":        {Language: "WQL", Text: "SELECT DeviceID, Blocks FROM T_Volume WHERE Health = 2 AND Blocks > 50"},
		"like":       {Language: "WQL", Text: "SELECT * FROM T_Volume WHERE ElementName LIKE 'alph%'"},
		"expression": {Language: "CQL", Text: "SELECT * FROM T_Volume WHERE ElementName LIKE 'Alph.*'"},
		"indication": {Language: "CQL", Text: "SELECT * FROM T_Change WHERE SourceInstance ISA CIM_StorageSynchronized AND SourceInstance.CIM_StorageSynchronized::CopyState <> PreviousInstance.CIM_StorageSynchronized::CopyState"},
		"dynamic":    {Language: "WQL", Text: "SELECT * FROM T_Change WHERE SourceInstance ISA 'CIM_StorageSynchronized' AND SourceInstance.CopyState <> PreviousInstance.CopyState"},
	}
}

func BenchmarkCompile(b *testing.B) {
	conf := config(b)
	for name, q := range benchQueries() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Compile(conf, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	_, of := sample(b)
	for name, q := range benchQueries() {
		s := compile(b, q.Language, q.Text)
		in := of["a"]
		if s.Class().Name == "T_Change" {
			in = of["sync"]
		}
		require.True(b, s.Match(in), name)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Match(in)
			}
		})
	}
}

func BenchmarkProject(b *testing.B) {
	_, of := sample(b)
	s := compile(b, "WQL", "SELECT DeviceID, Blocks FROM T_Volume")
	b.ReportAllocs()
	for b.Loop() {
		s.Project(of["a"])
	}
}
