package eventing_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/eventing"
	"twinlun/wsman/soap"
)

// running is a world in a bubble whose Manager runs until the test ends.
func running(t *testing.T, test func(*testing.T, *world), change ...func(*eventing.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, change...)
		stop := w.run()
		defer stop()
		synctest.Wait()
		test(t, w)
	})
}

func TestPush(t *testing.T) {
	running(t, func(t *testing.T, w *world) {
		w.subscribe(alice, request(wsman.DeliveryPush, func(r *eventing.Request) {
			r.Query.Text = "select * from T_Alert"
			r.NotifyTo.Blocks = []eventing.Block{{Space: wsman.NSEventing, Local: "Identifier", Text: "mine"}}
			r.SendBookmarks = true
		}))
		w.happen("T_Alert", 1, 3)
		w.happen("T_Change", 4, 4)
		synctest.Wait()
		all := w.net.all()
		seen, _ := numbers(t, all)
		require.Equal(t, upTo(1, 3), seen)
		ids := map[string]bool{}
		for _, d := range all {
			require.Equal(t, sink, d.To)
			require.Equal(t, sink, d.http.URL.String())
			require.Equal(t, wsman.ActionEvent, d.Action)
			require.Equal(t, "mine", soap.ChildText(d.Header, wsman.NSEventing, "Identifier"))
			require.Nil(t, soap.Child(d.Header, wsman.NSWSMan, "AckRequested"))
			require.Equal(t, "T_Alert", d.Body.Tag)
			require.NotContains(t, d.text, "<?xml")
			ids[d.MessageID] = true
		}
		require.Len(t, ids, 3, "each message has its own id")

		// What came with the second is a bookmark after it.
		mark := soap.ChildText(all[1].Header, wsman.NSWSMan, "Bookmark")
		id := w.subscribe(alice, bookmarked(&mark, ""))
		require.Equal(t, []int{3, 4}, w.pull(alice, id, 9).numbers)
	})
}

func TestPushUTF16(t *testing.T) {
	running(t, func(t *testing.T, w *world) {
		w.subscribe(alice, request(wsman.DeliveryPush, func(r *eventing.Request) { r.UTF16 = true }))
		w.happen("T_Alert", 1, 1)
		synctest.Wait()
		all := w.net.all()
		require.Len(t, all, 1)
		require.Equal(t, soap.UTF16LE, all[0].Encoding)
		require.Equal(t, "application/soap+xml;charset=UTF-16", all[0].http.Header.Get("Content-Type"))
	})
}

func TestHeartbeats(t *testing.T) {
	for mode, body := range map[string]string{wsman.DeliveryPush: "", wsman.DeliveryPushWithAck: "", wsman.DeliveryEvents: "Events"} {
		running(t, func(t *testing.T, w *world) {
			begin := time.Now()
			w.subscribe(alice, request(mode, func(r *eventing.Request) { r.Heartbeat, r.SendBookmarks = 10*time.Second, true }))
			time.Sleep(15 * time.Second)
			w.happen("T_Alert", 1, 1)
			time.Sleep(11 * time.Second)
			synctest.Wait()
			all := w.net.all()
			require.Len(t, all, 3, mode)
			require.Equal(t, 10*time.Second, all[0].at.Sub(begin))
			require.Equal(t, 25*time.Second, all[2].at.Sub(begin), "after the event")
			for _, i := range []int{0, 2} {
				require.Equal(t, wsman.ActionHeartbeat, all[i].Action)
				require.NotEmpty(t, soap.ChildText(all[i].Header, wsman.NSWSMan, "Bookmark"))
				if body == "" {
					require.Nil(t, all[i].Body)
				} else {
					require.Equal(t, body, all[i].Body.Tag)
				}
			}
		})
	}
}

