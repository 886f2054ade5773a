package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// offline is a session that cannot ask a server.
func offline(t testing.TB) *session {
	s, err := testSchema()
	require.NoError(t, err)
	return &session{schema: s}
}

func TestValue(t *testing.T) {
	s := offline(t)
	mode := classOf(t, classReplication).Method("CreateListReplica").Param("Mode").Qualifiers
	for _, c := range []struct {
		d    declared
		word string
		want cim.Value
	}{
		{declared{typ: cim.Uint16}, "7", uint64(7)},
		{declared{typ: cim.Sint32}, "-7", int64(-7)},
		{declared{typ: cim.Boolean}, "true", true},
		{declared{typ: cim.String}, "", ""},
		{declared{typ: cim.String}, `a\,b`, "a,b"},
		{declared{typ: cim.Uint16, qualifiers: mode}, "asynchronous", uint64(3)},
		{declared{typ: cim.Uint16, qualifiers: mode}, "3", uint64(3)},
		{declared{typ: cim.Uint16, array: true}, "1,2", []cim.Value{uint64(1), uint64(2)}},
		{declared{typ: cim.String, array: true}, "", []cim.Value{}},
		{declared{typ: cim.String, array: true}, "a,,b", []cim.Value{"a", "", "b"}},
	} {
		got, err := s.value(t.Context(), c.d, c.word)
		require.NoError(t, err, c.word)
		require.Equal(t, c.want, got, c.word)
	}
	at, err := s.value(t.Context(), declared{typ: cim.Datetime}, "20261101123000.000000+060")
	require.NoError(t, err)
	require.Equal(t, "2026-11-01T11:30:00Z", plain(shown(at)))
	for _, c := range []struct {
		d    declared
		word string
	}{
		{declared{typ: cim.Uint8}, "256"}, {declared{typ: cim.Uint8}, "x"}, {declared{typ: cim.Boolean}, "maybe"},
		{declared{typ: cim.Uint16, qualifiers: mode}, "fast"}, {declared{typ: cim.Uint8, array: true}, "1,x"},
		{declared{typ: cim.Reference, refClass: "CIM_StorageVolume"}, "v"}, {declared{typ: cim.Reference, refClass: "CIM_None"}, "@v"},
	} {
		_, err := s.value(t.Context(), c.d, c.word)
		require.Equal(t, exitUsage, exitCode(err), "%s: %v", c.word, err)
	}
}

func TestEmbeddedValue(t *testing.T) {
	s := offline(t)
	d := declared{typ: cim.String, embedded: "CIM_ReplicationSettingData"}
	v, err := s.value(t.Context(), d, `{copypriority=High; ElementName=a\;b\};DesiredCopyMethodology=3}`)
	require.NoError(t, err)
	in, _ := v.(*cim.Instance)
	require.NotNil(t, in)
	require.Equal(t, uint64(3), in.Get("CopyPriority"))
	require.Equal(t, "a;b}", in.Get("ElementName"))
	for _, word := range []string{"", "x", "{", "{x", "{Speed=1}", "{CopyPriority}", "{CopyPriority=x}", "{CopyPriority=1}x"} {
		_, err := s.value(t.Context(), d, word)
		require.Equal(t, exitUsage, exitCode(err), "%s: %v", word, err)
	}
	empty, err := s.value(t.Context(), d, "{}")
	require.NoError(t, err)
	require.IsType(t, &cim.Instance{}, empty)
}

// FuzzValue feeds words to every kind of declaration: they are read or refused.
func FuzzValue(f *testing.F) {
	for _, w := range []string{"1", "@x", "{a=1}", "{CopyPriority=1;ElementName=x}", `\`, "a,b", "20261101123000.000000+060", "Mirror", "-0", "{{}", "NaN"} {
		f.Add(w, uint8(0))
	}
	s := offline(f)
	var all []declared
	for _, m := range s.schema.Class(classReplication).Methods {
		for _, p := range m.Params {
			if p.Type != cim.Reference {
				all = append(all, declared{p.Type, p.Array, p.RefClass, p.Embedded, p.Qualifiers})
			}
		}
	}
	for _, typ := range []cim.Type{cim.Datetime, cim.Real32, cim.Real64, cim.Sint8, cim.Char16, cim.Uint64} {
		all = append(all, declared{typ: typ}, declared{typ: typ, array: true})
	}
	f.Fuzz(func(t *testing.T, word string, which uint8) {
		d := all[int(which)%len(all)]
		v, err := s.value(t.Context(), d, word)
		if err != nil {
			require.Nil(t, v)
			return
		}
		require.NotNil(t, v)
		text(shown(v))
	})
}

func TestCells(t *testing.T) {
	job := cim.NewInstance(classOf(t, "TWINLUN_ConcreteJob"))
	require.Nil(t, when(job, "TimeSubmitted"))
	require.Nil(t, duration(job, "ElapsedTime"))
	require.Nil(t, named(job, "JobState"))
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.NoError(t, job.Set("TimeSubmitted", at))
	require.NoError(t, job.Set("JobState", 4))
	require.Equal(t, timestamp(at), when(job, "TimeSubmitted"))
	require.Equal(t, enumeration{4, "Running"}, named(job, "JobState"))
	require.NoError(t, job.Set("JobState", 12345))
	require.Equal(t, enumeration{12345, "12345"}, named(job, "JobState"), "a value without a name")
}
