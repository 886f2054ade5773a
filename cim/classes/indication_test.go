package classes

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/job"
	"twinlun/replication/pairstate"
)

// listener is an Indicator on a fake whose events are handled at once.
type listener struct {
	*system
	*Indicator
	wanted bool
	got    []*cim.Instance
}

func newListener(t *testing.T, config ...func(*IndicatorConfig)) *listener {
	l := &listener{system: newSystem(t), wanted: true}
	c := IndicatorConfig{
		Classes: testConfig(t, l.fake), Emit: func(in *cim.Instance) { l.got = append(l.got, in) },
		Wanted: func() bool { return l.wanted }, Rand: strings.NewReader("12345678"),
	}
	for _, f := range config {
		f(&c)
	}
	var err error
	l.Indicator, err = NewIndicator(c)
	require.NoError(t, err)
	return l
}

// when is the time of the events of tests.
var when = then.Add(42 * time.Second)

// raise has the Indicator handle an event, and gives what it raised.
func (l *listener) raise(e replication.Event) []*cim.Instance {
	e.Time = when
	l.got = nil
	l.handle(context.Background(), &e)
	return l.got
}

// one checks that there is one indication of a class, which is complete.
func one(t *testing.T, got []*cim.Instance, class string) *cim.Instance {
	t.Helper()
	require.Len(t, got, 1)
	require.Equal(t, class, got[0].Class.Name)
	checkIndication(t, got[0])
	return got[0]
}

func checkIndication(t *testing.T, in *cim.Instance) {
	t.Helper()
	checkComplete(t, in)
	require.Nil(t, in.Path, "indications have no path")
	require.Regexp(t, `^TWINLUN:3132333435363738-[0-9]+$`, in.Get("IndicationIdentifier"))
	require.Nil(t, in.Get("SequenceNumber"), "numbers count for each destination, so that only deliveries can have them")
	if src, ok := in.Get("SourceInstance").(*cim.Instance); ok {
		checkComplete(t, src)
		require.Nil(t, src.Path, "what is embedded has no path")
		p, err := src.PathIn(Namespace)
		require.NoError(t, err)
		require.Equal(t, p.String(), in.Get("SourceInstanceModelPath"))
		require.Equal(t, "host1", in.Get("SourceInstanceHost"))
	}
}

// shown is the instance that the class's provider shows.
func (l *listener) shown(p *cim.Path) *cim.Instance {
	in, err := l.Get(admin(), p)
	require.NoError(l.t, err)
	return in
}

// made, gone and turned are the changes of an object.
func made[T any](v T) replication.Change[T] { return replication.Change[T]{After: &v} }
func gone[T any](v T) replication.Change[T] { return replication.Change[T]{Before: &v} }
func turned[T any](v T, f func(*T)) replication.Change[T] {
	old := v
	f(&v)
	return replication.Change[T]{Before: &old, After: &v}
}

// TestLifeCycle raises each indication of each class and compares the instance in it
// with what the provider shows.
func TestLifeCycle(t *testing.T) {
	l := newListener(t)
	f := l.fake
	vol, pair, tie := f.volumes[0], f.pairs[0], f.ties[0]
	empty, done := f.groups[2], f.jobs[1]
	for _, c := range []struct {
		name           string
		path           *cim.Path
		made, was, end replication.Event
		changes        []cim.Value
		before, after  any // of the first
	}{{
		name: "volume", path: l.vol(1),
		made: replication.Event{Volume: made(vol)}, end: replication.Event{Volume: gone(vol)},
		was:     replication.Event{Volume: turned(vol, func(v *pool.Volume) { v.Name, v.Size = "other", 2<<30 })},
		changes: []cim.Value{"ElementName", "NumberOfBlocks", "ConsumableBlocks"}, before: "db", after: "other",
	}, {
		name: "pair", path: l.m.pairPath(pair),
		made: replication.Event{Relationship: made(pair)}, end: replication.Event{Relationship: gone(pair)},
		was:     replication.Event{Relationship: turned(pair, func(r *replication.Relationship) { r.Percent = 41 })},
		changes: []cim.Value{"PercentSynced"}, before: uint64(40), after: uint64(41),
	}, {
		name: "group relationship", path: tiePath("g1", "g2"),
		made: replication.Event{GroupRelationship: made(tie)}, end: replication.Event{GroupRelationship: gone(tie)},
		was:     replication.Event{GroupRelationship: turned(tie, func(r *replication.GroupRelationship) { r.Percent = 71 })},
		changes: []cim.Value{"PercentSynced"}, before: uint64(70), after: uint64(71),
	}, {
		name: "group", path: groupPath("g3"),
		made: replication.Event{Group: made(empty)}, end: replication.Event{Group: gone(empty)},
		was:     replication.Event{Group: turned(empty, func(g *replication.Group) { g.DeleteOnEmptyElement = false })},
		changes: []cim.Value{"DeleteOnEmptyElement"}, before: true, after: false,
	}, {
		name: "job", path: jobPath("j2"),
		made: replication.Event{Job: made(done)}, end: replication.Event{Job: gone(done)},
		was:     replication.Event{Job: turned(done, func(j *job.Record) { j.ErrorCode = 5 })},
		changes: []cim.Value{"ErrorCode"}, before: uint64(0), after: uint64(5),
	}} {
		t.Run(c.name, func(t *testing.T) {
			want := l.shown(c.path)
			in := one(t, l.raise(c.made), "CIM_InstCreation")
			require.True(t, cim.Equal(embedded(want), in.Get("SourceInstance")))
			require.Equal(t, c.path.String(), in.Get("SourceInstanceModelPath"))
			require.True(t, cim.Equal(cim.TimeValue(when), in.Get("IndicationTime")))

			in = one(t, l.raise(c.end), "CIM_InstDeletion")
			require.True(t, cim.Equal(embedded(want), in.Get("SourceInstance")))

			in = one(t, l.raise(c.was), "CIM_InstModification")
			require.Equal(t, c.changes, in.Get("ChangedPropertyNames"))
			old, now := in.Get("PreviousInstance").(*cim.Instance), in.Get("SourceInstance").(*cim.Instance)
			require.True(t, cim.Equal(embedded(want), old))
			checkComplete(t, old)
			require.Equal(t, c.before, old.Get(c.changes[0].(string)))
			require.Equal(t, c.after, now.Get(c.changes[0].(string)))
		})
	}
	require.Equal(t, IndicatorStats{Raised: map[string]uint64{
		"CIM_InstCreation": 5, "CIM_InstDeletion": 5, "CIM_InstModification": 5, "CIM_AlertIndication": 0,
	}}, l.Stats())
}

