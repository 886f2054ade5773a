package replication

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
)

// scene is what refusals are tested on: volumes that are free, and some in every
// state that forbids something.
type scene struct {
	*world
	a, b, c    VolumeRef // sources
	t1, t2, t3 VolumeRef // free, as large
	small      VolumeRef
	elsewhere  VolumeRef // in the other pool
	busy       VolumeRef // a source
	taken      VolumeRef // a target
	online     VolumeRef // exposed, with sessions
	copying    VolumeRef // target of a clone that is not done
	asleep     VolumeRef // target of an inactive snapshot
	mirrored   VolumeRef // target of a mirror in step
	gone       VolumeRef
	claimed    VolumeRef // in the hands of another request
	group      Group     // of a and b
	targets    Group     // of t1 and t2
	empty      Group
	tied       GroupRelationship
}

func newScene(t *testing.T) *scene {
	w := newWorld(t)
	s := &scene{world: w}
	for _, v := range []struct {
		ref  *VolumeRef
		name string
	}{
		{&s.a, "a"}, {&s.b, "b"}, {&s.c, "c"}, {&s.t1, "t1"}, {&s.t2, "t2"}, {&s.t3, "t3"}, {&s.busy, "busy"},
		{&s.online, "online"}, {&s.claimed, "claimed"},
	} {
		*v.ref = w.volume("p0", v.name)
	}
	s.small, s.elsewhere = w.volumeOf("p0", "small", 4096), w.volume("p1", "elsewhere")
	s.gone = VolumeRef{Pool: "p0", ID: "6024544c000000000000000000000000"}
	w.expose(s.online, 2)
	one := func(r ListRequest) VolumeRef {
		r.Sources = []VolumeRef{s.busy}
		return w.list(r).Targets[0]
	}
	sync := Wait{State: pairstate.Synchronized}
	s.taken = one(ListRequest{SyncType: pairstate.Snapshot})
	s.mirrored = one(ListRequest{SyncType: pairstate.Mirror, Wait: sync})
	s.asleep = one(ListRequest{SyncType: pairstate.Snapshot, Wait: Wait{State: pairstate.Inactive}})
	w.pools[0].hold()
	s.copying = one(ListRequest{SyncType: pairstate.Clone, Wait: Wait{State: pairstate.Initialized}})
	s.makeGroups()
	h := w.svc.claims.hold()
	require.True(t, h.take(volumeClaim(s.claimed)))
	return s
}

func (s *scene) makeGroups() {
	s.t.Helper()
	var err error
	s.group, err = s.svc.CreateGroup(context.Background(), GroupSpec{Name: "group", Members: []VolumeRef{s.a, s.b}, Persistent: true})
	require.NoError(s.t, err)
	s.targets, err = s.svc.CreateGroup(context.Background(), GroupSpec{Name: "targets", Members: []VolumeRef{s.t1, s.t2}, Persistent: true})
	require.NoError(s.t, err)
	s.empty, err = s.svc.CreateGroup(context.Background(), GroupSpec{Name: "empty", Persistent: true})
	require.NoError(s.t, err)
	res := s.world.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{s.busy}, RelationshipName: "tied", SourceGroupName: "tied sources"})
	s.tied, err = s.svc.GroupRelationship(context.Background(), res.GroupRelationship)
	require.NoError(s.t, err)
}

// refuses runs calls that must be refused, each alone, and checks that nothing
// has changed and nothing is claimed any more.
func (s *scene) refuses(name string, k Kind, param string, call func() error) {
	s.t.Run(name, func(t *testing.T) {
		before, claimed := s.dump(), len(s.svc.claims.held)
		refusedWith(t, call(), k, param)
		require.Equal(t, before, s.dump())
		require.Len(t, s.svc.claims.held, claimed)
	})
}

