package replication

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/job"
	"twinlun/replication/pairstate"
)

// ledger is what a listener knows: a snapshot with the events since then applied.
// An event that does not follow from what it knows is an error.
type ledger struct {
	mu      sync.Mutex
	objects map[string]string // JSON by sort and identifier
	number  uint64
	errs    []error
	events  []Event
}

func newLedger() *ledger { return &ledger{objects: map[string]string{}} }

// take is for Config.Events.
func (l *ledger) take(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	if of, what := e.About(); of == 0 || what == Unchanged || e.Time.IsZero() {
		l.errs = append(l.errs, fmt.Errorf("an event about nothing: %+v", e))
	}
	if e.Number != l.number+1 {
		l.errs = append(l.errs, fmt.Errorf("event %d after %d", e.Number, l.number))
	}
	l.number = e.Number
	applyChange(l, RelationshipObject, e.Relationship, func(r Relationship) string { return r.ID })
	applyChange(l, GroupRelationshipObject, e.GroupRelationship, func(r GroupRelationship) string { return r.ID })
	applyChange(l, GroupObject, e.Group, func(g Group) string { return g.ID })
	applyChange(l, JobObject, e.Job, func(r job.Record) string { return r.ID })
	applyChange(l, VolumeObject, e.Volume, func(v pool.Volume) string { return v.Pool + "/" + string(v.ID) })
}

func applyChange[T any](l *ledger, of ObjectKind, c Change[T], id func(T) string) {
	if c.Kind() == Unchanged {
		return
	}
	one := c.After
	if one == nil {
		one = c.Before
	}
	key := of.String() + " " + id(*one)
	known, want := l.objects[key], ""
	if c.Before != nil {
		want = textOf(*c.Before)
	}
	if known != want {
		l.errs = append(l.errs, fmt.Errorf("%s %v: it was\n%s\nbut the event says\n%s", key, c.Kind(), known, want))
	}
	delete(l.objects, key)
	if c.After != nil {
		l.objects[key] = textOf(*c.After)
	}
}

// textOf is an object without what may change by itself.
func textOf(v any) string {
	if vol, ok := v.(pool.Volume); ok {
		vol.Allocated, vol.Dependent = 0, false
		v = vol
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if r, ok := v.(Relationship); ok {
		b = append(b, r.GroupName...) // is not stored
	}
	return string(b)
}

// views is what the lists of a Service show.
func (w *world) views() map[string]string {
	w.t.Helper()
	ctx, all := context.Background(), map[string]string{}
	require.NoError(w.t, w.svc.EachRelationship(ctx, func(r Relationship) error {
		all["relationship "+r.ID] = textOf(r)
		return nil
	}))
	require.NoError(w.t, w.svc.EachGroupRelationship(ctx, func(r GroupRelationship) error {
		all["group_relationship "+r.ID] = textOf(r)
		return nil
	}))
	require.NoError(w.t, w.svc.EachGroup(ctx, func(g Group) error {
		all["group "+g.ID] = textOf(g)
		return nil
	}))
	jobs, err := w.svc.jobs.List(ctx)
	require.NoError(w.t, err)
	for _, j := range jobs {
		all["job "+j.ID] = textOf(j)
	}
	require.NoError(w.t, w.svc.EachVolume(ctx, func(v pool.Volume) error {
		all["volume "+v.Pool+"/"+string(v.ID)] = textOf(v)
		return nil
	}))
	return all
}

// agrees waits until a listener knows what the lists show.
func (w *world) agrees(l *ledger) {
	w.t.Helper()
	var shown map[string]string
	same := func() bool {
		shown = w.views()
		raised := w.svc.events.raised()
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.errs) > 0 || l.number == raised && maps.Equal(shown, l.objects)
	}
	if !waitFor(same) {
		l.mu.Lock()
		defer l.mu.Unlock()
		require.Equal(w.t, shown, l.objects)
	}
	require.NoError(w.t, errorsOf(l))
	require.Empty(w.t, w.svc.book.wrongTies())
}

// waitFor polls a condition; a while is for broken code only.
func waitFor(f func() bool) bool {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if f() {
			return true
		}
		<-time.After(time.Millisecond)
	}
	return false
}

// raised is how many events there were.
func (e *events) raised() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.number
}