func TestEvents(t *testing.T) {
	running(t, func(t *testing.T, w *world) {
		begin := time.Now()
		w.subscribe(alice, request(wsman.DeliveryEvents, func(r *eventing.Request) {
			r.MaxElements, r.MaxTime = 5, 4*time.Second
		}))
		w.happen("T_Alert", 1, 3)
		time.Sleep(3 * time.Second)
		w.happen("T_Alert", 4, 4)
		synctest.Wait()
		require.Empty(t, w.net.all(), "a batch is collected")
		time.Sleep(time.Second)
		synctest.Wait()
		all := w.net.all()
		require.Len(t, all, 1)
		require.Equal(t, 4*time.Second, all[0].at.Sub(begin), "MaxTime after the first")
		require.Equal(t, wsman.ActionEvents, all[0].Action)
		require.NotNil(t, soap.Child(all[0].Header, wsman.NSWSMan, "AckRequested"))
		for e := range soap.Children(all[0].Body) {
			action, _ := soap.Attr(e, "", "Action")
			require.Equal(t, wsman.ActionEvent, action)
		}
		w.happen("T_Alert", 5, 16)
		synctest.Wait()
		require.Len(t, w.net.all(), 3, "full batches do not wait")
		time.Sleep(4 * time.Second)
		synctest.Wait()
		seen, _ := numbers(t, w.net.all())
		require.Equal(t, upTo(1, 16), seen)
		require.Len(t, w.net.all(), 4)
	})
}

