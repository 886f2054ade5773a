package faultstore

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/replication/store"
	"twinlun/replication/store/storetest"
)

var ctx = context.Background()

func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return New(store.NewMem()) })
}

func put(s store.Store, v string) error {
	return s.Update(ctx, func(tx store.Tx) error { return tx.Put("b", "k", []byte(v)) })
}

func value(t *testing.T, s store.Store) (v string) {
	require.NoError(t, s.View(ctx, func(tx store.Tx) error {
		b, err := tx.Get("b", "k")
		v = string(b)
		return err
	}))
	return v
}

func TestPoints(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		point Point
		kept  string
	}{{Before, "1"}, {AtCommit, "1"}, {AfterCommit, "2"}} {
		s := New(store.NewMem())
		s.Plan(Fault{Update: 2, Point: c.point, Err: boom})
		require.NoError(t, put(s, "1"))
		require.ErrorIs(t, put(s, "2"), boom)
		require.Equal(t, c.kept, value(t, s), "point %d", c.point)
		require.NoError(t, put(s, "3"), "a fault strikes once")
		require.Equal(t, 3, s.Updates())
	}
}

func TestOwnErrorGoesFirst(t *testing.T) {
	s, mine := New(store.NewMem()), errors.New("mine")
	s.Plan(Fault{Update: 1, Point: AtCommit})
	require.ErrorIs(t, s.Update(ctx, func(store.Tx) error { return mine }), mine)
}

func TestCrash(t *testing.T) {
	s := New(store.NewMem())
	s.Plan(Fault{Update: 1, Point: AfterCommit, Crash: true})
	require.ErrorIs(t, put(s, "1"), ErrFault)
	require.True(t, s.Crashed())
	require.ErrorIs(t, put(s, "2"), ErrFault)
	require.ErrorIs(t, s.View(ctx, func(store.Tx) error { return nil }), ErrFault)
	s.Heal()
	require.Equal(t, "1", value(t, s))
}
