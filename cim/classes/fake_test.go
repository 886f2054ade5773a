package classes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"twinlun/blockdev"
	"twinlun/blockdev/export"
	"twinlun/blockdev/pool"
	"twinlun/replication"
	"twinlun/replication/job"
	"twinlun/replication/pairstate"
)

// fake is every backend in memory: enough of each to be asked and to be seen to
// have been asked. It is for one goroutine, but for what counts its calls.
type fake struct {
	scrubs  []int64 // their rates
	pools   []pool.Info
	volumes []pool.Volume
	pairs   []replication.Relationship
	groups  []replication.Group
	ties    []replication.GroupRelationship
	jobs    []job.Record
	exports []export.Export

	mu    sync.Mutex     // guards calls
	calls map[string]int // of each method
	made  int            // identifiers given out
	fails map[string]error

	list     []replication.ListRequest
	group    []replication.GroupRequest
	modified []replication.ModifyRequest
	restored []replication.RestoreRequest
	exposed  []export.Request
	result   replication.Result // of what makes replicas; empty: they are made
}

// called counts a call and gives the error that it is to fail with.
func (f *fake) called(method string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	f.calls[method]++
	return f.fails[method]
}

// listed yields the values that there are now.
func listed[T any](f *fake, method string, all []T, yield func(T) error) error {
	if err := f.called(method); err != nil {
		return err
	}
	return inTurn(slices.Clone(all), yield)
}

func find[T any](list []T, match func(T) bool, absent error) (T, error) {
	if i := slices.IndexFunc(list, match); i >= 0 {
		return list[i], nil
	}
	var none T
	return none, absent
}

func noSuch(what, id string) error {
	return replication.Errorf(replication.KindInvalid, "", "there is no %s %s", what, id)
}

func (f *fake) id(kind string) string {
	f.made++
	return fmt.Sprintf("%s-%d", kind, f.made)
}

// volumeIDOf makes an identifier of a number.
func volumeIDOf(n int) pool.VolumeID { return pool.VolumeID(fmt.Sprintf("602544c0%024x", n)) }

func (f *fake) CreateVolume(_ context.Context, in string, s pool.Spec) (pool.Volume, error) {
	if err := f.called("CreateVolume"); err != nil {
		return pool.Volume{}, err
	}
	for _, v := range f.volumes {
		if strings.EqualFold(v.Name, s.Name) {
			return pool.Volume{}, replication.Errorf(replication.KindInvalid, "ElementName", "the name is taken")
		}
	}
	v := pool.Volume{ID: volumeIDOf(0x1000 + len(f.volumes)), Pool: in, Name: s.Name, Size: s.Size, Labels: s.Labels}
	f.volumes = append(f.volumes, v)
	return v, nil
}

func (f *fake) UpdateVolume(ctx context.Context, ref replication.VolumeRef, change func(*pool.Volume) error) (pool.Volume, error) {
	v, err := f.Volume(ctx, ref)
	if err == nil {
		err = f.called("UpdateVolume")
	}
	if err != nil {
		return v, err
	}
	old := v.Size
	if err := change(&v); err != nil {
		return v, err
	}
	if v.Size < old {
		return v, replication.Errorf(replication.KindInvalid, "Size", "a volume cannot become smaller")
	}
	i := slices.IndexFunc(f.volumes, func(o pool.Volume) bool { return o.ID == v.ID })
	f.volumes[i] = v
	return v, nil
}

func (f *fake) ResizeVolume(_ context.Context, ref replication.VolumeRef, size int64, force bool) (pool.Volume, error) {
	if err := f.called("ResizeVolume"); err != nil {
		return pool.Volume{}, err
	}
	i := slices.IndexFunc(f.volumes, func(v pool.Volume) bool { return refOf(v) == ref })
	if size < f.volumes[i].Size && !force {
		return pool.Volume{}, replication.Errorf(replication.KindInvalid, "Size", "it has data at 4096")
	}
	f.volumes[i].Size = size
	return f.volumes[i], nil
}