func TestListRefusals(t *testing.T) {
	s := newScene(t)
	long := make([]VolumeRef, 1025)
	for _, c := range []struct {
		name   string
		change func(*ListRequest)
		kind   Kind
		param  string
	}{
		{"no type", func(r *ListRequest) { r.SyncType = 0 }, KindInvalid, "SyncType"},
		{"reserved type", func(r *ListRequest) { r.SyncType = 5 }, KindInvalid, "SyncType"},
		{"reserved type above", func(r *ListRequest) { r.SyncType = 10 }, KindInvalid, "SyncType"},
		{"last reserved type", func(r *ListRequest) { r.SyncType = 0x7fff }, KindInvalid, "SyncType"},
		{"tokenized clone", func(r *ListRequest) { r.SyncType = 9 }, KindNotSupported, "SyncType"},
		{"vendor type", func(r *ListRequest) { r.SyncType = 0x8000 }, KindNotSupported, "SyncType"},
		{"mode 1", func(r *ListRequest) { r.Mode = 1 }, KindInvalid, "Mode"},
		{"mode adaptive", func(r *ListRequest) { r.Mode = 4 }, KindInvalid, "Mode"},
		{"mode vendor", func(r *ListRequest) { r.Mode = 0x8000 }, KindInvalid, "Mode"},
		{"asynchronous mirror", func(r *ListRequest) { r.SyncType, r.Mode = pairstate.Mirror, pairstate.Asynchronous }, KindNotSupported, "Mode"},
		{"consistency 1", func(r *ListRequest) { r.Consistency = 1 }, KindInvalid, "Consistency"},
		{"consistency 4", func(r *ListRequest) { r.Consistency = 4 }, KindInvalid, "Consistency"},
		{"priority", func(r *ListRequest) { r.Settings.CopyPriority = 5 }, KindInvalid, "ReplicationSettingData"},
		{"no sources", func(r *ListRequest) { r.Sources = nil }, KindInvalid, "SourceElements"},
		{"too many sources", func(r *ListRequest) { r.Sources = long }, KindInvalid, "SourceElements"},
		{"unknown source", func(r *ListRequest) { r.Sources = []VolumeRef{s.a, s.gone} }, KindInvalid, "SourceElements[1]"},
		{"source of unknown pool", func(r *ListRequest) { r.Sources = []VolumeRef{{"p9", s.a.ID}} }, KindInvalid, "SourceElements[0]"},
		{"source in unfinished clone", func(r *ListRequest) { r.Sources = []VolumeRef{s.copying} }, KindInUse, "SourceElements[0]"},
		{"source inactive", func(r *ListRequest) { r.Sources = []VolumeRef{s.a, s.b, s.asleep} }, KindInUse, "SourceElements[2]"},
		{"source claimed", func(r *ListRequest) { r.Sources = []VolumeRef{s.claimed} }, KindInUse, "SourceElements[0]"},
		{"mirror of a mirror", func(r *ListRequest) { r.SyncType, r.Sources = pairstate.Mirror, []VolumeRef{s.mirrored} }, KindNotSupported, "SourceElements[0]"},
		{"more names than sources", func(r *ListRequest) { r.Names = []string{"x", "y", "z"} }, KindInvalid, "ElementNames"},
		{"name of a volume", func(r *ListRequest) { r.Names = []string{"", "T1"} }, KindInvalid, "ElementNames[1]"},
		{"name twice", func(r *ListRequest) { r.Names = []string{"new", "NEW"} }, KindInvalid, "ElementNames[1]"},
		{"impossible name", func(r *ListRequest) { r.Names = []string{"a\nb"} }, KindInvalid, "ElementNames[0]"},
		{"endless name", func(r *ListRequest) { r.Names = []string{strings.Repeat("x", 300)} }, KindInvalid, "ElementNames[0]"},
		{"targets of a snapshot", func(r *ListRequest) { r.Targets = []VolumeRef{s.t1, s.t2} }, KindNotSupported, "TargetElements"},
		{"unknown pool", func(r *ListRequest) { r.TargetPool = "p9" }, KindInvalid, "TargetPool"},
		{"snapshot into another pool", func(r *ListRequest) { r.TargetPool = "p1" }, KindNotSupported, "TargetPool"},
		{"instant over two pools", func(r *ListRequest) { r.Sources, r.Consistency = []VolumeRef{s.a, s.elsewhere}, SequentialConsistency }, KindNotSupported, "Consistency"},
		{"instant by setting", func(r *ListRequest) {
			r.Sources, r.Settings.ConsistentPointInTime = []VolumeRef{s.a, s.elsewhere}, true
		}, KindNotSupported, "Consistency"},
		{"snapshot waits for initialized", func(r *ListRequest) { r.Wait.State = pairstate.Initialized }, KindInvalid, "WaitForCopyState"},
		{"snapshot waits for unsynchronized", func(r *ListRequest) { r.Wait.State = pairstate.Unsynchronized }, KindInvalid, "WaitForCopyState"},
		{"waits for fractured", func(r *ListRequest) { r.SyncType, r.Wait.State = pairstate.Clone, pairstate.Fractured }, KindInvalid, "WaitForCopyState"},
		{"waits for 1", func(r *ListRequest) { r.Wait.State = 1 }, KindInvalid, "WaitForCopyState"},
		{"waits for prepared", func(r *ListRequest) { r.Wait.State = pairstate.Prepared }, KindInvalid, "WaitForCopyState"},
		{"waits backwards", func(r *ListRequest) { r.Wait.For = -time.Second }, KindInvalid, "WaitForCopyState"},
	} {
		r := ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{s.a, s.b}}
		c.change(&r)
		s.refuses(c.name, c.kind, c.param, func() error {
			_, err := s.svc.CreateList(context.Background(), r)
			return err
		})
	}
}

