package replication

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
)

func TestEditRelationship(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	id, _, _ := w.one(pairstate.Snapshot, "a", 0)
	w.restart() // times are as they are stored
	before, err := w.svc.Relationship(ctx, id)
	require.NoError(t, err)
	require.NoError(t, w.svc.EditRelationship(ctx, id, RelationshipEdit{Name: new("nightly"), CopyPriority: new(uint16(1))}))
	require.NoError(t, w.svc.EditRelationship(ctx, id, RelationshipEdit{}))
	want := before
	want.Name, want.Settings.CopyPriority = "nightly", 1
	for range 2 {
		got, err := w.svc.Relationship(ctx, id)
		require.NoError(t, err)
		require.Equal(t, want, got)
		w.restart()
	}
}

func TestEditRefused(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	src := w.volumes("a", "b")
	res := w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: src[:1], RelationshipName: "one"})
	w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: src[1:], RelationshipName: "two"})
	before := w.dump()
	long, edit := strings.Repeat("x", 256), func(e RelationshipEdit) error {
		return w.svc.EditRelationship(ctx, res.Relationships[0], e)
	}
	rename := func(name string) error { return w.svc.RenameGroupRelationship(ctx, res.GroupRelationship, name) }
	group := func(name string) error {
		return w.svc.EditGroup(ctx, res.SourceGroup, GroupEdit{Name: &name, Persistent: new(true)})
	}
	for _, c := range []struct {
		err   error
		kind  Kind
		param string
	}{
		{edit(RelationshipEdit{Name: new("")}), KindInvalid, "RelationshipName"},
		{edit(RelationshipEdit{Name: &long, CopyPriority: new(uint16(1))}), KindInvalid, "RelationshipName"},
		{edit(RelationshipEdit{Name: new("x"), CopyPriority: new(uint16(5))}), KindInvalid, "CopyPriority"},
		{w.svc.EditRelationship(ctx, "none", RelationshipEdit{}), KindInvalid, "Synchronization"},
		{rename(""), KindInvalid, "RelationshipName"},
		{rename(" x"), KindInvalid, "RelationshipName"},
		{rename("TWO"), KindInvalid, "RelationshipName"},
		{w.svc.RenameGroupRelationship(ctx, "none", "x"), KindInvalid, "Synchronization"},
		{group(""), KindInvalid, "ElementName"},
		{group("a\nb"), KindInvalid, "ElementName"},
		{group("Two-Source"), KindInvalid, "ElementName"},
		{w.svc.EditGroup(ctx, "none", GroupEdit{}), KindInvalid, "ReplicationGroup"},
	} {
		refusedWith(t, c.err, c.kind, c.param)
	}
	require.Equal(t, before, w.dump())
	require.Empty(t, w.svc.claims.held)
}

func TestRenameGroupsAndTheirRelationship(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	src := w.volumes("a")
	res := w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: src, RelationshipName: "one"})
	require.NoError(t, w.svc.RenameGroupRelationship(ctx, res.GroupRelationship, "uno"))
	require.NoError(t, w.svc.RenameGroupRelationship(ctx, res.GroupRelationship, "UNO"), "its own name in other letters")
	require.NoError(t, w.svc.EditGroup(ctx, res.SourceGroup, GroupEdit{
		Name: new("fuente"), Persistent: new(true), DeleteOnEmptyElement: new(true), DeleteOnUnassociated: new(false),
	}))
	require.NoError(t, w.svc.EditGroup(ctx, res.SourceGroup, GroupEdit{Name: new("Fuente")}))
	w.restart()
	tie, err := w.svc.GroupRelationship(ctx, res.GroupRelationship)
	require.NoError(t, err)
	require.Equal(t, "UNO", tie.Name)
	require.Equal(t, res.Relationships, tie.Pairs)
	g, err := w.svc.Group(ctx, res.SourceGroup)
	require.NoError(t, err)
	require.Equal(t, "Fuente", g.Name)
	require.Equal(t, []bool{true, true, false}, []bool{g.Persistent, g.DeleteOnEmptyElement, g.DeleteOnUnassociated})
	require.Equal(t, src, g.Members)
	_, err = w.svc.CreateGroup(ctx, GroupSpec{Name: "one-source"})
	require.NoError(t, err, "the old name is free")
}