// restart restarts the Service. What it stored is what the listener knows.
func (l *ledger) restart(w *world) {
	require.NoError(w.t, w.svc.Close())
	b := newBook(newEvents(nil, nil))
	require.NoError(w.t, w.store.View(context.Background(), b.load))
	l.mu.Lock()
	for id, p := range b.pairs.byID {
		require.Equal(w.t, l.objects["relationship "+id], textOf(p.showLocked().Relationship))
	}
	for id, t := range b.ties.byID {
		require.Equal(w.t, l.objects["group_relationship "+id], textOf(t.show()))
	}
	l.number = 0
	l.mu.Unlock()
	w.start()
}

func listening(l *ledger) func(*Config) { return func(c *Config) { c.Events = l.take } }

// about lists the events as words, without the moves of percentages.
func (l *ledger) about() (words []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		of, what := e.About()
		word := fmt.Sprintf("%v %v", of, what)
		switch {
		case what == Modified && of == JobObject && e.Job.Before.State == e.Job.After.State:
			continue
		case what == Modified && of == RelationshipObject && e.Relationship.Before.State == e.Relationship.After.State:
			continue
		case what == Modified && of == GroupRelationshipObject && e.GroupRelationship.Before.State == e.GroupRelationship.After.State:
			continue
		case e.Job.After != nil:
			word += " " + e.Job.After.State.String()
		case e.Relationship.After != nil:
			word += " " + e.Relationship.After.State.Copy.String()
		}
		words = append(words, word)
	}
	l.events = nil
	return words
}

func TestEventsOfAListReplica(t *testing.T) {
	l := newLedger()
	w := newWorld(t, listening(l))
	src := w.volumes("a")
	w.agrees(l)
	require.Equal(t, []string{"volume created"}, l.about())
	res := w.list(ListRequest{SyncType: pairstate.Clone, Sources: src})
	w.jobEnds(res.Job)
	w.agrees(l)
	words := l.about()
	require.Equal(t, []string{"volume created", "job created new", "relationship created Unsynchronized"}, words[:3])
	require.ElementsMatch(t, []string{"job modified running", "relationship modified Synchronized", "job modified completed"}, words[3:])
	require.Equal(t, "job modified completed", words[5], "the job ends after what it waits for")

	require.NoError(t, w.modify(OpDetach, res.Relationships[0]))
	require.NoError(t, w.svc.DeleteJob(context.Background(), res.Job))
	w.agrees(l)
	require.Equal(t, []string{"relationship modified Synchronized", "relationship deleted", "job deleted"}, l.about())
}

func TestEventsOfAGroup(t *testing.T) {
	l := newLedger()
	w := newWorld(t, listening(l))
	src := w.volumes("a", "b")
	w.agrees(l)
	l.about()
	res := w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: src, Wait: Wait{State: pairstate.Synchronized}})
	w.agrees(l)
	require.Equal(t, []string{
		"volume created", "volume created", "relationship created Synchronized", "relationship created Synchronized",
		"group created", "group created", "group_relationship created",
	}, l.about())
	require.NoError(t, w.modify(OpReturnToPool, res.GroupRelationship))
	w.agrees(l)
	words := l.about()
	require.Equal(t, []string{
		"relationship modified Synchronized", "relationship modified Synchronized", "group_relationship modified",
		"volume deleted", "volume deleted", "relationship deleted", "relationship deleted", "group_relationship deleted",
		"group deleted", "group deleted",
	}, words)
}

func TestEventsOfVolumes(t *testing.T) {
	l := newLedger()
	w := newWorld(t, listening(l))
	v := w.volumes("a")[0]
	ctx := context.Background()
	for _, f := range []func(*pool.Volume) error{
		func(v *pool.Volume) error { v.Name = "b"; return nil },
		func(v *pool.Volume) error { v.Size *= 2; return nil },
		func(v *pool.Volume) error { v.Labels = map[string]string{"k": "v"}; return nil },
		func(*pool.Volume) error { return nil },
	} {
		_, err := w.svc.UpdateVolume(ctx, v, f)
		require.NoError(t, err)
	}
	_, err := w.svc.UpdateVolume(ctx, v, func(v *pool.Volume) error { v.Name = "lost"; return errors.New("refused") })
	require.Error(t, err)
	require.NoError(t, w.svc.DeleteVolume(ctx, v))
	w.agrees(l)
	require.Equal(t, []string{"volume created", "volume modified", "volume modified", "volume modified", "volume deleted"}, l.about())
}