func (f *fake) DeleteVolume(_ context.Context, ref replication.VolumeRef) error {
	if err := f.called("DeleteVolume"); err != nil {
		return err
	}
	f.volumes = slices.DeleteFunc(f.volumes, func(v pool.Volume) bool { return refOf(v) == ref })
	return nil
}

func (f *fake) Volume(_ context.Context, ref replication.VolumeRef) (pool.Volume, error) {
	if err := f.called("Volume"); err != nil {
		return pool.Volume{}, err
	}
	return find(f.volumes, func(v pool.Volume) bool { return refOf(v) == ref }, noSuch("volume", string(ref.ID)))
}

func (f *fake) EachVolume(_ context.Context, yield func(pool.Volume) error) error {
	return listed(f, "EachVolume", f.volumes, yield)
}

func (f *fake) CountVolumes(context.Context) (int, error) {
	return len(f.volumes), f.called("CountVolumes")
}

func (f *fake) Pools(context.Context) ([]pool.Info, error) { return f.pools, f.called("Pools") }

func (f *fake) Relationship(_ context.Context, id string) (replication.Relationship, error) {
	_ = f.called("Relationship")
	return find(f.pairs, func(r replication.Relationship) bool { return r.ID == id }, noSuch("relationship", id))
}

func (f *fake) EachRelationship(_ context.Context, yield func(replication.Relationship) error) error {
	return listed(f, "EachRelationship", f.pairs, yield)
}

func (f *fake) RelationshipsOf(_ context.Context, v replication.VolumeRef) ([]replication.Relationship, error) {
	var of []replication.Relationship
	for _, r := range f.pairs {
		if r.Source == v || r.Target == v {
			of = append(of, r)
		}
	}
	return of, f.called("RelationshipsOf")
}

func (f *fake) EachGroupRelationship(_ context.Context, yield func(replication.GroupRelationship) error) error {
	return listed(f, "EachGroupRelationship", f.ties, yield)
}

func (f *fake) GroupRelationshipsOf(_ context.Context, group string) ([]replication.GroupRelationship, error) {
	var of []replication.GroupRelationship
	for _, t := range f.ties {
		if t.Source == group || t.Target == group {
			of = append(of, t)
		}
	}
	return of, f.called("GroupRelationshipsOf")
}

func (f *fake) Group(_ context.Context, id string) (replication.Group, error) {
	if err := f.called("Group"); err != nil {
		return replication.Group{}, err
	}
	return find(f.groups, func(g replication.Group) bool { return g.ID == id }, noSuch("group", id))
}

func (f *fake) EachGroup(_ context.Context, yield func(replication.Group) error) error {
	return listed(f, "EachGroup", f.groups, yield)
}

func (f *fake) GroupsOf(_ context.Context, v replication.VolumeRef) ([]replication.Group, error) {
	var of []replication.Group
	for _, g := range f.groups {
		if slices.Contains(g.Members, v) {
			of = append(of, g)
		}
	}
	return of, f.called("GroupsOf")
}

func (f *fake) CreateGroup(_ context.Context, s replication.GroupSpec) (replication.Group, error) {
	if err := f.called("CreateGroup"); err != nil {
		return replication.Group{}, err
	}
	g := replication.Group{
		ID: f.id("g"), Name: s.Name, Members: s.Members, Persistent: s.Persistent,
		DeleteOnEmptyElement: s.DeleteOnEmptyElement, DeleteOnUnassociated: s.DeleteOnUnassociated,
	}
	f.groups = append(f.groups, g)
	return g, nil
}

func (f *fake) ModifyGroup(_ context.Context, id string, add, remove []replication.VolumeRef) error {
	if err := f.called("ModifyGroup"); err != nil {
		return err
	}
	i := slices.IndexFunc(f.groups, func(g replication.Group) bool { return g.ID == id })
	f.groups[i].Members = slices.DeleteFunc(append(f.groups[i].Members, add...),
		func(v replication.VolumeRef) bool { return slices.Contains(remove, v) })
	return nil
}