// The store fails: nothing changes, also not what is shown.
func TestEditIsStoredFirst(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	res := w.group(GroupRequest{SyncType: pairstate.Snapshot, Sources: w.volumes("a"), RelationshipName: "one"})
	before := w.dump()
	w.wire.watch(func(int64, string, bool) error { return errors.New("no space left on device") })
	for _, err := range []error{
		w.svc.EditRelationship(ctx, res.Relationships[0], RelationshipEdit{Name: new("x")}),
		w.svc.RenameGroupRelationship(ctx, res.GroupRelationship, "x"),
		w.svc.EditGroup(ctx, res.TargetGroup, GroupEdit{Name: new("x")}),
	} {
		refusedWith(t, err, KindFailed, "")
		require.NotContains(t, err.Error(), "no space left")
	}
	w.wire.watch(nil)
	require.Equal(t, before, w.dump())
	tie, err := w.svc.GroupRelationship(ctx, res.GroupRelationship)
	require.NoError(t, err)
	require.Equal(t, "one", tie.Name)
	require.Empty(t, w.svc.claims.held)
}

// Of many that want one name, one gets it.
func TestRenameAtOnce(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	const groups = 8
	ids := make([]string, groups)
	for i := range ids {
		g, err := w.svc.CreateGroup(ctx, GroupSpec{Name: fmt.Sprintf("g%d", i)})
		require.NoError(t, err)
		ids[i] = g.ID
	}
	errs := make([]error, groups)
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() { errs[i] = w.svc.EditGroup(ctx, id, GroupEdit{Name: new("same")}) })
	}
	wg.Wait()
	had := 0
	for _, err := range errs {
		if err == nil {
			had++
			continue
		}
		refusedWith(t, err, KindInvalid, "ElementName")
	}
	require.Equal(t, 1, had)
}

// A volume cannot take a name that another has, nor one that a request is giving
// to another.
func TestRenameVolume(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	a := w.volume("p0", "a")
	w.volume("p0", "b")
	rename := func(name string) error {
		_, err := w.svc.UpdateVolume(ctx, a, func(v *pool.Volume) error { v.Name = name; return nil })
		return err
	}
	refusedWith(t, rename("B"), KindInvalid, "ElementName")
	refusedWith(t, rename(""), KindInvalid, "ElementName")
	h := w.svc.claims.hold()
	require.True(t, h.take(nameClaim("p0", "c")))
	refusedWith(t, rename("C"), KindInvalid, "ElementName")
	h.release()
	require.NoError(t, rename("C"))
	require.NoError(t, rename("c"), "other letters")
	require.Empty(t, w.svc.claims.held)
}

// A copy that runs goes on at the rate of its new priority: a clone from where it is,
// and it ends as it would have.
func TestNewPriorityOfARunningCopy(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.CopyRate = 1 << 20 })
	ctx := context.Background()
	open := w.pools[0].hold()
	res := w.list(ListRequest{SyncType: pairstate.Clone, Sources: w.volumes("a")})
	id := res.Relationships[0]
	w.eventually("the copy runs", func() bool { return len(w.pools[0].ratesOf(res.Targets[0].ID)) == 1 })
	require.NoError(t, w.svc.EditRelationship(ctx, id, RelationshipEdit{Name: new("x")}))
	require.NoError(t, w.svc.EditRelationship(ctx, id, RelationshipEdit{CopyPriority: new(uint16(1))}))
	w.eventually("the copy runs on", func() bool { return len(w.pools[0].ratesOf(res.Targets[0].ID)) == 2 })
	require.NoError(t, w.svc.EditRelationship(ctx, id, RelationshipEdit{CopyPriority: new(uint16(3))}))
	w.eventually("the copy runs on", func() bool { return len(w.pools[0].ratesOf(res.Targets[0].ID)) == 3 })
	require.Equal(t, []int64{0, 1 << 19, 2 << 20}, w.pools[0].ratesOf(res.Targets[0].ID))
	close(open)
	w.eventually("the copy is complete", func() bool { return w.state(id).Copy == pairstate.Synchronized })
	require.NoError(t, w.svc.EditRelationship(ctx, id, RelationshipEdit{CopyPriority: new(uint16(2))}), "with no copy")
	require.Len(t, w.pools[0].ratesOf(res.Targets[0].ID), 3)
}

// A mirror's priority can change while it runs: its limiter takes it up.
func TestNewPriorityOfAMirror(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.CopyRate = 2 })
	ctx := context.Background()
	id, _, _ := w.one(pairstate.Mirror, "a", pairstate.Synchronized)
	rec, _ := w.svc.book.record(id)
	limiter := (&mirroring{s: w.svc, rec: rec}).config().Limiter
	for range 2 {
		require.NoError(t, limiter.Wait(ctx, 1<<30), "not managed: no limit")
	}
	require.NoError(t, w.svc.EditRelationship(ctx, id, RelationshipEdit{CopyPriority: new(uint16(1))}))
	require.NoError(t, limiter.Wait(ctx, 1<<30), "the first one passes")
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	require.ErrorIs(t, limiter.Wait(short, 1), context.DeadlineExceeded, "for 34 years")
}
