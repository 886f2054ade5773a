package classes

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/replication"
	"twinlun/replication/setting"
	"twinlun/replication/store"
)

// newSettings keeps a setting of each kind, as users make them.
func newSettings(t testing.TB, s store.Store) *setting.Keeper {
	k, err := setting.New(setting.Config{Store: s})
	require.NoError(t, err)
	for _, r := range []setting.Record{
		{Kind: setting.Storage, ID: "gold", Name: "Gold", Values: map[string]string{"DataRedundancyMax": "2", "InitialSynchronization": "1"}},
		{Kind: setting.Replication, ID: "nightly", Name: "Nightly", Description: "slow", Values: map[string]string{"CopyPriority": "1", "ConsistentPointInTime": "true"}},
	} {
		_, err := k.CreateSetting(context.Background(), r)
		require.NoError(t, err)
	}
	return k
}

func (f *fake) EditGroup(_ context.Context, id string, e replication.GroupEdit) error {
	if err := f.called("EditGroup"); err != nil {
		return err
	}
	i := slices.IndexFunc(f.groups, func(g replication.Group) bool { return g.ID == id })
	g := &f.groups[i]
	assign(&g.Name, e.Name)
	assign(&g.Persistent, e.Persistent)
	assign(&g.DeleteOnEmptyElement, e.DeleteOnEmptyElement)
	assign(&g.DeleteOnUnassociated, e.DeleteOnUnassociated)
	return nil
}

func (f *fake) EditRelationship(_ context.Context, id string, e replication.RelationshipEdit) error {
	if err := f.called("EditRelationship"); err != nil {
		return err
	}
	i := slices.IndexFunc(f.pairs, func(r replication.Relationship) bool { return r.ID == id })
	assign(&f.pairs[i].Name, e.Name)
	assign(&f.pairs[i].Settings.CopyPriority, e.CopyPriority)
	return nil
}

func (f *fake) RenameGroupRelationship(_ context.Context, id, name string) error {
	if err := f.called("RenameGroupRelationship"); err != nil {
		return err
	}
	i := slices.IndexFunc(f.ties, func(g replication.GroupRelationship) bool { return g.ID == id })
	f.ties[i].Name = name
	return nil
}

func assign[T any](field, v *T) {
	if v != nil {
		*field = *v
	}
}
