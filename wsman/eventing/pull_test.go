package eventing_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/eventing"
)

func TestPull(t *testing.T) {
	w := newWorld(t)
	require.False(t, w.Wanted())
	w.happen("T_Alert", 1, 3)
	id := w.subscribe(alice, request(wsman.DeliveryPull, func(r *eventing.Request) {
		r.Query.Text = "select * from T_Alert where Number % 2"
	}))
	require.True(t, w.Wanted())
	require.Empty(t, w.pull(alice, id, 10).numbers, "what was before it subscribed")
	w.happen("T_Alert", 1, 10)
	w.happen("T_Change", 12, 12)
	require.Equal(t, []int{2, 4}, w.pull(alice, id, 2).numbers)
	w.happen("T_Alert", 11, 14)
	g := w.pull(alice, id, 100)
	require.Equal(t, []int{6, 8, 10, 12, 14}, g.numbers)
	require.Zero(t, g.lost)
	require.Empty(t, g.bookmark, "nobody asked")
	require.Equal(t, 7, w.metric("twinlun_wsman_events_delivered_total", "Pull"))
}

// Only its owner and admins can do anything with a subscription.
func TestOwnership(t *testing.T) {
	w := newWorld(t)
	id := w.subscribe(alice, request(wsman.DeliveryPull))
	ctx := t.Context()
	_, err := w.Pull(ctx, bob, id, eventing.PullOptions{Most: 1})
	requireFault(t, err, "InvalidEnumerationContext")
	_, err = w.Renew(ctx, bob, id, eventing.Expiry{})
	requireFault(t, err, "UnableToRenew")
	_, err = w.Status(bob, id)
	requireFault(t, err, "InvalidMessage")
	requireFault(t, w.Unsubscribe(bob, id), "InvalidMessage")
	require.True(t, w.Has(id))

	_, err = w.Status(root, id)
	require.NoError(t, err)
	w.happen("T_Alert", 1, 1)
	require.Equal(t, []int{1}, w.pull(root, id, 1).numbers)
	require.NoError(t, w.Unsubscribe(root, id))
	require.False(t, w.Has(id))
	requireFault(t, w.Unsubscribe(alice, id), "InvalidMessage")
}

func TestPullWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id := w.subscribe(alice, request(wsman.DeliveryPull))
		begin := time.Now()
		time.AfterFunc(20*time.Second, func() { w.happen("T_Alert", 7, 7) })
		b, err := w.Pull(t.Context(), alice, id, eventing.PullOptions{Most: 5, Wait: 50 * time.Second})
		require.NoError(t, err)
		require.Equal(t, []int{7}, readBatch(t, b).numbers)
		require.Equal(t, 20*time.Second, time.Since(begin))

		b, err = w.Pull(t.Context(), alice, id, eventing.PullOptions{Most: 5, Wait: 50 * time.Second})
		require.NoError(t, err, "a subscription goes on when nothing happens")
		require.Equal(t, got{}, readBatch(t, b))
		require.Equal(t, 70*time.Second, time.Since(begin))

		b, err = w.Pull(t.Context(), alice, id, eventing.PullOptions{Most: 5, Wait: time.Hour})
		require.NoError(t, err)
		require.Zero(t, b.Len())
		b.Done(true)
		require.Equal(t, 130*time.Second, time.Since(begin), "the service's own limit")
	})
}

// A heartbeat of a subscription in Pull mode is an answer without events.
func TestPullHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id := w.subscribe(alice, request(wsman.DeliveryPull, func(r *eventing.Request) { r.Heartbeat = 15 * time.Second }))
		begin := time.Now()
		b, err := w.Pull(t.Context(), alice, id, eventing.PullOptions{Most: 5, Wait: 50 * time.Second})
		require.NoError(t, err)
		require.Zero(t, b.Len())
		b.Done(true)
		require.Equal(t, 15*time.Second, time.Since(begin))
	})
}

func TestPullEnds(t *testing.T) {
	long := eventing.PullOptions{Most: 1, Wait: time.Minute}
	for name, c := range map[string]struct {
		after   time.Duration
		do      func(w *world, id string, cancel, stop func())
		subcode string
		is      error
	}{
		"unsubscribed": {time.Second, func(w *world, id string, _, _ func()) { _ = w.Unsubscribe(alice, id) }, "InvalidEnumerationContext", nil},
		"expired":      {40 * time.Second, func(*world, string, func(), func()) {}, "InvalidEnumerationContext", nil},
		"client gone":  {time.Second, func(_ *world, _ string, cancel, _ func()) { cancel() }, "", context.Canceled},
		"service ends": {time.Second, func(_ *world, _ string, _, stop func()) { stop() }, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				stop := w.run()
				id := w.subscribe(alice, request(wsman.DeliveryPull, func(r *eventing.Request) { r.Expires.After = 40 * time.Second }))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				stopped := false
				begin := time.Now()
				time.AfterFunc(c.after, func() { c.do(w, id, cancel, func() { stopped = true; stop() }) })
				b, err := w.Pull(ctx, alice, id, long)
				require.Equal(t, c.after, time.Since(begin))
				switch {
				case c.subcode != "":
					requireFault(t, err, c.subcode)
				case c.is != nil:
					require.ErrorIs(t, err, c.is)
					w.happen("T_Alert", 3, 3)
					require.Equal(t, []int{3}, w.pull(alice, id, 1).numbers, "the subscription goes on")
				default:
					require.NoError(t, err)
					b.Done(true)
				}
				synctest.Wait()
				if !stopped {
					stop()
				}
			})
		})
	}
}

