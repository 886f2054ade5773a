package classes

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/pairstate"
)

// alerts leaves the life cycle indications out.
func alerts(t *testing.T, got []*cim.Instance) (all []*cim.Instance) {
	for _, in := range got {
		if in.Class.Name == classAlertIndication {
			checkIndication(t, in)
			all = append(all, in)
		}
	}
	return all
}

// values are some properties of an instance.
func values(in *cim.Instance, names ...string) map[string]cim.Value {
	m := map[string]cim.Value{}
	for _, n := range names {
		m[n] = in.Get(n)
	}
	return m
}

func inState(c pairstate.CopyState) func(*replication.Relationship) {
	return func(r *replication.Relationship) {
		r.State, r.Reason = pairstate.State{Copy: c, Requested: pairstate.NotApplicable, Progress: pairstate.Completed}, ""
	}
}

func TestBrokenMirror(t *testing.T) {
	l := newListener(t)
	r := l.fake.pairs[2]
	inState(pairstate.Synchronized)(&r)
	turn := func(f func(*replication.Relationship)) []*cim.Instance {
		c := turned(r, f)
		r = *c.After
		got := l.raise(replication.Event{Relationship: c})
		require.Equal(t, classInstModification, got[0].Class.Name, "the change comes first")
		return alerts(t, got)
	}
	broke := turn(breakPair)
	require.Len(t, broke, 1)
	require.Equal(t, map[string]cim.Value{
		"AlertType": uint64(5), "PerceivedSeverity": uint64(5), "ProbableCause": uint64(88), "ProbableCauseDescription": "write: I/O error",
		"AlertingManagedElement": l.m.pairPath(r).String(), "AlertingElementFormat": uint64(2), "Trending": uint64(1),
		"OwningEntity": "TWINLUN", "MessageID": "TWINLUN1", "MessageArguments": []cim.Value{"mirror", "db-mirror", "write: I/O error"},
		"Message": "The mirror db-mirror is broken: write: I/O error", "EventID": "relationship:p3",
		"SystemCreationClassName": "TWINLUN_ComputerSystem", "SystemName": "host1", "ProviderName": "Twinlun", "CorrelatedIndications": nil,
	}, values(broke[0], "AlertType", "PerceivedSeverity", "ProbableCause", "ProbableCauseDescription", "AlertingManagedElement", "AlertingElementFormat",
		"Trending", "OwningEntity", "MessageID", "MessageArguments", "Message", "EventID", "SystemCreationClassName", "SystemName", "ProviderName", "CorrelatedIndications"))
	require.NotEmpty(t, broke[0].Get("RecommendedActions"))
	require.True(t, cim.Equal(cim.TimeValue(when), broke[0].Get("EventTime")))

	require.Empty(t, turn(inState(pairstate.Unsynchronized)), "it is being mended")
	require.Empty(t, turn(breakPair), "that it fails again is known")
	require.Empty(t, turn(inState(pairstate.Unsynchronized)))
	whole := turn(inState(pairstate.Synchronized))
	require.Len(t, whole, 1)
	require.Equal(t, map[string]cim.Value{
		"PerceivedSeverity": uint64(2), "ProbableCause": uint64(59), "MessageID": "TWINLUN2", "EventID": "relationship:p3",
		"CorrelatedIndications": []cim.Value{broke[0].Get("IndicationIdentifier")},
	}, values(whole[0], "PerceivedSeverity", "ProbableCause", "MessageID", "EventID", "CorrelatedIndications"))
	require.Len(t, turn(breakPair), 1, "now it is news again")
	require.Empty(t, alerts(t, l.raise(replication.Event{Relationship: gone(r)})))
	require.Empty(t, l.broken, "what is gone is not kept")
}

func TestBrokenClone(t *testing.T) {
	l := newListener(t)
	in := alerts(t, l.raise(replication.Event{Relationship: turned(l.fake.pairs[0], breakPair)}))[0]
	require.Equal(t, map[string]cim.Value{"PerceivedSeverity": uint64(4), "ProbableCause": uint64(57)}, values(in, "PerceivedSeverity", "ProbableCause"))
}

func TestPoolSpace(t *testing.T) {
	l := newListener(t)
	l.fake.pools = []pool.Info{{Name: "fast", Total: 1000}, {Name: "slow", Total: 0}}
	check := func(free int64) []*cim.Instance {
		t.Helper()
		l.fake.pools[0].Free = free
		l.got = nil
		require.NoError(t, l.CheckPools(context.Background()))
		return alerts(t, l.got)
	}
	var last cim.Value
	for _, step := range []struct {
		free              int64
		id                string // "": nothing is told
		severity, cause   uint64
		trend             uint64
		tells, correlates bool
	}{
		{free: 500},
		{free: 201},
		{free: 200, id: "DRM28", severity: 3, cause: 52, trend: 2},
		{free: 200},
		{free: 210},
		{free: 190},
		{free: 100, id: "DRM28", severity: 5, cause: 52, trend: 2},
		{free: 149},
		{free: 0, id: "DRM29", severity: 6, cause: 50, trend: 2},
		{free: 50},
		{free: 51, id: "DRM28", severity: 5, cause: 52, trend: 3},
		{free: 151, id: "DRM28", severity: 3, cause: 52, trend: 3},
		{free: 250},
		{free: 251, id: "DRM30", severity: 2, cause: 59, trend: 3, correlates: true},
		{free: 201},
		{free: 0, id: "DRM29", severity: 6, cause: 50, trend: 2},
		{free: 900, id: "DRM30", severity: 2, cause: 59, trend: 3, correlates: true},
	} {
		got := check(step.free)
		if step.id == "" {
			require.Empty(t, got, "%d free", step.free)
			continue
		}
		require.Len(t, got, 1, "%d free", step.free)
		want := map[string]cim.Value{
			"MessageID": step.id, "PerceivedSeverity": step.severity, "ProbableCause": step.cause, "Trending": step.trend,
			"OwningEntity": "SNIA", "MessageArguments": []cim.Value{"Pool", "fast"}, "AlertType": uint64(5), "EventID": "pool-space:fast",
			"AlertingManagedElement": poolPath("fast").String(), "CorrelatedIndications": nil,
		}
		if step.correlates {
			want["CorrelatedIndications"] = []cim.Value{last}
		}
		last = got[0].Get("IndicationIdentifier")
		require.Equal(t, want, values(got[0], "MessageID", "PerceivedSeverity", "ProbableCause", "Trending", "OwningEntity", "MessageArguments",
			"AlertType", "EventID", "AlertingManagedElement", "CorrelatedIndications"), "%d free", step.free)
	}
	require.Empty(t, l.levels)
}

func TestPoolSpaceIsTheConfigs(t *testing.T) {
	l := newListener(t, func(c *IndicatorConfig) {
		c.Classes.Space, c.Slack = map[string][]SpaceLevel{"fast": {{50, severityMinor}}}, 20
	})
	l.fake.pools = []pool.Info{{Name: "fast", Total: 100, Free: 50}}
	require.NoError(t, l.CheckPools(t.Context()))
	require.Equal(t, uint64(4), l.got[0].Get("PerceivedSeverity"))
	l.fake.pools[0].Free = 70
	require.NoError(t, l.CheckPools(t.Context()))
	require.Len(t, l.got, 1, "30 % is not below 50 less 20")
	l.fake.fails = map[string]error{"Pools": errPools}
	require.ErrorIs(t, l.CheckPools(t.Context()), errPools)
}