// A batch has what fits into the subscriber's envelope.
func TestEventsFit(t *testing.T) {
	running(t, func(t *testing.T, w *world) {
		w.subscribe(alice, request(wsman.DeliveryEvents, func(r *eventing.Request) {
			r.Envelope, r.UTF16, r.MaxTime = 20_000, true, time.Second
		}))
		for i := range 30 {
			w.Publish(w.indication("T_Alert", i, strings.Repeat("x", 1500)))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		all := w.net.all()
		for _, d := range all {
			require.LessOrEqual(t, len(d.text), 20_000)
		}
		seen, lost := numbers(t, all)
		require.Equal(t, upTo(0, 29), seen)
		require.Zero(t, lost)
		require.Less(t, len(all), 20)
	})
}

func TestRetries(t *testing.T) {
	running(t, func(t *testing.T, w *world) {
		begin, tries := time.Now(), 0
		w.net.answer(func(d *delivery) (*http.Response, error) {
			if tries++; tries < 3 {
				return nil, errors.New("connection refused")
			}
			return acknowledge(d)
		})
		w.subscribe(alice, request(wsman.DeliveryPush, func(r *eventing.Request) { r.Retries, r.RetryEvery = 2, 7*time.Second }))
		w.happen("T_Alert", 1, 2)
		time.Sleep(time.Minute)
		synctest.Wait()
		all := w.net.all()
		require.Len(t, all, 4)
		require.Equal(t, 7*time.Second, all[1].at.Sub(begin))
		require.Equal(t, 14*time.Second, all[2].at.Sub(begin))
		require.Equal(t, all[0].MessageID, all[2].MessageID, "the same message")
		require.NotEqual(t, all[2].MessageID, all[3].MessageID)
		require.Equal(t, 2, w.metric("twinlun_wsman_delivery_failures_total"))
		require.Equal(t, 2, w.metric("twinlun_wsman_events_delivered_total", "Push"))
	})
}

// Without ConnectionRetry the pause doubles.
func TestBackoff(t *testing.T) {
	running(t, func(t *testing.T, w *world) {
		w.net.answer(func(*delivery) (*http.Response, error) { return response(http.StatusInternalServerError, ""), nil })
		begin := time.Now()
		w.subscribe(alice, request(wsman.DeliveryPush, func(r *eventing.Request) { r.Retries, r.RetryEvery = 4, 0 }))
		w.happen("T_Alert", 1, 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		var at []time.Duration
		for _, d := range w.net.all() {
			at = append(at, d.at.Sub(begin)/time.Second)
		}
		require.Equal(t, []time.Duration{0, 1, 3, 7, 15}, at)
	})
}

func TestDeliveryFails(t *testing.T) {
	const endTo = "http://end.example/"
	refused := `<s:Envelope xmlns:s="` + wsman.NSSOAP + `" xmlns:w="` + wsman.NSWSMan + `"><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value>` +
		`<s:Subcode><s:Value>w:DeliveryRefused</s:Value></s:Subcode></s:Code></s:Fault></s:Body></s:Envelope>`
	for name, c := range map[string]struct {
		mode   string
		answer func(*delivery) (*http.Response, error)
		tries  int
	}{
		"no connection": {wsman.DeliveryPush, func(*delivery) (*http.Response, error) { return nil, errors.New("refused") }, 3},
		"500":           {wsman.DeliveryPush, func(*delivery) (*http.Response, error) { return response(500, "oops"), nil }, 3},
		"401":           {wsman.DeliveryPush, func(*delivery) (*http.Response, error) { return response(401, ""), nil }, 3},
		"redirect":      {wsman.DeliveryPush, func(*delivery) (*http.Response, error) { return redirect(), nil }, 3},
		"no ack":        {wsman.DeliveryPushWithAck, func(*delivery) (*http.Response, error) { return response(200, ""), nil }, 3},
		"batch no ack":  {wsman.DeliveryEvents, func(*delivery) (*http.Response, error) { return response(204, ""), nil }, 3},
		"other's ack": {wsman.DeliveryPushWithAck, func(*delivery) (*http.Response, error) {
			return response(200, ackFor("uuid:other")), nil
		}, 3},
		"no ack at all": {wsman.DeliveryPushWithAck, func(d *delivery) (*http.Response, error) {
			return response(200, strings.ReplaceAll(ackFor(d.MessageID), "/wsman/Ack", "/wsman/Nack")), nil
		}, 3},
		"refused": {wsman.DeliveryPushWithAck, func(*delivery) (*http.Response, error) { return response(500, refused), nil }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			running(t, func(t *testing.T, w *world) {
				w.net.answer(func(d *delivery) (*http.Response, error) {
					if d.http.URL.String() == endTo {
						return response(202, ""), nil
					}
					return c.answer(d)
				})
				id := w.subscribe(alice, request(c.mode, func(r *eventing.Request) {
					r.EndTo = &eventing.Endpoint{Address: endTo, Blocks: []eventing.Block{{Space: "urn:y", Local: "Who", Text: "me"}}}
				}))
				w.happen("T_Alert", 1, 1)
				w.happen("T_Alert", 2, 2)
				time.Sleep(time.Hour)
				synctest.Wait()
				require.False(t, w.Has(id))
				all := w.net.all()
				require.Len(t, all, c.tries+1)
				end := all[c.tries]
				require.Equal(t, endTo, end.To)
				require.Equal(t, wsman.ActionSubscriptionEnd, end.Action)
				require.Equal(t, wsman.EndDeliveryFailure, soap.ChildText(end.Body, wsman.NSEventing, "Status"))
				require.Equal(t, "me", soap.ChildText(end.Header, "urn:y", "Who"))
				manager := soap.Child(soap.Child(end.Body, wsman.NSEventing, "SubscriptionManager"), wsman.NSAddressing, "ReferenceProperties")
				require.Equal(t, id, soap.ChildText(manager, wsman.NSEventing, "Identifier"))
				require.Equal(t, 2, w.metric("twinlun_wsman_events_dropped_total", "ended"))
				require.Equal(t, 1, w.metric("twinlun_wsman_subscriptions_ended_total", "delivery failed"))
				stored, err := w.config.Store.All(t.Context())
				require.NoError(t, err)
				require.Empty(t, stored)
			})
		})
	}
}

func redirect() *http.Response {
	r := response(http.StatusTemporaryRedirect, "")
	r.Header.Set("Location", "http://elsewhere.example/")
	return r
}

// An acknowledgement in the spelling of openwsman counts.
func TestAckSpelling(t *testing.T) {
	running(t, func(t *testing.T, w *world) {
		w.net.answer(func(d *delivery) (*http.Response, error) {
			return response(200, strings.ReplaceAll(ackFor(d.MessageID), wsman.ActionAck, "http://schemas.xmlsoap.org/wbem/wsman/1/wsman/Ack")), nil
		})
		id := w.subscribe(alice, request(wsman.DeliveryPushWithAck))
		w.happen("T_Alert", 1, 2)
		synctest.Wait()
		require.Len(t, w.net.all(), 2)
		require.True(t, w.Has(id))
	})
}

func TestPushTooLarge(t *testing.T) {
	for policy, c := range map[eventing.Policy]struct {
		seen []int
		lost int64
		has  bool
	}{
		eventing.Skip:   {[]int{2}, 0, true},
		eventing.Notify: {[]int{2}, 1, true},
		"":              {nil, 0, false},
	} {
		for _, mode := range []string{wsman.DeliveryPush, wsman.DeliveryEvents} {
			running(t, func(t *testing.T, w *world) {
				id := w.subscribe(alice, request(mode, func(r *eventing.Request) { r.Envelope, r.Oversize = 8192, policy }))
				w.Publish(w.indication("T_Alert", 1, strings.Repeat("x", 9000)))
				w.happen("T_Alert", 2, 2)
				synctest.Wait()
				seen, lost := numbers(t, w.net.all())
				require.Equal(t, c.seen, seen)
				require.Equal(t, c.lost, lost)
				require.Equal(t, c.has, w.Has(id))
				for _, d := range w.net.all() {
					require.NotEqual(t, wsman.ActionHeartbeat, d.Action, "nobody asked for one")
				}
				if !c.has {
					require.Equal(t, wsman.EndCancelled, soap.ChildText(w.net.all()[0].Body, wsman.NSEventing, "Status"), "told where the events would have gone")
				}
			})
		}
	}
}

// A receiver that hangs is left after a while; it holds up nobody else.
func TestHangingReceiver(t *testing.T) {
	running(t, func(t *testing.T, w *world) {
		w.net.answer(func(d *delivery) (*http.Response, error) {
			if d.http.URL.Host == "hang.example" {
				<-d.http.Context().Done()
				return nil, d.http.Context().Err()
			}
			return acknowledge(d)
		})
		hang := w.subscribe(alice, request(wsman.DeliveryPush, func(r *eventing.Request) { r.NotifyTo.Address = "http://hang.example/" }))
		good := w.subscribe(bob, request(wsman.DeliveryPush))
		w.happen("T_Alert", 1, 5)
		synctest.Wait()
		require.Equal(t, 5, w.metric("twinlun_wsman_events_delivered_total"))
		time.Sleep(3*30*time.Second + 3*time.Second)
		synctest.Wait()
		require.False(t, w.Has(hang))
		require.True(t, w.Has(good))
	})
}

// A loss is told in its place: before what came after it.
func TestPushLoss(t *testing.T) {
	for _, mode := range []string{wsman.DeliveryPush, wsman.DeliveryPushWithAck, wsman.DeliveryEvents} {
		running(t, func(t *testing.T, w *world) {
			release := make(chan struct{})
			w.net.answer(func(d *delivery) (*http.Response, error) {
				<-release
				return acknowledge(d)
			})
			w.subscribe(alice, request(mode))
			w.happen("T_Alert", 1, 1)
			synctest.Wait()
			w.happen("T_Alert", 2, 31)
			close(release)
			synctest.Wait()
			all := w.net.all()
			seen, lost := numbers(t, all)
			require.Equal(t, append([]int{1}, upTo(22, 31)...), seen)
			require.EqualValues(t, 20, lost)
			before, told := numbers(t, all[:2])
			require.EqualValues(t, 20, told)
			require.Equal(t, 1, before[0])
		}, small(10))
	}
}

func TestPushExpires(t *testing.T) {
	running(t, func(t *testing.T, w *world) {
		id := w.subscribe(alice, request(wsman.DeliveryPush, func(r *eventing.Request) { r.Expires.After = 30 * time.Second }))
		time.Sleep(31 * time.Second)
		synctest.Wait()
		require.False(t, w.Has(id))
		require.Empty(t, w.net.all(), "who let it expire knows")
	})
}

// The end of a subscription ends its retries.
func TestUnsubscribeWhileRetrying(t *testing.T) {
	running(t, func(t *testing.T, w *world) {
		w.net.answer(func(*delivery) (*http.Response, error) { return nil, errors.New("refused") })
		id := w.subscribe(alice, request(wsman.DeliveryPush, func(r *eventing.Request) { r.Retries = 50 }))
		w.happen("T_Alert", 1, 1)
		time.Sleep(1500 * time.Millisecond)
		require.NoError(t, w.Unsubscribe(alice, id))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Len(t, w.net.all(), 2)
	})
}
