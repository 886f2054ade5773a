package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// counting is a source of n items that says when it has returned.
func counting(n int, returned *bool) *source {
	return &source{items: func(_ context.Context, yield func(item) error) error {
		defer func() { *returned = true }()
		for range n {
			if err := yield(item{}); err != nil {
				return fmt.Errorf("wrapped: %w", err)
			}
		}
		return nil
	}}
}

func TestCursorStandsStillBetweenRequests(t *testing.T) {
	taken := 0
	src := &source{items: func(_ context.Context, yield func(item) error) error {
		for range 10 {
			taken++
			if err := yield(item{}); err != nil {
				return err
			}
		}
		return nil
	}}
	c := newCursor(t.Context(), "id", src)
	defer c.close()
	require.Zero(t, taken, "nothing runs before it is asked")
	require.NoError(t, c.fill(t.Context(), 3))
	require.Equal(t, 3, taken)
	c.drop(2, 200)
	require.Equal(t, 100, c.itemSize)
	require.NoError(t, c.fill(t.Context(), 3))
	require.Equal(t, 5, taken)
	require.Len(t, c.pending, 3)
	require.NoError(t, c.fill(t.Context(), 100))
	require.Len(t, c.pending, 8)
	require.True(t, c.ended)
}

func TestCursorCloseEndsTheSource(t *testing.T) {
	for _, taken := range []int{0, 1, 5, 9} {
		returned := taken == 0 // a source that never began need not return
		c := newCursor(t.Context(), "id", counting(5, &returned))
		require.NoError(t, c.fill(t.Context(), taken))
		c.close()
		require.True(t, returned)
		c.close() // once more is harmless
	}
}

// A source that does not stop when told is not listened to any more.
func TestCursorOfAStubbornSource(t *testing.T) {
	src := &source{items: func(_ context.Context, yield func(item) error) error {
		var last error
		for range 5 {
			last = yield(item{})
		}
		if !errors.Is(last, errStopped) {
			t.Error(last)
		}
		return errors.New("nobody hears this")
	}}
	c := newCursor(t.Context(), "id", src)
	require.NoError(t, c.fill(t.Context(), 1))
	c.close()
}

func TestCursorOutlivesItsRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(cim.WithPrincipal(t.Context(), cim.Principal{Name: "bob"}))
	var seen context.Context
	src := &source{items: func(ctx context.Context, yield func(item) error) error {
		seen = ctx
		return yield(item{})
	}}
	c := newCursor(ctx, "id", src)
	defer c.close()
	cancel()
	require.NoError(t, c.fill(t.Context(), 1))
	p, ok := cim.PrincipalFrom(seen)
	require.True(t, ok)
	require.Equal(t, "bob", p.Name)
}

// Clients that begin, pull, release and forget at once, with a clock that runs:
// whatever happens every source returns, and the table ends empty.
func TestContextsUnderStress(t *testing.T) {
	tab := newContexts(Limits{Contexts: 20, ContextsPerUser: 8, ContextIdle: 10}.withDefaults())
	tab.idle = 10
	var mu sync.Mutex
	now := time.Unix(0, 0)
	tick := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(1)
		return now
	}
	returned := make([]bool, 8*200)
	began := make([]bool, 8*200)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			user := fmt.Sprint(g % 3)
			for i := range 200 {
				n := g*200 + i
				e, err := tab.add(newCursor(context.Background(), fmt.Sprint(n), counting(5, &returned[n])), user, tick())
				if err != nil {
					continue
				}
				began[n] = true
				if err := e.cursor.fill(context.Background(), 1); err != nil {
					t.Error(err)
				}
				tab.put(e, i%3 > 0, tick())
				if e, err := tab.take(fmt.Sprint(n-1), user, tick()); err == nil {
					tab.put(e, i%2 == 0, tick())
				}
			}
		})
	}
	wg.Wait()
	tab.closeAll()
	require.Zero(t, tab.count())
	require.Empty(t, tab.byUser)
	for n := range began {
		require.Equal(t, began[n], returned[n], n)
	}
}