func TestIdentifiersAreUnique(t *testing.T) {
	l := newListener(t)
	seen := map[cim.Value]bool{}
	for range 10 {
		id := l.raise(replication.Event{Volume: made(l.fake.volumes[0])})[0].Get("IndicationIdentifier")
		require.False(t, seen[id])
		seen[id] = true
	}
}

// TestNothingShown: what no property shows is no indication.
func TestNothingShown(t *testing.T) {
	l := newListener(t)
	require.Empty(t, l.raise(replication.Event{Volume: turned(l.fake.volumes[0], func(v *pool.Volume) { v.Labels = map[string]string{"a": "b"} })}))
	require.Empty(t, l.raise(replication.Event{}))
}

// TestKeyChanges: an instance with other keys is another one.
func TestKeyChanges(t *testing.T) {
	l := newListener(t)
	got := l.raise(replication.Event{Relationship: turned(l.fake.pairs[3], func(r *replication.Relationship) {
		r.Source, r.Target = r.Target, r.Source
	})})
	require.Len(t, got, 2)
	require.Equal(t, "CIM_InstDeletion", got[0].Class.Name)
	require.Equal(t, "CIM_InstCreation", got[1].Class.Name)
	require.NotEqual(t, got[0].Get("SourceInstanceModelPath"), got[1].Get("SourceInstanceModelPath"))
}

// TestJobClock: a job's elapsed time is that at its event, before and after.
func TestJobClock(t *testing.T) {
	l := newListener(t)
	j := l.fake.jobs[0]
	j.Percent = 40
	in := one(t, l.raise(replication.Event{Job: turned(j, func(j *job.Record) { j.Percent++ })}), "CIM_InstModification")
	require.Equal(t, []cim.Value{"PercentComplete"}, in.Get("ChangedPropertyNames"))
	elapsed := in.Get("SourceInstance").(*cim.Instance).Get("ElapsedTime")
	require.True(t, cim.Equal(cim.IntervalValue(when.Sub(j.Started)), elapsed))
}

// TestGroupNameOutlivesTheGroup: a pair's last indication still names what it was in.
func TestGroupNameOutlivesTheGroup(t *testing.T) {
	l := newListener(t)
	pair := l.fake.pairs[0]
	l.fake.ties = nil
	in := one(t, l.raise(replication.Event{Relationship: gone(pair)}), "CIM_InstDeletion")
	require.Equal(t, "nightly", in.Get("SourceInstance").(*cim.Instance).Get("GroupRelationshipName"))
}

// TestNewGroupNameIsIndicated: the pairs of a group show its name too.
func TestNewGroupNameIsIndicated(t *testing.T) {
	l := newListener(t)
	in := one(t, l.raise(replication.Event{Relationship: turned(l.fake.pairs[0], func(r *replication.Relationship) { r.GroupName = "weekly" })}), "CIM_InstModification")
	require.Equal(t, "nightly", in.Get("PreviousInstance").(*cim.Instance).Get("GroupRelationshipName"))
	require.Equal(t, "weekly", in.Get("SourceInstance").(*cim.Instance).Get("GroupRelationshipName"))
}