func TestBrokenMirrorIsToldOnce(t *testing.T) {
	l := newLedger()
	w := newWorld(t, listening(l))
	id, src, target := w.one(pairstate.Mirror, "a", pairstate.Synchronized)
	w.agrees(l)
	l.about()
	w.pools[0].failWrites(blockdev.KindIO, target)
	w.write(src, 0, []byte("the source goes on"))
	w.reaches(pairstate.Broken, id)
	w.agrees(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	broke := 0
	for _, e := range l.events {
		if e.Broke() {
			broke++
			require.NotEmpty(t, e.Relationship.After.Reason)
			require.Equal(t, id, e.Relationship.After.ID)
		}
	}
	require.Equal(t, 1, broke)
}

// TestRestartIsNoCreation: what goes on is not told again, but what changes is.
func TestRestartIsNoCreation(t *testing.T) {
	l := newLedger()
	w := newWorld(t, listening(l))
	mirror, _, _ := w.one(pairstate.Mirror, "a", pairstate.Synchronized)
	w.pools[0].hold()
	clone := w.list(ListRequest{SyncType: pairstate.Clone, Sources: w.volumes("b")})
	w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: w.volumes("c"), Wait: Wait{State: pairstate.Synchronized}})
	w.jobRuns(clone.Job)
	w.agrees(l)
	l.about()
	l.restart(w)
	w.reaches(pairstate.Synchronized, mirror)
	w.agrees(l)
	words := l.about()
	require.Equal(t, []string{"relationship modified Unsynchronized", "relationship modified Synchronized"}, words,
		"the mirror compares what was dirty; the clone goes on")
	w.pools[0].setGate(nil)
	l.restart(w)
	w.jobEnds(clone.Job)
	w.agrees(l)
}

func TestNobodyListens(t *testing.T) {
	w := newWorld(t)
	w.group(GroupRequest{SyncType: pairstate.Clone, Sources: w.volumes("a"), Wait: Wait{State: pairstate.Synchronized}})
	require.Empty(t, w.svc.events.queue)
	require.Empty(t, w.svc.book.told.ties)
	require.NotContains(t, fmt.Sprintf("%T", w.svc.pools["p0"]), "toldPool")
}

// TestListenerMayAsk: no lock is held that the lists need.
func TestListenerMayAsk(t *testing.T) {
	var w *world
	var ready atomic.Bool
	var asked atomic.Int64
	w = newWorld(t, func(c *Config) {
		c.Events = func(Event) {
			if !ready.Load() {
				return
			}
			asked.Add(int64(len(w.views())))
		}
	})
	ready.Store(true)
	w.group(GroupRequest{SyncType: pairstate.Clone, Sources: w.volumes("a", "b"), Wait: Wait{State: pairstate.Synchronized}})
	w.eventually("answers", func() bool { return asked.Load() > 0 })
}

// TestSlowListenerStopsNothing: work goes on while a listener does not return.
func TestSlowListenerStopsNothing(t *testing.T) {
	let := make(chan struct{})
	w := newWorld(t, func(c *Config) { c.Events = func(Event) { <-let } })
	defer close(let)
	w.group(GroupRequest{SyncType: pairstate.Clone, Sources: w.volumes("a", "b"), Wait: Wait{State: pairstate.Synchronized}})
	w.one(pairstate.Mirror, "c", pairstate.Synchronized)
}

func TestEventMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	l := newLedger()
	w := newWorld(t, listening(l), func(c *Config) { c.Registerer = reg })
	w.volumes("a", "b")
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "twinlun_replication_events_total" {
			require.EqualValues(t, 2, f.GetMetric()[0].GetCounter().GetValue())
			return
		}
	}
	t.Fatal("events are not counted")
}

// TestEventsFollowTheViews lets several clients do what they like to a Service whose
// store and pools fail now and then and which is restarted, and compares what a
// listener knows with what the lists show.
func TestEventsFollowTheViews(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { followViews(t, seed) })
	}
}

func followViews(t *testing.T, seed uint64) {
	l := newLedger()
	w := newWorld(t, listening(l))
	w.volumes("a", "b", "c", "d")
	for round := range uint64(4) {
		w.failSometimes(rand.New(rand.NewPCG(seed, round)))
		var wg sync.WaitGroup
		for client := range uint64(3) {
			wg.Go(func() {
				c := &careless{w: w, rnd: rand.New(rand.NewPCG(seed<<32+round, client))}
				for range 25 {
					c.act()
				}
			})
		}
		wg.Wait()
		w.wire.watch(nil)
		for _, p := range w.pools {
			p.setFault(nil)
		}
		l.restart(w)
		w.agrees(l)
	}
}