func (f *fake) DeleteGroup(_ context.Context, id string) error {
	if err := f.called("DeleteGroup"); err != nil {
		return err
	}
	f.groups = slices.DeleteFunc(f.groups, func(g replication.Group) bool { return g.ID == id })
	return nil
}

func (f *fake) Job(_ context.Context, id string) (job.Record, error) {
	if err := f.called("Job"); err != nil {
		return job.Record{}, err
	}
	return find(f.jobs, func(j job.Record) bool { return j.ID == id }, job.ErrNotFound)
}

func (f *fake) EachJob(_ context.Context, yield func(job.Record) error) error {
	return listed(f, "EachJob", f.jobs, yield)
}

func (f *fake) CountJobs(context.Context) (int, error) { return len(f.jobs), f.called("CountJobs") }

func (f *fake) JobsOf(_ context.Context, e job.Element) ([]job.Record, error) {
	var of []job.Record
	for _, j := range f.jobs {
		if slices.Contains(j.Affected, e) {
			of = append(of, j)
		}
	}
	return of, f.called("JobsOf")
}

func (f *fake) CancelJob(ctx context.Context, id string) error {
	j, err := f.Job(ctx, id)
	if err == nil && j.State.Done() {
		err = job.ErrDone
	}
	return cmp.Or(f.called("CancelJob"), err)
}

func (f *fake) DeleteJob(_ context.Context, id string) error {
	f.jobs = slices.DeleteFunc(f.jobs, func(j job.Record) bool { return j.ID == id })
	return f.called("DeleteJob")
}

func (f *fake) Modify(_ context.Context, r replication.ModifyRequest) (string, error) {
	f.modified = append(f.modified, r)
	return f.result.Job, f.called("Modify")
}

// Restore keeps what the first pair is.
func (f *fake) Restore(_ context.Context, r replication.RestoreRequest) ([]string, error) {
	f.restored = append(f.restored, r)
	if err := f.called("Restore"); err != nil || r.KeepName == "" {
		return nil, err
	}
	return []string{f.pairs[0].ID}, nil
}

// CreateList makes what it is asked for at once, as snapshots are.
func (f *fake) CreateList(_ context.Context, r replication.ListRequest) (replication.Result, error) {
	f.list = append(f.list, r)
	if err := f.called("CreateList"); err != nil || f.result.Targets != nil {
		return f.result, err
	}
	res := replication.Result{Job: f.result.Job, Failed: f.result.Failed}
	for _, src := range r.Sources {
		to := replication.VolumeRef{Pool: src.Pool, ID: volumeIDOf(0x2000 + len(f.pairs))}
		f.volumes = append(f.volumes, pool.Volume{ID: to.ID, Pool: to.Pool, Name: string(to.ID)})
		f.pairs = append(f.pairs, replication.Relationship{ID: f.id("p"), Name: "n", Source: src, Target: to, Type: r.SyncType})
		res.Targets = append(res.Targets, to)
		res.Relationships = append(res.Relationships, f.pairs[len(f.pairs)-1].ID)
	}
	return res, nil
}

func (f *fake) CreateGroupFromElements(ctx context.Context, r replication.GroupRequest) (replication.Result, error) {
	f.group = append(f.group, r)
	if err := f.called("CreateGroupFromElements"); err != nil {
		return replication.Result{}, err
	}
	res, _ := f.CreateList(ctx, replication.ListRequest{Sources: r.Sources, SyncType: r.SyncType})
	source, target := f.id("g"), f.id("g")
	f.groups = append(f.groups,
		replication.Group{ID: source, Name: "source-" + source, Members: r.Sources},
		replication.Group{ID: target, Name: "target-" + target, Members: res.Targets})
	f.ties = append(f.ties, replication.GroupRelationship{ID: f.id("t"), Name: "tie", Source: source, Target: target, Type: r.SyncType, Pairs: res.Relationships})
	res.SourceGroup, res.TargetGroup, res.GroupRelationship = source, target, f.ties[len(f.ties)-1].ID
	return res, nil
}