func TestTargetRefusals(t *testing.T) {
	s := newScene(t)
	for _, c := range []struct {
		name   string
		change func(*ListRequest)
		kind   Kind
		param  string
	}{
		{"fewer", func(r *ListRequest) { r.Targets = r.Targets[:1] }, KindInvalid, "TargetElements"},
		{"more", func(r *ListRequest) { r.Targets = append(r.Targets, s.t3) }, KindInvalid, "TargetElements"},
		{"with a pool", func(r *ListRequest) { r.TargetPool = "p0" }, KindInvalid, "TargetPool"},
		{"with a setting", func(r *ListRequest) { r.Labels = map[string]string{"goal": "x"} }, KindInvalid, "TargetSettingGoal"},
		{"with names", func(r *ListRequest) { r.Names = []string{"", "x"} }, KindInvalid, "ElementNames"},
		{"unknown", func(r *ListRequest) { r.Targets[1] = s.gone }, KindInvalid, "TargetElements[1]"},
		{"unknown pool", func(r *ListRequest) { r.Targets[1].Pool = "p9" }, KindInvalid, "TargetElements[1]"},
		{"too small", func(r *ListRequest) { r.Targets[1] = s.small }, KindInvalid, "TargetElements[1]"},
		{"its own source", func(r *ListRequest) { r.Targets[1] = s.b }, KindInvalid, "TargetElements[1]"},
		{"another's source", func(r *ListRequest) { r.Targets[1] = s.a }, KindInvalid, "TargetElements[1]"},
		{"twice", func(r *ListRequest) { r.Targets[1] = s.t1 }, KindInvalid, "TargetElements[0]"},
		{"a source elsewhere", func(r *ListRequest) { r.Targets[1] = s.busy }, KindInUse, "TargetElements[1]"},
		{"a target elsewhere", func(r *ListRequest) { r.Targets[1] = s.taken }, KindInUse, "TargetElements[1]"},
		{"a target that is copied", func(r *ListRequest) { r.Targets[0] = s.copying }, KindInUse, "TargetElements[0]"},
		{"sessions", func(r *ListRequest) { r.Targets[1] = s.online }, KindInUse, "TargetElements[1]"},
		{"claimed", func(r *ListRequest) { r.Targets[1] = s.claimed }, KindInUse, "TargetElements[1]"},
	} {
		for _, typ := range []pairstate.SyncType{pairstate.Clone, pairstate.Mirror} {
			r := ListRequest{SyncType: typ, Sources: []VolumeRef{s.a, s.b}, Targets: []VolumeRef{s.t1, s.t2}}
			c.change(&r)
			s.refuses(typ.String()+" "+c.name, c.kind, c.param, func() error {
				_, err := s.svc.CreateList(context.Background(), r)
				return err
			})
		}
	}
	s.refuses("clone in another pool", KindNotSupported, "TargetElements[0]", func() error {
		_, err := s.svc.CreateList(context.Background(), ListRequest{SyncType: pairstate.Clone, Sources: []VolumeRef{s.a}, Targets: []VolumeRef{s.elsewhere}})
		return err
	})
}