func TestPullConcurrency(t *testing.T) {
	w := newWorld(t)
	id := w.subscribe(alice, request(wsman.DeliveryPull))
	w.happen("T_Alert", 1, 2)
	b, err := w.Pull(t.Context(), alice, id, eventing.PullOptions{Most: 1})
	require.NoError(t, err)
	_, err = w.Pull(t.Context(), alice, id, eventing.PullOptions{Most: 1})
	requireFault(t, err, "Concurrency")
	require.Equal(t, []int{1}, readBatch(t, b).numbers)
	require.Equal(t, []int{2}, w.pull(alice, id, 1).numbers)
}

// An answer that was not written leaves everything for the next Pull.
func TestPullNotSent(t *testing.T) {
	w := newWorld(t, small(3))
	id := w.subscribe(alice, request(wsman.DeliveryPull))
	w.happen("T_Alert", 1, 4)
	b, err := w.Pull(t.Context(), alice, id, eventing.PullOptions{Most: 2})
	require.NoError(t, err)
	require.EqualValues(t, 1, b.Lost())
	b.Done(false)
	g := w.pull(alice, id, 10)
	require.Equal(t, []int{2, 3, 4}, g.numbers)
	require.EqualValues(t, 1, g.lost)
	require.Zero(t, w.pull(alice, id, 10).lost, "told once")
}

// small makes room for n events in queues and history.
func small(n int) func(*eventing.Config) {
	return func(c *eventing.Config) {
		c.Limits.History, c.Limits.Queue = n, n
	}
}

func TestPullFits(t *testing.T) {
	w := newWorld(t)
	id := w.subscribe(alice, request(wsman.DeliveryPull))
	for i := range 10 {
		w.Publish(w.indication("T_Alert", i, strings.Repeat("x", 2000)))
	}
	b, err := w.Pull(t.Context(), alice, id, eventing.PullOptions{Most: 10})
	require.NoError(t, err)
	require.NoError(t, b.Fit(10_000))
	require.Greater(t, b.Len(), 1)
	require.Less(t, b.Len(), 5)
	n := b.Len()
	b.Done(true)
	require.Equal(t, upTo(n, 9), w.pull(alice, id, 10).numbers)
}

func TestPullTooLarge(t *testing.T) {
	for name, c := range map[string]struct {
		policy eventing.Policy
		lost   int64
		next   []int
	}{
		"notify": {eventing.Notify, 1, []int{2}},
		"skip":   {eventing.Skip, 0, []int{2}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := w.subscribe(alice, request(wsman.DeliveryPull, func(r *eventing.Request) { r.Envelope, r.Oversize = 8192, c.policy }))
			w.Publish(w.indication("T_Alert", 1, strings.Repeat("x", 9000)))
			w.happen("T_Alert", 2, 2)
			g := w.pull(alice, id, 10)
			require.Equal(t, c.next, g.numbers)
			require.Equal(t, c.lost, g.lost)
			require.Equal(t, 1, w.metric("twinlun_wsman_events_dropped_total", "too_large"))
		})
	}
	t.Run("fault", func(t *testing.T) {
		w := newWorld(t)
		id := w.subscribe(alice, request(wsman.DeliveryPull))
		w.Publish(w.indication("T_Alert", 1, strings.Repeat("x", 9000)))
		b, err := w.Pull(t.Context(), alice, id, eventing.PullOptions{Most: 10})
		require.NoError(t, err)
		requireFault(t, b.Fit(9000), "EncodingLimit", "MaxEnvelopeSizeExceeded")
		b.Done(false)
		require.Equal(t, []int{1}, w.pull(alice, id, 10).numbers, "there is room now")
	})
}

// A subscriber that does not pull loses the oldest events and is told how many.
func TestOverflow(t *testing.T) {
	w := newWorld(t, small(100))
	id := w.subscribe(alice, request(wsman.DeliveryPull))
	w.happen("T_Alert", 1, 250)
	g := w.pull(alice, id, 500)
	require.Equal(t, upTo(151, 250), g.numbers)
	require.EqualValues(t, 150, g.lost)
	require.Equal(t, 150, w.metric("twinlun_wsman_events_dropped_total", "overflow"))
}

func TestOverflowBytes(t *testing.T) {
	w := newWorld(t, func(c *eventing.Config) { c.Limits.HistoryBytes = 10_000 })
	id := w.subscribe(alice, request(wsman.DeliveryPull))
	for i := range 20 {
		w.Publish(w.indication("T_Alert", i, strings.Repeat("x", 3000)))
	}
	g := w.pull(alice, id, 500)
	require.Equal(t, []int{18, 19}, g.numbers[len(g.numbers)-2:])
	require.LessOrEqual(t, len(g.numbers), 3)
	require.EqualValues(t, 20-len(g.numbers), g.lost)
	w.Publish(w.indication("T_Alert", 1, strings.Repeat("x", 20_000)))
	g = w.pull(alice, id, 500)
	require.Empty(t, g.numbers)
	require.EqualValues(t, 1, g.lost, "larger than the queue")
}
