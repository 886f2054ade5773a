// Package eventingtest has the tests that every eventing.Store must pass.
package eventingtest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/wsman/eventing"
)

// TestStore runs the suite. open gives an empty store; reopen what a store holds
// after a restart, nil where it forgets.
func TestStore(t *testing.T, open func(*testing.T) eventing.Store, reopen func(*testing.T, eventing.Store) eventing.Store) {
	t.Run("put, replace and delete", func(t *testing.T) { testRecords(t, open(t)) })
	t.Run("bytes belong to one side", func(t *testing.T) { testOwnership(t, open(t)) })
	t.Run("an ended context", func(t *testing.T) { testContext(t, open(t)) })
	t.Run("many at once", func(t *testing.T) { testConcurrent(t, open(t)) })
	if reopen != nil {
		t.Run("restart", func(t *testing.T) {
			s := open(t)
			require.NoError(t, s.Put(t.Context(), "a", []byte("1")))
			require.NoError(t, s.Put(t.Context(), "b", []byte("2")))
			require.NoError(t, s.Delete(t.Context(), "a"))
			requireRecords(t, reopen(t, s), map[string]string{"b": "2"})
		})
	}
}

func requireRecords(t *testing.T, s eventing.Store, want map[string]string) {
	t.Helper()
	all, err := s.All(t.Context())
	require.NoError(t, err)
	have := map[string]string{}
	for id, data := range all {
		have[id] = string(data)
	}
	require.Equal(t, want, have)
}

func testRecords(t *testing.T, s eventing.Store) {
	requireRecords(t, s, map[string]string{})
	require.NoError(t, s.Delete(t.Context(), "a"), "what is not there")
	require.NoError(t, s.Put(t.Context(), "a", []byte("1")))
	require.NoError(t, s.Put(t.Context(), "b", []byte("2")))
	requireRecords(t, s, map[string]string{"a": "1", "b": "2"})
	require.NoError(t, s.Put(t.Context(), "a", []byte("3")))
	requireRecords(t, s, map[string]string{"a": "3", "b": "2"})
	require.NoError(t, s.Delete(t.Context(), "b"))
	requireRecords(t, s, map[string]string{"a": "3"})
}

func testOwnership(t *testing.T, s eventing.Store) {
	data := []byte("mine")
	require.NoError(t, s.Put(t.Context(), "a", data))
	copy(data, "your")
	all, err := s.All(t.Context())
	require.NoError(t, err)
	require.Equal(t, "mine", string(all["a"]))
	copy(all["a"], "them")
	delete(all, "a")
	requireRecords(t, s, map[string]string{"a": "mine"})
}

func testContext(t *testing.T, s eventing.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.All(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.Put(ctx, "a", nil), context.Canceled)
	require.ErrorIs(t, s.Delete(ctx, "a"), context.Canceled)
}

func testConcurrent(t *testing.T, s eventing.Store) {
	const workers = 8
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for i := range workers {
		wg.Go(func() { errs[i] = s.Put(t.Context(), fmt.Sprint(i), []byte{byte('0' + i)}) })
	}
	wg.Wait()
	want := map[string]string{}
	for i, err := range errs {
		require.NoError(t, err)
		want[fmt.Sprint(i)] = fmt.Sprint(i)
	}
	requireRecords(t, s, want)
}