func TestGroupRefusals(t *testing.T) {
	s := newScene(t)
	for _, c := range []struct {
		name   string
		change func(*GroupRequest)
		kind   Kind
		param  string
	}{
		{"no type", func(r *GroupRequest) { r.SyncType = 0 }, KindInvalid, "SyncType"},
		{"vendor type", func(r *GroupRequest) { r.SyncType = 0xffff }, KindNotSupported, "SyncType"},
		{"mode", func(r *GroupRequest) { r.Mode = 7 }, KindInvalid, "Mode"},
		{"consistency", func(r *GroupRequest) { r.Consistency = 5 }, KindInvalid, "Consistency"},
		{"relationship name in use", func(r *GroupRequest) { r.RelationshipName = "Tied" }, KindInvalid, "RelationshipName"},
		{"relationship name odd", func(r *GroupRequest) { r.RelationshipName = " x" }, KindInvalid, "RelationshipName"},
		{"relationship name endless", func(r *GroupRequest) { r.RelationshipName = strings.Repeat("x", 256) }, KindInvalid, "RelationshipName"},
		{"relationship name too long for volumes", func(r *GroupRequest) { r.RelationshipName = strings.Repeat("x", 220) }, KindInvalid, "RelationshipName"},
		{"a target's name is taken", func(r *GroupRequest) { r.RelationshipName = "tied_x"; r.TargetNames = []string{"T3"} }, KindInvalid, "TargetElementNames[0]"},
		{"a made-up target name is taken", func(r *GroupRequest) { r.RelationshipName = "prefix" }, KindInvalid, "RelationshipName"},
		{"source group name in use", func(r *GroupRequest) { r.SourceGroupName = "GROUP" }, KindInvalid, "SourceGroupName"},
		{"target group name in use", func(r *GroupRequest) { r.TargetGroupName = "group" }, KindInvalid, "TargetGroupName"},
		{"both groups one name", func(r *GroupRequest) { r.SourceGroupName, r.TargetGroupName = "n", "N" }, KindInvalid, "TargetGroupName"},
		{"no sources", func(r *GroupRequest) { r.Sources = nil }, KindInvalid, "SourceElements"},
		{"unknown source", func(r *GroupRequest) { r.Sources[1] = s.gone }, KindInvalid, "SourceElements[1]"},
		{"source twice", func(r *GroupRequest) { r.Sources[1] = s.a }, KindInvalid, "SourceElements[1]"},
		{"source not ready", func(r *GroupRequest) { r.Sources[1] = s.copying }, KindInUse, "SourceElements[1]"},
		{"unknown source group", func(r *GroupRequest) { r.Sources, r.SourceGroup = nil, "nope" }, KindInvalid, "SourceGroup"},
		{"source group and sources", func(r *GroupRequest) { r.SourceGroup = s.group.ID }, KindInvalid, "SourceElements"},
		{"source group and its name", func(r *GroupRequest) {
			r.Sources, r.SourceGroup, r.SourceGroupName = nil, s.group.ID, "x"
		}, KindInvalid, "SourceGroupName"},
		{"empty source group", func(r *GroupRequest) { r.Sources, r.SourceGroup = nil, s.empty.ID }, KindInvalid, "SourceGroup"},
		{"unknown target group", func(r *GroupRequest) { r.TargetGroup = "nope" }, KindInvalid, "TargetGroup"},
		{"target group of a snapshot", func(r *GroupRequest) { r.TargetGroup = s.targets.ID }, KindNotSupported, "TargetGroup"},
		{"target group and targets", func(r *GroupRequest) { r.TargetGroup, r.Targets = s.targets.ID, []VolumeRef{s.t1, s.t2} }, KindInvalid, "TargetElements"},
		{"target group and its name", func(r *GroupRequest) { r.TargetGroup, r.TargetGroupName = s.targets.ID, "x" }, KindInvalid, "TargetGroupName"},
		{"empty target group", func(r *GroupRequest) { r.SyncType, r.TargetGroup = pairstate.Clone, s.empty.ID }, KindInvalid, "TargetGroup"},
		{"target group in use", func(r *GroupRequest) { r.SyncType, r.TargetGroup = pairstate.Clone, s.tied.Target }, KindInUse, "TargetGroup"},
		{"target group of other size", func(r *GroupRequest) {
			r.SyncType, r.TargetGroup, r.Sources = pairstate.Clone, s.targets.ID, []VolumeRef{s.a, s.b, s.c}
		}, KindInvalid, "TargetGroup"},
		{"target group is the source group", func(r *GroupRequest) {
			r.SyncType, r.Sources, r.SourceGroup, r.TargetGroup = pairstate.Clone, nil, s.group.ID, s.group.ID
		}, KindInUse, "TargetGroup"},
		{"target group and pool", func(r *GroupRequest) { r.SyncType, r.TargetGroup, r.TargetPool = pairstate.Clone, s.targets.ID, "p0" }, KindInvalid, "TargetPool"},
		{"target group and setting", func(r *GroupRequest) {
			r.SyncType, r.TargetGroup, r.Labels = pairstate.Clone, s.targets.ID, map[string]string{"a": "b"}
		}, KindInvalid, "TargetSettingGoal"},
		{"targets of a snapshot", func(r *GroupRequest) { r.Targets = []VolumeRef{s.t1, s.t2} }, KindNotSupported, "TargetElements"},
		{"unknown pool", func(r *GroupRequest) { r.TargetPool = "p9" }, KindInvalid, "TargetPool"},
		{"instant over two pools", func(r *GroupRequest) { r.Sources[1], r.Consistency = s.elsewhere, SequentialConsistency }, KindNotSupported, "Consistency"},
		{"wait", func(r *GroupRequest) { r.Wait.State = pairstate.Mixed }, KindInvalid, "WaitForCopyState"},
	} {
		if c.name == "a made-up target name is taken" {
			s.volume("p0", "Prefix_2")
		}
		r := GroupRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{s.a, s.b}}
		c.change(&r)
		s.refuses(c.name, c.kind, c.param, func() error {
			_, err := s.svc.CreateGroupFromElements(context.Background(), r)
			return err
		})
	}
}

