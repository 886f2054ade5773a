package server

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// counting is a source of n items that says when it has returned.
func counting(n int, returned *atomic.Bool) *source {
	return &source{items: func(_ context.Context, yield func(item) error) error {
		defer returned.Store(true)
		for range n {
			if err := yield(item{}); err != nil {
				return fmt.Errorf("wrapped: %w", err)
			}
		}
		return nil
	}}
}

// fill is cursor.fill that must not fail.
func fill(t *testing.T, c *cursor, n int) (items []item, ended bool) {
	t.Helper()
	items, ended, err := c.fill(t.Context(), n)
	require.NoError(t, err)
	return items, ended
}

func TestCursorStandsStillBetweenRequests(t *testing.T) {
	var taken atomic.Int32
	src := &source{items: func(_ context.Context, yield func(item) error) error {
		for range 10 {
			taken.Add(1)
			if err := yield(item{}); err != nil {
				return err
			}
		}
		return nil
	}}
	c := newCursor(t.Context(), "id", src)
	defer c.close()
	require.Zero(t, taken.Load(), "nothing runs before it is asked")
	fill(t, c, 3)
	require.EqualValues(t, 3, taken.Load())
	c.drop(2, 200)
	require.Equal(t, 100, c.itemSize)
	items, ended := fill(t, c, 3)
	require.EqualValues(t, 5, taken.Load())
	require.Len(t, items, 3)
	require.False(t, ended)
	items, _ = fill(t, c, 2)
	require.Len(t, items, 3, "what is there is there")
	require.EqualValues(t, 5, taken.Load())
	items, ended = fill(t, c, 100)
	require.Len(t, items, 8)
	require.True(t, ended)
	c.drop(8, 800)
	items, ended = fill(t, c, 1)
	require.Empty(t, items)
	require.True(t, ended)
}

// When the time of a request is over, what has come is there and nothing is lost:
// the source ends the item that it is at, and waits for the next request.
func TestCursorGoesOnAfterATimeout(t *testing.T) {
	reached, goOn := make(chan struct{}), make(chan struct{})
	src := &source{items: func(_ context.Context, yield func(item) error) error {
		for n := range 6 {
			if n == 2 {
				close(reached)
				<-goOn
			}
			if err := yield(item{class: &cim.Class{Name: fmt.Sprint(n)}}); err != nil {
				return err
			}
		}
		return nil
	}}
	c := newCursor(t.Context(), "id", src)
	defer c.close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
	}()
	items, ended, err := c.fill(ctx, 5)
	require.NoError(t, err)
	require.False(t, ended)
	require.Len(t, items, 2)
	c.drop(2, 2)
	items, _, err = c.fill(ctx, 5)
	require.NoError(t, err)
	require.Empty(t, items, "the source is still at the third")
	close(goOn)
	for parked := false; !parked; runtime.Gosched() {
		c.mu.Lock()
		parked = c.parked
		c.mu.Unlock()
	}
	require.Len(t, c.pending, 1, "it ended the item that it was at, and stands still")
	var names []string
	items, ended = fill(t, c, 100)
	for _, it := range items {
		names = append(names, it.class.Name)
	}
	require.Equal(t, []string{"2", "3", "4", "5"}, names)
	require.True(t, ended)
}

func TestCursorCloseEndsTheSource(t *testing.T) {
	for _, taken := range []int{0, 1, 5, 9} {
		var returned atomic.Bool
		returned.Store(taken == 0) // a source that never began need not return
		c := newCursor(t.Context(), "id", counting(5, &returned))
		left := 0
		c.left = func() { left++ }
		if taken > 0 {
			fill(t, c, taken)
		}
		c.close()
		<-c.returned
		require.True(t, returned.Load())
		c.close() // once more is harmless
		require.Equal(t, 1, left)
		_, _, err := c.fill(t.Context(), 1)
		require.ErrorIs(t, err, context.Canceled)
	}
}

// close does not wait for a source that is at work, only tells it to end.
func TestCursorCloseDoesNotWaitForWork(t *testing.T) {
	reached, goOn := make(chan struct{}), make(chan struct{})
	src := &source{items: func(ctx context.Context, _ func(item) error) error {
		close(reached)
		<-goOn
		return ctx.Err()
	}}
	c := newCursor(t.Context(), "id", src)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
	}()
	_, _, err := c.fill(ctx, 1)
	require.NoError(t, err)
	c.close()
	close(goOn)
	<-c.returned
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
	fill(t, c, 1)
	c.close()
}

