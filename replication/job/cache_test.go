package job

import (
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
	require.Len(t, m.records.last, 1, "what is gone is not kept")
}

func TestListsAreTheCallers(t *testing.T) {
	m := manager(t, store.NewMem())
	create(t, m, Spec{Affected: []Element{{Kind: Volume, ID: "1"}}})
	for range 3 {
		all, err := m.List(ctx)
		require.NoError(t, err)
		require.Equal(t, "1", all[0].Affected[0].ID)
		all[0].Affected[0].ID = "spoilt"
	}
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

func BenchmarkList10000(b *testing.B) {
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
	for b.Loop() {
		_, err := m.List(ctx)
		require.NoError(b, err)
	}
}