func TestNoRoom(t *testing.T) {
	for _, typ := range []pairstate.SyncType{pairstate.Clone, pairstate.Mirror} {
		s := newScene(t)
		s.pools[0].mu.Lock()
		s.pools[0].free = volumeSize
		for _, ref := range []VolumeRef{s.a, s.b} {
			s.pools[0].vols[ref.ID].desc.Allocated = volumeSize
		}
		s.pools[0].mu.Unlock()
		s.refuses(typ.String(), KindFailed, "TargetPool", func() error {
			_, err := s.svc.CreateList(context.Background(), ListRequest{SyncType: typ, Sources: []VolumeRef{s.a, s.b}})
			return err
		})
	}
}

func TestPoolFailuresWhileChecking(t *testing.T) {
	s := newScene(t)
	for _, op := range []string{"get", "list", "info"} {
		s.pools[0].setFault(func(o, _ string) error {
			if o == op {
				return blockdev.Errorf(blockdev.KindIO, o, "broken disk at /secret/place")
			}
			return nil
		})
		_, err := s.svc.CreateList(context.Background(), ListRequest{SyncType: pairstate.Clone, Sources: []VolumeRef{s.a}})
		require.Equal(t, KindFailed, KindOf(err), op)
		require.NotContains(t, err.Error(), "/secret/place")
		s.pools[0].setFault(nil)
	}
}