func TestCursorOutlivesItsRequest(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(cim.WithPrincipal(t.Context(), cim.Principal{Name: "bob"}), key{}, "of the request"))
	var seen context.Context
	src := &source{items: func(ctx context.Context, yield func(item) error) error {
		seen = ctx
		return yield(item{})
	}}
	c := newCursor(ctx, "id", src)
	defer c.close()
	cancel()
	fill(t, c, 1)
	p, ok := cim.PrincipalFrom(seen)
	require.True(t, ok)
	require.Equal(t, "bob", p.Name)
	require.Nil(t, seen.Value(key{}), "the request is not held")
}

// Clients that begin, pull, release and forget at once, with a clock that runs:
// whatever happens every source returns, and the table ends empty.
func TestContextsUnderStress(t *testing.T) {
	tab := newContexts(Limits{Contexts: 20, ContextsPerUser: 8, ContextIdle: 10}.withDefaults())
	var mu sync.Mutex
	now := time.Unix(0, 0)
	tick := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(1)
		return now
	}
	returned := make([]atomic.Bool, 8*200)
	began := make([]bool, 8*200)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			user := fmt.Sprint(g % 3)
			for i := range 200 {
				n := g*200 + i
				life := expiry{}
				if i%5 == 0 {
					life.until = tick().Add(30)
				}
				e, err := tab.add(newCursor(context.Background(), fmt.Sprint(n), counting(5, &returned[n])), user, life, tick())
				if err != nil {
					continue
				}
				began[n] = true
				if _, _, err := e.cursor.fill(context.Background(), 1); err != nil {
					t.Error(err)
				}
				tab.put(e, i%3 > 0, tick())
				_, _ = tab.look(fmt.Sprint(n), user, tick(), func(e *contextEntry) (bool, error) {
					e.life = expiry{until: time.Unix(0, 500)}
					return true, nil
				})
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
	require.Empty(t, tab.live)
	for n := range began {
		require.Equal(t, began[n], returned[n].Load(), n)
	}
}

// Whoever is still at work counts: otherwise a client could begin any number of
// enumerations that do not end.
func TestQuotasCountWhatHasNotReturned(t *testing.T) {
	tab := newContexts(Limits{Contexts: 3, ContextsPerUser: 1}.withDefaults())
	reached, goOn := make(chan struct{}), make(chan struct{})
	hangs := &source{items: func(context.Context, func(item) error) error {
		close(reached)
		<-goOn
		return nil
	}}
	now := time.Unix(0, 0)
	e, err := tab.add(newCursor(t.Context(), "1", hangs), "bob", expiry{}, now)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
	}()
	_, _, err = e.cursor.fill(ctx, 1)
	require.NoError(t, err)
	tab.put(e, false, now)
	require.Zero(t, tab.count())
	var returned atomic.Bool
	_, err = tab.add(newCursor(t.Context(), "2", counting(1, &returned)), "bob", expiry{}, now)
	require.Error(t, err)
	close(goOn)
	<-e.cursor.returned
	_, err = tab.add(newCursor(t.Context(), "3", counting(1, &returned)), "bob", expiry{}, now)
	require.NoError(t, err)
	tab.closeAll()
	require.Empty(t, tab.live)
}

// Who closes a cursor waits for a source that stood still, also where that knows it
// already.
func TestCloseWaitsForASourceThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stops, goOn := make(chan struct{}), make(chan struct{})
		c := newCursor(t.Context(), "1", &source{items: func(_ context.Context, yield func(item) error) error {
			err := yield(item{})
			close(stops)
			<-goOn
			return err
		}})
		_, _, err := c.fill(t.Context(), 1)
		require.NoError(t, err)
		c.cancel()
		<-stops
		closed := make(chan struct{})
		go func() {
			c.close()
			close(closed)
		}()
		synctest.Wait()
		select {
		case <-closed:
			t.Fatal("it did not wait")
		default:
		}
		close(goOn)
		<-closed
		<-c.returned
	})
}