func (f *fake) Expose(_ context.Context, r export.Request) (export.Export, error) {
	f.exposed = append(f.exposed, r)
	if err := f.called("Expose"); err != nil {
		return export.Export{}, err
	}
	if err := f.fails["Expose "+string(r.Volume.ID)]; err != nil {
		return export.Export{}, err
	}
	e := export.Export{Volume: r.Volume, Target: "iqn.2026-11.dev.twinlun:" + string(r.Volume.ID), Initiators: r.Initiators, User: r.User, ReadOnly: r.ReadOnly}
	f.exports = append(slices.DeleteFunc(f.exports, func(o export.Export) bool { return o.Volume == r.Volume }), e)
	return e, nil
}

func (f *fake) Hide(_ context.Context, v export.VolumeRef, initiators []string) error {
	if err := f.called("Hide"); err != nil {
		return err
	}
	i := slices.IndexFunc(f.exports, func(e export.Export) bool { return e.Volume == v })
	if i < 0 {
		return blockdev.Errorf(blockdev.KindNotFound, "hide", "not exposed")
	}
	left := slices.DeleteFunc(slices.Clone(f.exports[i].Initiators), func(n string) bool { return slices.Contains(initiators, n) })
	if f.exports[i].Initiators = left; len(initiators) == 0 || len(left) == 0 {
		f.exports = slices.Delete(f.exports, i, i+1)
	}
	return nil
}

func (f *fake) Export(_ context.Context, v export.VolumeRef) (export.Export, error) {
	if err := f.called("Export"); err != nil {
		return export.Export{}, err
	}
	return find(f.exports, func(e export.Export) bool { return e.Volume == v }, blockdev.Errorf(blockdev.KindNotFound, "export", "not exposed"))
}

func (f *fake) TargetOf(v export.VolumeRef) string {
	_ = f.called("TargetOf")
	e, _ := find(f.exports, func(e export.Export) bool { return e.Volume == v }, nil)
	return e.Target
}

func (f *fake) Exports(context.Context) ([]export.Export, error) {
	return slices.Clone(f.exports), f.called("Exports")
}

// then is when everything in newFake happened.
var then = time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)

func volRef(pool string, n int) replication.VolumeRef {
	return replication.VolumeRef{Pool: pool, ID: volumeIDOf(n)}
}