func TestVolumeRefusals(t *testing.T) {
	s := newScene(t)
	grow := func(v *pool.Volume) error { v.Size *= 2; return nil }
	del := func(v VolumeRef) func() error {
		return func() error { return s.svc.DeleteVolume(context.Background(), v) }
	}
	update := func(v VolumeRef) func() error {
		return func() error { _, err := s.svc.UpdateVolume(context.Background(), v, grow); return err }
	}
	create := func(in, name string) func() error {
		return func() error {
			_, err := s.svc.CreateVolume(context.Background(), in, pool.Spec{Name: name, Size: 4096})
			return err
		}
	}
	s.refuses("delete a source", KindInUse, "TheElement", del(s.busy))
	s.refuses("delete a target", KindInUse, "TheElement", del(s.taken))
	s.refuses("delete a member", KindInUse, "TheElement", del(s.a))
	s.refuses("delete what has sessions", KindInUse, "TheElement", del(s.online))
	s.refuses("delete what is claimed", KindInUse, "TheElement", del(s.claimed))
	s.refuses("delete nothing", KindInvalid, "TheElement", del(s.gone))
	s.expose(s.t3, 0)
	s.refuses("delete what is exposed", KindInUse, "TheElement", del(s.t3))
	s.refuses("resize a source", KindInUse, "Size", update(s.busy))
	s.refuses("resize a target", KindInUse, "Size", update(s.taken))
	s.refuses("make smaller", KindInvalid, "Size", func() error {
		_, err := s.svc.UpdateVolume(context.Background(), s.a, func(v *pool.Volume) error { v.Size /= 2; return nil })
		return err
	})
	s.refuses("resize what is claimed", KindInUse, "TheElement", update(s.claimed))
	s.refuses("resize nothing", KindInvalid, "TheElement", update(s.gone))
	s.refuses("create in no pool", KindInvalid, "InPool", create("p9", "x"))
	s.refuses("create a second", KindInvalid, "ElementName", create("p0", "T1"))
	d, err := s.pools[0].Open(context.Background(), s.c.ID)
	require.NoError(t, err)
	s.refuses("delete what is open", KindInUse, "TheElement", del(s.c))
	require.NoError(t, d.Close())
	require.NoError(t, s.svc.DeleteVolume(context.Background(), s.c))
	v, err := s.svc.UpdateVolume(context.Background(), s.busy, func(v *pool.Volume) error { v.Name = "renamed"; return nil })
	require.NoError(t, err)
	require.Equal(t, "renamed", v.Name)
	_, err = s.svc.UpdateVolume(context.Background(), s.t2, grow)
	require.NoError(t, err)
}

func TestGroupRecordRefusals(t *testing.T) {
	s := newScene(t)
	create := func(spec GroupSpec) func() error {
		return func() error { _, err := s.svc.CreateGroup(context.Background(), spec); return err }
	}
	modify := func(id string, add, remove []VolumeRef) func() error {
		return func() error { return s.svc.ModifyGroup(context.Background(), id, add, remove) }
	}
	del := func(id string) func() error {
		return func() error { return s.svc.DeleteGroup(context.Background(), id) }
	}
	s.refuses("name in use", KindInvalid, "GroupName", create(GroupSpec{Name: "Group"}))
	s.refuses("odd name", KindInvalid, "GroupName", create(GroupSpec{Name: "a\x00"}))
	s.refuses("member twice", KindInvalid, "Members[1]", create(GroupSpec{Members: []VolumeRef{s.a, s.a}}))
	s.refuses("unknown member", KindInvalid, "Members[1]", create(GroupSpec{Members: []VolumeRef{s.a, s.gone}}))
	s.refuses("claimed member", KindInUse, "Members[0]", create(GroupSpec{Members: []VolumeRef{s.claimed}}))
	s.refuses("too many", KindInvalid, "Members", create(GroupSpec{Members: make([]VolumeRef, 1025)}))
	s.refuses("modify none", KindInvalid, "ReplicationGroup", modify("nope", nil, nil))
	s.refuses("modify one in a relationship", KindInUse, "ReplicationGroup", modify(s.tied.Source, []VolumeRef{s.a}, nil))
	s.refuses("remove no member", KindInvalid, "Members[0]", modify(s.group.ID, nil, []VolumeRef{s.c}))
	s.refuses("add none", KindInvalid, "Members[0]", modify(s.group.ID, []VolumeRef{s.gone}, nil))
	s.refuses("delete none", KindInvalid, "ReplicationGroup", del("nope"))
	s.refuses("delete one in a relationship", KindInUse, "ReplicationGroup", del(s.tied.Target))
	h := s.svc.claims.hold()
	require.True(t, h.share(groupClaim(s.group.ID)))
	s.refuses("delete one in use", KindInUse, "ReplicationGroup", del(s.group.ID))
	h.release()
	require.NoError(t, s.svc.DeleteGroup(context.Background(), s.group.ID))
}
