package job

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/replication/store"
)

func TestListSeesEveryChange(t *testing.T) {
	s := store.NewMem()
	m := manager(t, s)
	list := func() []Record {
		all, err := m.List(ctx)
		require.NoError(t, err)
		return all
	}
	require.Empty(t, list())
	a := create(t, m, Spec{Name: "a", Affected: []Element{{Kind: Volume, ID: "1"}}})
	require.Equal(t, "a", list()[0].Name)
	a.Error = "changed by another"
	require.NoError(t, s.Update(ctx, func(tx store.Tx) error { return put(tx, a) }))
	require.Equal(t, "changed by another", list()[0].Error)
	create(t, m, Spec{Name: "b"})
	require.Len(t, list(), 2)
	require.NoError(t, s.Update(ctx, func(tx store.Tx) error { return tx.Delete(bucket, a.ID) }))
	require.Equal(t, "b", list()[0].Name)
}

func TestEachSeesChanges(t *testing.T) {
	m := manager(t, store.NewMem())
	for range 3 {
		create(t, m, Spec{})
	}
	n, err := m.Count(ctx)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	all, err := m.List(ctx)
	require.NoError(t, err)
	var seen []Record
	require.NoError(t, m.Each(ctx, func(r Record) error {
		if len(seen) == 0 {
			create(t, m, Spec{Name: "late"})
			require.NoError(t, m.End(ctx, all[1].ID, 0, nil))
			require.NoError(t, m.End(ctx, all[2].ID, 0, nil))
			require.NoError(t, m.Delete(ctx, all[2].ID))
		}
		seen = append(seen, r)
		return nil
	}))
	require.Equal(t, ids(all[:2]), ids(seen))
	require.Equal(t, Completed, seen[1].State, "as it is when its turn comes")
	stop := errors.New("stop")
	require.ErrorIs(t, m.Each(ctx, func(Record) error { return stop }), stop)
}

func TestAffecting(t *testing.T) {
	s := store.NewMem()
	m := manager(t, s)
	one, two := Element{Kind: Volume, Pool: "p", ID: "1"}, Element{Kind: Volume, Pool: "p", ID: "2"}
	a := create(t, m, Spec{Affected: []Element{one, two}})
	b := create(t, m, Spec{Affected: []Element{two}})
	check := func(m *Manager, e Element, want ...string) {
		all, err := m.Affecting(ctx, e)
		require.NoError(t, err)
		require.ElementsMatch(t, want, ids(all))
	}
	check(m, one, a.ID)
	check(m, two, a.ID, b.ID)
	check(m, Element{Kind: Group, ID: "1"})
	failed := errors.New("no space")
	require.ErrorIs(t, s.Update(ctx, func(tx store.Tx) error {
		_, err := m.Create(tx, Spec{Affected: []Element{one}})
		require.NoError(t, err)
		return failed
	}), failed)
	check(m, one, a.ID)
	check(manager(t, s), two, a.ID, b.ID)
	require.NoError(t, m.End(ctx, a.ID, 0, nil))
	require.NoError(t, m.Delete(ctx, a.ID))
	check(m, one)
	check(m, two, b.ID)
}

func TestListDamage(t *testing.T) {
	s := store.NewMem()
	m := manager(t, s)
	r := create(t, m, Spec{})
	_, err := m.List(ctx)
	require.NoError(t, err)
	require.NoError(t, s.Update(ctx, func(tx store.Tx) error { return tx.Put(bucket, r.ID, []byte("{")) }))
	for range 2 {
		_, err = m.List(ctx)
		require.ErrorContains(t, err, r.ID)
	}
}

func TestListsWhileJobsAreMade(t *testing.T) {
	m := manager(t, store.NewMem())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				r := create(t, m, Spec{})
				all, err := m.List(ctx)
				require.NoError(t, err)
				require.Contains(t, ids(all), r.ID)
			}
		})
	}
	wg.Wait()
	all, err := m.List(ctx)
	require.NoError(t, err)
	require.Len(t, all, 200)
}

func ids(all []Record) (list []string) {
	for _, r := range all {
		list = append(list, r.ID)
	}
	return list
}

func BenchmarkEach10000(b *testing.B) {
	s := store.NewMem()
	m := manager(b, s)
	require.NoError(b, s.Update(ctx, func(tx store.Tx) error {
		for range 10000 {
			if _, err := m.Create(tx, Spec{Name: "CreateListReplica", Owner: "admin", Affected: []Element{{Kind: Volume, Pool: "default", ID: "1"}}}); err != nil {
				return err
			}
		}
		return nil
	}))
	b.Run("first", func(b *testing.B) {
		stop := errors.New("stop")
		for b.Loop() {
			require.ErrorIs(b, m.Each(ctx, func(Record) error { return stop }), stop)
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, m.Each(ctx, func(Record) error { return nil }))
		}
	})
}