// failSometimes makes one in some changes of the store and pools fail before it is
// made.
func (w *world) failSometimes(rnd *rand.Rand) {
	var mu sync.Mutex
	strikes := func(n int) bool {
		mu.Lock()
		defer mu.Unlock()
		return rnd.IntN(n) == 0
	}
	w.wire.watch(func(_ int64, _ string, after bool) error {
		if !after && strikes(20) {
			return errors.New("a fault")
		}
		return nil
	})
	for _, p := range w.pools {
		p.setFault(func(op, _ string) error {
			if (op == "hydrate" || op == "snapshot" || op == "attach") && strikes(15) {
				return errors.New("a fault")
			}
			return nil
		})
	}
}

// careless is a client that does one thing after the other, whether it makes sense
// or not.
type careless struct {
	w   *world
	rnd *rand.Rand
}

func (c *careless) act() {
	defer func() {
		if wrong := c.w.svc.book.wrongTies(); len(wrong) > 0 {
			c.w.t.Error(wrong)
		}
	}()
	ctx, s := context.Background(), c.w.svc
	typ := []pairstate.SyncType{pairstate.Mirror, pairstate.Snapshot, pairstate.Clone}[c.rnd.IntN(3)]
	wait := Wait{State: []pairstate.CopyState{0, pairstate.Synchronized, pairstate.Inactive}[c.rnd.IntN(3)], For: time.Millisecond}
	name := fmt.Sprintf("v%d", c.rnd.IntN(1000))
	switch c.rnd.IntN(12) {
	case 0, 1:
		_, _ = s.CreateList(ctx, ListRequest{SyncType: typ, Sources: c.some(2), Wait: wait, Settings: Settings{ContinueOnError: c.rnd.IntN(2) == 0}})
	case 2:
		_, _ = s.CreateGroupFromElements(ctx, GroupRequest{SyncType: typ, Sources: c.some(3), Wait: wait})
	case 3, 4, 5:
		ops := []Operation{OpActivate, OpDetach, OpDissolve, OpReturnToPool, OpDissolve}
		_, _ = s.Modify(ctx, ModifyRequest{ID: c.any(), Operation: ops[c.rnd.IntN(len(ops))], Force: c.rnd.IntN(2) == 0})
	case 6:
		_, _ = s.CreateVolume(ctx, "p0", pool.Spec{Name: name, Size: volumeSize})
	case 7:
		_, _ = s.UpdateVolume(ctx, c.some(1)[0], func(v *pool.Volume) error { v.Name = name; v.Size *= 2; return nil })
	case 8:
		_ = s.DeleteVolume(ctx, c.some(1)[0])
	case 9:
		g, err := s.CreateGroup(ctx, GroupSpec{Members: c.some(2), DeleteOnEmptyElement: true})
		if err == nil {
			_ = s.ModifyGroup(ctx, g.ID, c.some(1), g.Members[:1])
			_ = s.DeleteGroup(ctx, g.ID)
		}
	case 10:
		c.jobs()
	case 11:
		_ = c.w.tryWrite(c.some(1)[0], 0, []byte(name))
	}
}

// jobs cancels or forgets some.
func (c *careless) jobs() {
	all, err := c.w.svc.jobs.List(context.Background())
	if err != nil || len(all) == 0 {
		return
	}
	j := all[c.rnd.IntN(len(all))]
	_ = c.w.svc.CancelJob(context.Background(), j.ID)
	_ = c.w.svc.DeleteJob(context.Background(), j.ID)
}

// some picks volumes.
func (c *careless) some(n int) []VolumeRef {
	var all []VolumeRef
	_ = c.w.svc.EachVolume(context.Background(), func(v pool.Volume) error {
		all = append(all, VolumeRef{Pool: v.Pool, ID: v.ID})
		return nil
	})
	if len(all) == 0 {
		return []VolumeRef{{Pool: "p0", ID: "none"}}
	}
	c.rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(n, len(all))]
}

// any picks a relationship or group relationship.
func (c *careless) any() string {
	var all []string
	ctx := context.Background()
	_ = c.w.svc.EachRelationship(ctx, func(r Relationship) error { all = append(all, r.ID); return nil })
	_ = c.w.svc.EachGroupRelationship(ctx, func(r GroupRelationship) error { all = append(all, r.ID); return nil })
	if len(all) == 0 {
		return "none"
	}
	return all[c.rnd.IntN(len(all))]
}
