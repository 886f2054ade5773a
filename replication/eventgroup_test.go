package replication

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
)

// TestPercentOfAGroupIsTold moves the copies of a group bit by bit; after each the
// listener knows what is shown of the pairs and of the group.
func TestPercentOfAGroupIsTold(t *testing.T) {
	l := newLedger()
	w := newWorld(t, listening(l))
	w.pools[0].hold()
	res := w.group(GroupRequest{SyncType: pairstate.Clone, Sources: w.volumes("a", "b", "c")})
	w.jobRuns(res.Job)
	w.eventually("all have begun", func() bool {
		for _, id := range res.Relationships {
			if w.svc.book.pair(id).idle() {
				return false
			}
		}
		return true
	})
	for _, step := range []int64{1, 2, 10, 11, 50, 97, 99} {
		for _, id := range res.Relationships {
			w.svc.progress(id, step, 100)
			w.agrees(l)
		}
	}
	moved := 0
	for _, e := range l.events {
		if e.GroupRelationship.Kind() == Modified {
			moved++
			require.NotEqual(t, e.GroupRelationship.Before.Percent, e.GroupRelationship.After.Percent)
		}
	}
	require.Greater(t, moved, 10)
	require.Less(t, moved, 3*7, "a group is told of only when its own percentage moves")
}

func TestNewNamesAreTold(t *testing.T) {
	l := newLedger()
	w := newWorld(t, listening(l))
	res := w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: w.volumes("a"), Wait: Wait{State: pairstate.Synchronized}})
	ctx, name := context.Background(), "other"
	old, err := w.svc.GroupRelationship(ctx, res.GroupRelationship)
	require.NoError(t, err)
	require.NoError(t, w.svc.RenameGroupRelationship(ctx, res.GroupRelationship, old.Name))
	w.agrees(l)
	require.Empty(t, l.renamed(res.Relationships[0]))
	l.about()
	require.NoError(t, w.svc.RenameGroupRelationship(ctx, res.GroupRelationship, name))
	require.NoError(t, w.svc.EditGroup(ctx, res.TargetGroup, GroupEdit{Name: &name}))
	w.agrees(l)
	require.Equal(t, [][2]string{{old.Name, name}}, l.renamed(res.Relationships[0]))
	r, err := w.svc.Relationship(ctx, res.Relationships[0])
	require.NoError(t, err)
	require.Equal(t, name, r.GroupName)
	require.Equal(t, []string{"group modified"}, l.about(), "and that of the group relationship, whose state is as it was")
}

// renamed lists how the group relationship of a pair was named before and after.
func (l *ledger) renamed(id string) (names [][2]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if c := e.Relationship; c.Kind() == Modified && c.After.ID == id && c.Before.GroupName != c.After.GroupName {
			names = append(names, [2]string{c.Before.GroupName, c.After.GroupName})
		}
	}
	return names
}

// TestPercentOutlivesARestart: what was shown before is shown after, or what makes
// it less is told.
func TestPercentOutlivesARestart(t *testing.T) {
	l := newLedger()
	w := newWorld(t, listening(l))
	w.pools[0].hold()
	res := w.group(GroupRequest{SyncType: pairstate.Clone, Sources: w.volumes("a", "b")})
	w.jobRuns(res.Job)
	for _, id := range res.Relationships {
		w.eventually("the copy has begun", func() bool { return !w.svc.book.pair(id).idle() })
		w.svc.progress(id, 41, 100)
	}
	w.agrees(l)
	l.restart(w)
	w.agrees(l)
	w.restart()
	require.NoError(t, w.svc.Close())
	w.wire.watch(func(int64, string, bool) error { t.Error("a second Close does something"); return nil })
	require.NoError(t, w.svc.Close())
}

// TestVolumeEventsInOrder has a volume renamed while it is deleted.
func TestVolumeEventsInOrder(t *testing.T) {
	l := newLedger()
	w := newWorld(t, listening(l))
	ctx, p := context.Background(), w.svc.pools["p0"]
	for range 100 {
		v, err := p.Create(ctx, pool.Spec{Name: "v", Size: blockdev.SectorSize})
		require.NoError(t, err)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = p.Update(ctx, v.ID, func(v *pool.Volume) error { v.Name = "w"; return nil }) })
		wg.Go(func() { _ = p.Delete(ctx, v.ID) })
		wg.Wait()
	}
	w.agrees(l)
}
