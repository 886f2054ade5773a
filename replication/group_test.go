package replication

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/replication/job"
	"twinlun/replication/pairstate"
)

func TestGroupSnapshotInAllItsParts(t *testing.T) {
	w := newWorld(t)
	src := w.volumes("a", "b", "c")
	res := w.group(GroupRequest{
		SyncType: pairstate.Snapshot, Sources: src, RelationshipName: "nightly", Consistency: SequentialConsistency,
	})
	require.Empty(t, res.Job)
	ctx := context.Background()
	tie, err := w.svc.GroupRelationship(ctx, res.GroupRelationship)
	require.NoError(t, err)
	require.Equal(t, "nightly", tie.Name)
	require.Equal(t, res.Relationships, tie.Pairs)
	require.Equal(t, SequentialConsistency, tie.Consistency)
	require.Equal(t, pairstate.Synchronized, tie.State.Copy)
	require.EqualValues(t, 100, tie.Percent)
	require.False(t, tie.WhenSynchronized.IsZero() || tie.WhenActivated.IsZero())
	sources, err := w.svc.Group(ctx, res.SourceGroup)
	require.NoError(t, err)
	require.Equal(t, src, sources.Members)
	require.Equal(t, "nightly-source", sources.Name)
	targets, err := w.svc.Group(ctx, res.TargetGroup)
	require.NoError(t, err)
	require.Equal(t, res.Targets, targets.Members)
	require.True(t, targets.ConsistentPointInTime)
	require.False(t, sources.ConsistentPointInTime)
	for i, want := range []string{"nightly_1", "nightly_2", "nightly_3"} {
		v, err := w.svc.Volume(ctx, res.Targets[i])
		require.NoError(t, err)
		require.Equal(t, want, v.Name)
		r, err := w.svc.Relationship(ctx, res.Relationships[i])
		require.NoError(t, err)
		require.Equal(t, tie.ID, r.Group)
	}
	before := w.dump()
	w.restart()
	require.Equal(t, before, w.dump())
	again, err := w.svc.GroupRelationship(ctx, tie.ID)
	require.NoError(t, err)
	require.Equal(t, tie.State, again.State)
	ties, err := listed(ctx, w.svc.EachGroupRelationship)
	require.NoError(t, err)
	require.Len(t, ties, 1)
}

func TestGroupNamesAreMadeUp(t *testing.T) {
	w := newWorld(t)
	w.volume("p1", "snapshot-group-1_7")
	src := w.volumes("a")
	for _, want := range []string{"snapshot-group-2", "snapshot-group-3"} {
		res := w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: src})
		tie, err := w.svc.GroupRelationship(context.Background(), res.GroupRelationship)
		require.NoError(t, err)
		require.Equal(t, want, tie.Name)
	}
	res := w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: src, RelationshipName: "n", SourceGroupName: "n-target", TargetNames: []string{"chosen"}})
	g, err := w.svc.Group(context.Background(), res.TargetGroup)
	require.NoError(t, err)
	require.Equal(t, "n-target-2", g.Name)
	v, err := w.svc.Volume(context.Background(), res.Targets[0])
	require.NoError(t, err)
	require.Equal(t, "chosen", v.Name)
}

func TestGroupReplicaOfGivenGroups(t *testing.T) {
	for _, typ := range []pairstate.SyncType{pairstate.Clone, pairstate.Mirror} {
		w := newWorld(t)
		ctx := context.Background()
		src, dst := w.volumes("a", "b"), w.volumes("x", "y")
		from, err := w.svc.CreateGroup(ctx, GroupSpec{Name: "from", Members: src, Persistent: true})
		require.NoError(t, err)
		to, err := w.svc.CreateGroup(ctx, GroupSpec{Name: "to", Members: dst, Persistent: true})
		require.NoError(t, err)
		res := w.group(GroupRequest{SyncType: typ, SourceGroup: from.ID, TargetGroup: to.ID, Wait: Wait{State: pairstate.Synchronized}})
		require.Empty(t, res.Job)
		require.Equal(t, dst, res.Targets)
		require.Equal(t, []string{from.ID, to.ID}, []string{res.SourceGroup, res.TargetGroup})
		for i := range src {
			require.Equal(t, w.read(src[i]), w.read(dst[i]))
		}
		require.NoError(t, w.modify(OpDissolve, res.GroupRelationship))
		groups, err := listed(ctx, w.svc.EachGroup)
		require.NoError(t, err)
		require.Len(t, groups, 2, "groups that users made stay")
	}
}