func TestMemberships(t *testing.T) {
	l := newListener(t)
	g := l.fake.groups[0] // volumes 1 and 2
	words := func(got []*cim.Instance) (words []string) {
		for _, in := range got {
			checkIndication(t, in)
			src := in.Get("SourceInstance").(*cim.Instance)
			word := strings.TrimPrefix(in.Class.Name, "CIM_Inst") + " " + strings.TrimPrefix(src.Class.Name, "TWINLUN_")
			if p, ok := src.Get("Member").(*cim.Path); ok {
				word += " " + p.Key("DeviceID").(string)[31:] + " " + cim.FormatText(src.Get("AssignedSequence"))
			}
			words = append(words, word)
		}
		return words
	}
	require.Equal(t, []string{
		"Creation ReplicationGroup", "Creation OrderedMemberOfCollection 1 1", "Creation OrderedMemberOfCollection 2 2",
	}, words(l.raise(replication.Event{Group: made(g)})))
	require.Equal(t, []string{
		"Deletion OrderedMemberOfCollection 1 1", "Deletion OrderedMemberOfCollection 2 2", "Deletion ReplicationGroup",
	}, words(l.raise(replication.Event{Group: gone(g)})))
	require.Equal(t, []string{
		"Deletion OrderedMemberOfCollection 1 1", "Modification OrderedMemberOfCollection 2 1", "Creation OrderedMemberOfCollection 4 2",
	}, words(l.raise(replication.Event{Group: turned(g, func(g *replication.Group) {
		g.Members = []replication.VolumeRef{volRef("fast", 2), volRef("fast", 4)}
	})})))
}

// TestNobodyWants: nothing is built, and those who come later begin afresh.
func TestNobodyWants(t *testing.T) {
	l := newListener(t)
	broken := replication.Event{Relationship: turned(l.fake.pairs[1], breakPair)}
	require.Len(t, l.raise(broken), 2)
	l.wanted = false
	l.fake.calls = nil
	require.Empty(t, l.raise(broken))
	require.NoError(t, l.CheckPools(context.Background()))
	require.Empty(t, l.fake.calls, "nothing is asked either")
	l.wanted = true
	require.Len(t, l.raise(broken), 2, "the alert is told to who comes later")
}

func breakPair(r *replication.Relationship) {
	r.State = pairstate.State{Copy: pairstate.Broken, Requested: pairstate.NotApplicable, Progress: pairstate.Dormant}
	r.Reason = "write: I/O error"
}

// TestOverflow: what does not fit is dropped, counted and told of; nobody waits.
func TestOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListener(t, func(c *IndicatorConfig) { c.Queue = 3 })
		for range 10 {
			l.Notify(replication.Event{Volume: made(l.fake.volumes[0]), Time: when})
		}
		require.EqualValues(t, 7, l.Stats().Dropped)
		require.Equal(t, 3, l.Stats().Waiting)
		ctx, cancel := context.WithCancel(t.Context())
		go l.Run(ctx)
		synctest.Wait()
		cancel()
		synctest.Wait()
		require.Len(t, l.got, 4)
		in := l.got[0]
		require.Equal(t, "CIM_AlertIndication", in.Class.Name)
		checkIndication(t, in)
		require.Equal(t, []cim.Value{"7"}, in.Get("MessageArguments"))
		require.Equal(t, l.m.systemPath().String(), in.Get("AlertingManagedElement"))
		require.Equal(t, "TWINLUN3", in.Get("MessageID"))
		require.Zero(t, l.Stats().Waiting)
	})
}

// TestFailureIsCounted: an instance that cannot be shown loses one indication, not
// those after it.
func TestFailureIsCounted(t *testing.T) {
	var log strings.Builder
	l := newListener(t, func(c *IndicatorConfig) { c.Classes.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	bad := l.fake.volumes[0]
	bad.Allocated = -1
	require.Empty(t, l.raise(replication.Event{Volume: turned(bad, func(v *pool.Volume) { v.Name = "x" })}))
	require.EqualValues(t, 1, l.Stats().Failed)
	require.Contains(t, log.String(), "could not be made")
	require.Len(t, l.raise(replication.Event{Volume: made(l.fake.volumes[0])}), 1)
}

func TestIndicatorConfig(t *testing.T) {
	good := IndicatorConfig{Classes: testConfig(t, newFake()), Emit: func(*cim.Instance) {}}
	for name, spoil := range map[string]func(*IndicatorConfig){
		"no Emit":   func(c *IndicatorConfig) { c.Emit = nil },
		"no pools":  func(c *IndicatorConfig) { c.Classes.PoolNames = nil },
		"no random": func(c *IndicatorConfig) { c.Rand = strings.NewReader("short") },
		"no class":  func(c *IndicatorConfig) { c.Classes.Schema = cim.NewSchema(nil) },
	} {
		c := good
		spoil(&c)
		_, err := NewIndicator(c)
		require.Error(t, err, name)
	}
	n, err := NewIndicator(good)
	require.NoError(t, err)
	require.Equal(t, 4096, cap(n.queue))
	require.NoError(t, n.CheckPools(t.Context()), "somebody always wants")
}

var errPools = errors.New("the pools are away")
