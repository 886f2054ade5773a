package replication

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
)

// inOneList checks a list that was taken while others came and went: it is in order,
// nothing is in it twice, and what was there all the time is not missing.
func inOneList(t *testing.T, got, always []string) {
	t.Helper()
	require.True(t, slices.IsSorted(got), "%q", got)
	require.Len(t, slices.Compact(slices.Clone(got)), len(got), "%q", got)
	require.Subset(t, got, always)
}

// TestListsWhileThingsChange lists groups, relationships, jobs and volumes while
// others are made and removed.
func TestListsWhileThingsChange(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	source := w.volume("p0", "source")
	var groups, pairs, volumes []string
	for i := range 10 {
		g, err := w.svc.CreateGroup(ctx, GroupSpec{Name: fmt.Sprint("always", i), Members: []VolumeRef{source}})
		require.NoError(t, err)
		groups = append(groups, g.ID)
		res, err := w.svc.CreateList(ctx, ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{source}})
		require.NoError(t, err)
		pairs = append(pairs, res.Relationships...)
	}
	there, err := listed(ctx, w.svc.EachVolume)
	require.NoError(t, err)
	volumes = ids(there, nameOf)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				w.comeAndGo(t, source, i)
			}
		}
	})
	for range 50 {
		all, err := listed(ctx, w.svc.EachGroup)
		require.NoError(t, err)
		inOneList(t, ids(all, func(g Group) string { return g.ID }), groups)
		of, err := w.svc.GroupsOf(ctx, source)
		require.NoError(t, err)
		inOneList(t, ids(of, func(g Group) string { return g.ID }), groups)
		rels, err := listed(ctx, w.svc.EachRelationship)
		require.NoError(t, err)
		inOneList(t, ids(rels, func(r Relationship) string { return r.ID }), pairs)
		vols, err := listed(ctx, w.svc.EachVolume)
		require.NoError(t, err)
		inOneList(t, ids(vols, nameOf), volumes)
	}
	close(stop)
	wg.Wait()
	n, err := w.svc.CountVolumes(ctx)
	require.NoError(t, err)
	require.Equal(t, len(volumes), n)
}

// comeAndGo makes a group, a snapshot and a volume and removes them.
func (w *world) comeAndGo(t *testing.T, source VolumeRef, i int) {
	ctx := context.Background()
	g, err := w.svc.CreateGroup(ctx, GroupSpec{Name: fmt.Sprint("other", i), Members: []VolumeRef{source}})
	if err == nil {
		err = w.svc.DeleteGroup(ctx, g.ID)
	}
	if err != nil {
		t.Error(err)
	}
	res, err := w.svc.CreateList(ctx, ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{source}})
	if err == nil {
		_, err = w.svc.Modify(ctx, ModifyRequest{Operation: OpReturnToPool, ID: res.Relationships[0]})
	}
	if err != nil {
		t.Error(err)
	}
}

func ids[T any](all []T, id func(T) string) []string {
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = id(v)
	}
	return out
}

func nameOf(v pool.Volume) string { return v.Pool + "/" + v.Name }