func TestGroupIsUnmadeAsAWhole(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	src := w.volumes("a", "b")
	empty := w.dump()
	res := w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: src})
	require.NoError(t, w.modify(OpReturnToPool, res.GroupRelationship))
	require.Equal(t, empty, w.dump())
	for _, id := range res.Relationships {
		w.isGone(id, src...)
	}

	res = w.group(GroupRequest{SyncType: pairstate.Clone, Sources: src, SourceGroupName: "kept", Wait: Wait{State: pairstate.Synchronized}})
	require.NoError(t, w.modify(OpDetach, res.GroupRelationship))
	groups, err := listed(ctx, w.svc.EachGroup)
	require.NoError(t, err)
	require.Len(t, groups, 1)
	require.Equal(t, "kept", groups[0].Name)
	ties, err := listed(ctx, w.svc.EachGroupRelationship)
	require.NoError(t, err)
	require.Empty(t, ties)
	require.NoError(t, w.svc.DeleteVolume(ctx, res.Targets[0]))
}

func TestGroupCloneUnderAJob(t *testing.T) {
	w := newWorld(t)
	gate := w.pools[0].hold()
	res := w.group(GroupRequest{SyncType: pairstate.Clone, Sources: w.volumes("a", "b")})
	j, err := w.svc.Job(context.Background(), res.Job)
	require.NoError(t, err)
	require.Equal(t, []job.Element{
		{Kind: job.Volume, Pool: "p0", ID: string(res.Targets[0].ID)}, {Kind: job.Volume, Pool: "p0", ID: string(res.Targets[1].ID)},
		{Kind: job.Group, ID: res.TargetGroup},
	}, j.Affected)
	close(gate)
	require.Equal(t, job.Completed, w.jobEnds(res.Job).State)
}

func TestGroupStateIsMixed(t *testing.T) {
	w := newWorld(t)
	res := w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: w.volumes("a", "b")})
	w.write(res.Targets[1], 0, []byte("mine"))
	tie, err := w.svc.GroupRelationship(context.Background(), res.GroupRelationship)
	require.NoError(t, err)
	require.Equal(t, pairstate.Mixed, tie.State.Copy)
}

func TestInactiveGroupIsActivatedTogether(t *testing.T) {
	w := newWorld(t)
	src := w.volumes("a", "b")
	res := w.group(GroupRequest{
		SyncType: pairstate.Snapshot, Sources: src, Consistency: SequentialConsistency, Wait: Wait{State: pairstate.Inactive},
	})
	snapshots := 0
	w.pools[0].setFault(func(op, _ string) error {
		if op == "snapshot" {
			snapshots++
		}
		return nil
	})
	require.NoError(t, w.modify(OpActivate, res.GroupRelationship))
	require.Equal(t, 1, snapshots, "one instant")
	for i := range src {
		require.Equal(t, w.read(src[i]), w.read(res.Targets[i]))
	}
	tie, err := w.svc.GroupRelationship(context.Background(), res.GroupRelationship)
	require.NoError(t, err)
	require.Equal(t, pairstate.Synchronized, tie.State.Copy)
}

func TestGroupMembers(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	v := w.volumes("a", "b", "c")
	g, err := w.svc.CreateGroup(ctx, GroupSpec{Name: "g", Members: v[:1], DeleteOnEmptyElement: true})
	require.NoError(t, err)
	require.NoError(t, w.svc.ModifyGroup(ctx, g.ID, []VolumeRef{v[2], v[0], v[1]}, nil))
	g, err = w.svc.Group(ctx, g.ID)
	require.NoError(t, err)
	require.Equal(t, []VolumeRef{v[0], v[2], v[1]}, g.Members, "one that is in stays where it is")
	require.NoError(t, w.svc.ModifyGroup(ctx, g.ID, []VolumeRef{v[0]}, []VolumeRef{v[0]}))
	g, err = w.svc.Group(ctx, g.ID)
	require.NoError(t, err)
	require.Equal(t, []VolumeRef{v[2], v[1], v[0]}, g.Members)
	require.NoError(t, w.svc.ModifyGroup(ctx, g.ID, nil, v))
	_, err = w.svc.Group(ctx, g.ID)
	refusedWith(t, err, KindInvalid, "ReplicationGroup")
	unnamed, err := w.svc.CreateGroup(ctx, GroupSpec{})
	require.NoError(t, err)
	require.NotEmpty(t, unnamed.Name)
}
