package eventing_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/eventing"
)

// requireAccounted checks that of the numbers from 0 to n-1 that divisor divides,
// those were seen, in order and once, that were not told as lost.
func requireAccounted(t *testing.T, seen []int, lost int64, n, divisor int, what any) {
	t.Helper()
	require.True(t, slices.IsSorted(seen), "in order: %v", what)
	require.Len(t, slices.Compact(slices.Clone(seen)), len(seen), "once: %v", what)
	for _, s := range seen {
		require.Zero(t, s%divisor)
		require.Less(t, s, n)
	}
	require.EqualValues(t, (n+divisor-1)/divisor, int64(len(seen))+lost, what)
}

// Every event that a subscriber wants is delivered once and in order, or told as
// lost; with retries, batches that do not fit, and subscribers that are slower than
// what happens.
func TestEveryEventIsAccountedFor(t *testing.T) {
	const events = 300
	for seed := range uint64(4) {
		for _, mode := range []string{wsman.DeliveryPush, wsman.DeliveryPushWithAck, wsman.DeliveryEvents} {
			running(t, func(t *testing.T, w *world) {
				r := rand.New(rand.NewPCG(seed, 3))
				divisor := 1 + r.IntN(3)
				network := rand.New(rand.NewPCG(seed, 5)) // of the goroutine that sends
				w.net.answer(func(d *delivery) (*http.Response, error) {
					time.Sleep(time.Duration(network.IntN(200)) * time.Millisecond)
					if network.IntN(5) == 0 {
						return nil, errors.New("cut")
					}
					d.text = "arrived"
					return acknowledge(d)
				})
				w.subscribe(alice, request(mode, func(q *eventing.Request) {
					q.Query.Text = fmt.Sprintf("select * from T_Alert where Number %% %d", divisor)
					q.Retries, q.RetryEvery, q.MaxElements = 50, 50*time.Millisecond, 7
					if mode != wsman.DeliveryEvents {
						q.MaxElements = 0
					}
				}))
				for i := range events {
					w.happen("T_Alert", i, i)
					time.Sleep(time.Duration(r.IntN(60)) * time.Millisecond)
				}
				time.Sleep(time.Hour - time.Minute - time.Duration(events)*60*time.Millisecond)
				synctest.Wait()
				arrived := slices.DeleteFunc(w.net.all(), func(d *delivery) bool { return d.text != "arrived" })
				seen, lost := numbers(t, arrived)
				requireAccounted(t, seen, lost, events, divisor, mode)
			}, small(20))
		}
	}
}

// The same for Pull, whose answers may not be written.
func TestEveryPulledEventIsAccountedFor(t *testing.T) {
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 4))
		w := newWorld(t, small(15))
		id := w.subscribe(alice, request(wsman.DeliveryPull))
		var seen []int
		var lost int64
		n := 0
		for range 200 {
			more := r.IntN(10)
			w.happen("T_Alert", n, n+more-1)
			n += more
			b, err := w.Pull(t.Context(), alice, id, eventing.PullOptions{Most: 1 + r.IntN(20)})
			require.NoError(t, err)
			if r.IntN(4) == 0 {
				require.NoError(t, b.Fit(2048+3*700))
				b.Done(false)
				continue
			}
			g := readBatch(t, b)
			seen, lost = append(seen, g.numbers...), lost+g.lost
		}
		g := w.pull(alice, id, 1000)
		requireAccounted(t, append(seen, g.numbers...), lost+g.lost, n, 1, seed)
	}
}

// Many publish, many subscribe to each mode, some are slow, some leave: nobody
// waits for anybody, and all is accounted for.
func TestRace(t *testing.T) {
	const publishers, each, pullers, pushers = 4, 50, 50, 50
	w := newWorld(t, func(c *eventing.Config) { c.Limits.PerUser = 200 })
	block := make(chan struct{})
	w.net.answer(func(d *delivery) (*http.Response, error) {
		if d.http.URL.Host == "slow.example" {
			select {
			case <-block:
			case <-d.http.Context().Done():
				return nil, d.http.Context().Err()
			}
		}
		return acknowledge(d)
	})
	stop := w.run()
	for i := range pushers {
		w.subscribe(alice, request(wsman.DeliveryPush, func(r *eventing.Request) {
			r.Retries = 0
			if i%2 == 0 {
				r.NotifyTo.Address = "http://slow.example/"
			}
		}))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var pulling, publishing sync.WaitGroup
	var ids []string
	for i := range pullers {
		id := w.subscribe(alice, request(wsman.DeliveryPull))
		if i%5 == 4 {
			publishing.Go(func() { _ = w.Unsubscribe(alice, id) })
			continue
		}
		ids = append(ids, id)
		pulling.Go(func() {
			count := 0
			for count < publishers*each {
				b, err := w.Pull(ctx, alice, id, eventing.PullOptions{Most: 100, Wait: time.Minute})
				if err != nil {
					t.Errorf("pull: %v", err)
					return
				}
				count += b.Len() + int(b.Lost())
				b.Done(true)
			}
		})
	}
	for p := range publishers {
		publishing.Go(func() {
			for i := range each {
				w.happen("T_Alert", p*each+i, p*each+i)
			}
		})
	}
	publishing.Wait()
	pulling.Wait()
	cancel()
	require.Len(t, ids, pullers-pullers/5)
	close(block)
	stop()
}