// newFake is a small system: two pools, six volumes, a mirror, a snapshot, a
// group clone of two, jobs in several states and two exposed volumes.
func newFake() *fake {
	f := &fake{pools: []pool.Info{
		{Name: "fast", Total: 1 << 40, Free: 1 << 39, Allocated: 1 << 30, Provisioned: 3 << 30, Volumes: 5},
		{Name: "slow", Total: 1 << 41, Free: 1 << 40, Volumes: 1},
	}}
	for i, name := range []string{"db", "log", "db-copy", "log-copy", "db-snap"} {
		f.volumes = append(f.volumes, pool.Volume{
			ID: volumeIDOf(i + 1), Pool: "fast", Name: name, Size: 1 << 30, Created: then, Allocated: 4096 * int64(i), Dependent: i == 4,
		})
	}
	f.volumes = append(f.volumes, pool.Volume{ID: volumeIDOf(6), Pool: "slow", Name: "db-mirror", Size: 1 << 30, Created: then, Labels: map[string]string{"a": "b"}})
	done := func(c pairstate.CopyState) pairstate.State {
		return pairstate.State{Copy: c, Requested: pairstate.NotApplicable, Progress: pairstate.Completed}
	}
	copying := pairstate.State{Copy: pairstate.Unsynchronized, Requested: pairstate.Synchronized, Progress: pairstate.Synchronizing}
	pair := func(id, name string, from, to replication.VolumeRef, t pairstate.SyncType, s pairstate.State) replication.Relationship {
		return replication.Relationship{ID: id, Name: name, Source: from, Target: to, Type: t, Mode: pairstate.Synchronous, State: s, Percent: 100, WhenEstablished: then, WhenActivated: then}
	}
	f.pairs = []replication.Relationship{
		pair("p1", "db-copy", volRef("fast", 1), volRef("fast", 3), pairstate.Clone, copying),
		pair("p2", "log-copy", volRef("fast", 2), volRef("fast", 4), pairstate.Clone, done(pairstate.Synchronized)),
		pair("p3", "db-mirror", volRef("fast", 1), volRef("slow", 6), pairstate.Mirror, done(pairstate.Broken)),
		pair("p4", "db-snap", volRef("fast", 1), volRef("fast", 5), pairstate.Snapshot, done(pairstate.Synchronized)),
	}
	f.pairs[0].Group, f.pairs[1].Group, f.pairs[0].Percent = "t1", "t1", 40
	f.pairs[0].GroupName, f.pairs[1].GroupName = "nightly", "nightly"
	f.pairs[2].Reason, f.pairs[2].WhenSynchronized = "write: I/O error", then.Add(time.Hour)
	f.pairs[3].Settings = replication.Settings{TargetReadOnly: true, CopyPriority: 3}
	f.groups = []replication.Group{
		{ID: "g1", Name: "nightly-source", Members: []replication.VolumeRef{volRef("fast", 1), volRef("fast", 2)}, Persistent: true},
		{ID: "g2", Name: "nightly-target", Members: []replication.VolumeRef{volRef("fast", 3), volRef("fast", 4)}, ConsistentPointInTime: true},
		{ID: "g3", Name: "empty", DeleteOnEmptyElement: true},
	}
	f.ties = []replication.GroupRelationship{{
		ID: "t1", Name: "nightly", Source: "g1", Target: "g2", Pairs: []string{"p1", "p2"}, Type: pairstate.Clone, Mode: pairstate.Synchronous,
		Consistency: replication.SequentialConsistency, State: pairstate.State{Copy: pairstate.Mixed, Requested: pairstate.Synchronized, Progress: pairstate.Mixing},
		Percent: 70, WhenEstablished: then, WhenActivated: then,
	}}
	f.jobs = newJobs()
	f.exports = []export.Export{
		{Volume: exportRef(volRef("fast", 1)), Target: "iqn.2026-11.dev.twinlun:db", Initiators: []string{"iqn.1991-05.com.microsoft:a", "iqn.1991-05.com.microsoft:b"}, User: "hans", Created: then, Sessions: 2},
		{Volume: exportRef(volRef("fast", 2)), Target: "iqn.2026-11.dev.twinlun:log", ReadOnly: true, Created: then},
	}
	return f
}

func newJobs() []job.Record {
	made := []job.Element{
		{Kind: job.Volume, Pool: "fast", ID: string(volumeIDOf(3))},
		{Kind: job.GroupRelationship, ID: "t1"},
		{Kind: job.Group, ID: "g2"},
		{Kind: job.Volume, Pool: "fast", ID: string(volumeIDOf(99))}, // gone
	}
	return []job.Record{
		{ID: "j1", Name: "Clone db", Owner: "eva", State: job.Running, Percent: 100, Created: then, Started: then.Add(time.Second), Changed: then.Add(time.Second), Retain: 5 * time.Minute, Affected: made},
		{ID: "j2", Name: "Mirror db", State: job.Completed, Percent: 100, Created: then, Started: then, Changed: then, Ended: then.Add(90 * time.Second), Retain: time.Hour},
		{ID: "j3", Name: "Clone x", State: job.Exception, Percent: 100, Created: then, Started: then, Changed: then, Ended: then.Add(time.Second), ErrorCode: 4, Error: "no room"},
		{ID: "j4", Name: "Clone y", State: job.New, Created: then, Changed: then},
	}
}

func (f *fake) ScrubPool(_ context.Context, name string, rate int64) (string, error) {
	if err := f.called("ScrubPool"); err != nil {
		return "", err
	}
	f.scrubs = append(f.scrubs, rate)
	f.jobs = append(f.jobs, job.Record{ID: f.id("j"), Name: "Scrub pool " + name, State: job.Running, Affected: []job.Element{{Kind: job.Pool, ID: name}}})
	return f.jobs[len(f.jobs)-1].ID, nil
}
