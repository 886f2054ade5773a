package eventing_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/eventing"
)

func TestSubscribeRefuses(t *testing.T) {
	far := "urn:twinlun:bookmark:0123456789abcdef:1"
	for name, c := range map[string]struct {
		who     cim.Principal
		change  func(*eventing.Request)
		subcode string
		detail  string
	}{
		"no indication":  {alice, func(r *eventing.Request) { r.Query.Text = "select * from T_Volume" }, "CannotProcessFilter", ""},
		"past":           {alice, func(r *eventing.Request) { r.Expires.At = time.Now().Add(-time.Second) }, "InvalidExpirationTime", ""},
		"monitor pushes": {watcher, func(*eventing.Request) {}, "AccessDenied", ""},
		"monitor EndTo": {watcher, func(r *eventing.Request) {
			r.Mode, r.EndTo, r.NotifyTo = wsman.DeliveryPull, r.NotifyTo, nil
		}, "AccessDenied", ""},
		"not allowed":  {alice, func(r *eventing.Request) { r.NotifyTo.Address = "http://169.254.169.254/" }, "AccessDenied", ""},
		"bad bookmark": {alice, func(r *eventing.Request) { r.Bookmark = new(string) }, "InvalidBookmark", ""},
		"old bookmark": {alice, func(r *eventing.Request) { r.Bookmark = &far }, "InvalidBookmark", "Expired"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *eventing.Config) {
				c.Allow = func(user string, u *url.URL) error {
					if strings.HasPrefix(u.Host, "169.254.") {
						return errors.New("link-local")
					}
					return nil
				}
			})
			_, err := w.Subscribe(t.Context(), c.who, request(wsman.DeliveryPush, c.change))
			f := requireFault(t, err, c.subcode)
			require.Equal(t, c.detail, f.Detail[strings.LastIndexByte(f.Detail, '/')+1:])
			require.Zero(t, w.metric("twinlun_wsman_subscriptions"))
			all, err := w.config.Store.All(t.Context())
			require.NoError(t, err)
			require.Empty(t, all)
		})
	}
	for name, c := range map[string]struct {
		query  cim.Query
		status cim.Status
	}{
		"syntax":   {cim.Query{Language: cim.LanguageWQL, Text: "elect"}, cim.StatusInvalidQuery},
		"class":    {cim.Query{Language: cim.LanguageCQL, Text: "select * from T_None"}, cim.StatusInvalidQuery},
		"language": {cim.Query{Language: "SQL", Text: "x"}, cim.StatusQueryLanguageNotSupported},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.Subscribe(t.Context(), alice, request(wsman.DeliveryPull, func(r *eventing.Request) { r.Query = c.query }))
			require.Error(t, err)
			require.Equal(t, c.status, cim.StatusOf(err))
		})
	}
}

func TestMonitorPulls(t *testing.T) {
	w := newWorld(t)
	id := w.subscribe(watcher, request(wsman.DeliveryPull))
	w.happen("T_Alert", 1, 1)
	require.Equal(t, []int{1}, w.pull(watcher, id, 1).numbers)
}

func TestQuotas(t *testing.T) {
	w := newWorld(t, func(c *eventing.Config) { c.Limits.PerUser, c.Limits.Subscriptions = 2, 3 })
	pull := request(wsman.DeliveryPull)
	first := w.subscribe(alice, pull)
	w.subscribe(alice, pull)
	_, err := w.Subscribe(t.Context(), alice, pull)
	require.Contains(t, requireFault(t, err, "QuotaLimit").Error(), "2 subscriptions already, which is the most for one")
	w.subscribe(bob, pull)
	_, err = w.Subscribe(t.Context(), root, pull)
	require.Contains(t, requireFault(t, err, "QuotaLimit").Error(), "3 subscriptions already, which is the most in all")
	require.NoError(t, w.Unsubscribe(alice, first))
	w.subscribe(root, pull)
}

func TestExpires(t *testing.T) {
	const day = 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for name, c := range map[string]struct {
			want    eventing.Expiry
			granted time.Duration
		}{
			"none":     {eventing.Expiry{}, time.Hour},
			"duration": {eventing.Expiry{After: 5 * time.Minute}, 5 * time.Minute},
			"time":     {eventing.Expiry{At: time.Now().Add(5 * time.Minute)}, 5 * time.Minute},
			"short":    {eventing.Expiry{After: time.Millisecond}, 10 * time.Second},
			"long":     {eventing.Expiry{After: 1000 * day}, 30 * day},
			"far":      {eventing.Expiry{At: time.Now().AddDate(400, 0, 0)}, 30 * day},
		} {
			s, err := w.Subscribe(t.Context(), alice, request(wsman.DeliveryPull, func(r *eventing.Request) { r.Expires = c.want }))
			require.NoError(t, err, name)
			require.Equal(t, c.granted, s.Left, name)
			require.Equal(t, time.Now().Add(c.granted), s.Expires, name)
			s, err = w.Renew(t.Context(), alice, s.ID, c.want)
			require.NoError(t, err, name)
			require.Equal(t, c.granted, s.Left, name)
		}
	})
}

func TestRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.run()
		defer stop()
		minute := eventing.Expiry{After: time.Minute}
		id := w.subscribe(alice, request(wsman.DeliveryPull, func(r *eventing.Request) { r.Expires = minute }))
		time.Sleep(50 * time.Second)
		s, err := w.Status(alice, id)
		require.NoError(t, err)
		require.Equal(t, 10*time.Second, s.Left)
		_, err = w.Renew(t.Context(), alice, id, minute)
		require.NoError(t, err)
		_, err = w.Renew(t.Context(), alice, id, eventing.Expiry{At: time.Now().Add(-1)})
		requireFault(t, err, "InvalidExpirationTime")
		time.Sleep(50 * time.Second)
		require.True(t, w.Has(id), "it was renewed")
		time.Sleep(20 * time.Second)
		require.False(t, w.Has(id), "swept")
		_, err = w.Renew(t.Context(), alice, id, minute)
		requireFault(t, err, "UnableToRenew")
		require.Equal(t, 1, w.metric("twinlun_wsman_subscriptions_ended_total", "expired"))
	})
}

// Nobody runs the Manager: what has expired is gone all the same.
func TestExpiredIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id := w.subscribe(alice, request(wsman.DeliveryPull, func(r *eventing.Request) { r.Expires.After = time.Minute }))
		time.Sleep(time.Minute)
		_, err := w.Status(alice, id)
		requireFault(t, err, "InvalidMessage")
		require.Zero(t, w.metric("twinlun_wsman_subscriptions"))
	})
}

// brokenStore fails where it is told to.
type brokenStore struct {
	eventing.MemStore
	put, del error
}

func (b *brokenStore) Put(ctx context.Context, id string, data []byte) error {
	if b.put != nil {
		return b.put
	}
	return b.MemStore.Put(ctx, id, data)
}

func (b *brokenStore) Delete(ctx context.Context, id string) error {
	if b.del != nil {
		return b.del
	}
	return b.MemStore.Delete(ctx, id)
}

func TestStoreFails(t *testing.T) {
	broken := &brokenStore{put: errors.New("disk full")}
	w := newWorld(t, func(c *eventing.Config) { c.Store, c.Limits.PerUser = broken, 1 })
	_, err := w.Subscribe(t.Context(), alice, request(wsman.DeliveryPull))
	require.ErrorIs(t, err, broken.put)
	require.Zero(t, w.metric("twinlun_wsman_subscriptions"))

	broken.put = nil
	s, err := w.Subscribe(t.Context(), alice, request(wsman.DeliveryPull))
	require.NoError(t, err, "its place was given back")
	broken.put = errors.New("disk full")
	_, err = w.Renew(t.Context(), alice, s.ID, eventing.Expiry{After: 20 * time.Hour})
	require.ErrorIs(t, err, broken.put)
	now, err := w.Status(alice, s.ID)
	require.NoError(t, err)
	require.LessOrEqual(t, now.Left, time.Hour, "nothing has changed")

	broken.del = errors.New("read-only")
	require.NoError(t, w.Unsubscribe(alice, s.ID))
	require.Contains(t, w.log.String(), "stays in the store")
}

// However renewals and the end of a subscription meet, no record of it is left.
func TestRenewMeetsUnsubscribe(t *testing.T) {
	w := newWorld(t)
	for range 200 {
		id := w.subscribe(alice, request(wsman.DeliveryPull))
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for range 4 {
			wg.Go(func() {
				<-begin
				for range 5 {
					_, _ = w.Renew(context.Background(), alice, id, eventing.Expiry{})
				}
			})
		}
		wg.Go(func() {
			<-begin
			_ = w.Unsubscribe(alice, id)
		})
		close(begin)
		wg.Wait()
		all, err := w.config.Store.All(t.Context())
		require.NoError(t, err)
		require.Empty(t, all)
	}
}

func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hour := func(r *eventing.Request) { r.Expires.After = time.Hour; r.SendBookmarks = true }
		pulled := w.subscribe(alice, request(wsman.DeliveryPull, hour))
		pushed := w.subscribe(bob, request(wsman.DeliveryPush, hour, func(r *eventing.Request) {
			r.NotifyTo.Blocks = []eventing.Block{{Space: "urn:x", Local: "Corr", Text: "7"}}
			r.Credentials = &eventing.Credentials{User: "u", Password: "p"}
		}))
		short := w.subscribe(alice, request(wsman.DeliveryPull, func(r *eventing.Request) { r.Expires.After = time.Minute }))
		w.happen("T_Alert", 1, 2)
		g := w.pull(alice, pulled, 1)
		time.Sleep(10 * time.Minute)
		w.restart()
		require.True(t, w.Wanted())
		require.False(t, w.Has(short), "it expired meanwhile")
		s, err := w.Status(alice, pulled)
		require.NoError(t, err)
		require.Equal(t, 50*time.Minute, s.Left)

		w.happen("T_Alert", 3, 3)
		after := w.pull(alice, pulled, 10)
		require.Equal(t, []int{3}, after.numbers)
		require.EqualValues(t, -1, after.lost, "nobody knows what was missed")
		require.Zero(t, w.pull(alice, pulled, 10).lost)
		_, err = w.Subscribe(t.Context(), alice, request(wsman.DeliveryPull, func(r *eventing.Request) { r.Bookmark = &g.bookmark }))
		requireFault(t, err, "InvalidBookmark", "Expired")

		stop := w.run()
		synctest.Wait()
		stop()
		all := w.net.all()
		seen, lost := numbers(t, all)
		require.Equal(t, []int{3}, seen)
		require.EqualValues(t, -1, lost)
		require.Equal(t, wsman.ActionDroppedEvents, all[0].Action, "what is missing comes first")
		require.Contains(t, all[1].text, ">7</h:Corr>")
		user, password, _ := all[1].http.BasicAuth()
		require.Equal(t, "u p", user+" "+password)
		require.True(t, w.Has(pushed), "the end of the service does not end it")
	})
}

func TestRestartCleansUp(t *testing.T) {
	store := new(eventing.MemStore)
	require.NoError(t, store.Put(t.Context(), "garbage", []byte("{")))
	require.NoError(t, store.Put(t.Context(), "other", []byte(`{"ID":"different"}`)))
	require.NoError(t, store.Put(t.Context(), "query", []byte(`{"ID":"query","Expires":"2999-01-01T00:00:00Z","Request":{"Mode":"`+
		wsman.DeliveryPull+`","Query":{"Language":"WQL","Text":"select * from T_Gone"}}}`)))
	w := newWorld(t, func(c *eventing.Config) { c.Store = store })
	require.Zero(t, w.metric("twinlun_wsman_subscriptions"))
	all, err := store.All(t.Context())
	require.NoError(t, err)
	require.Empty(t, all)
}

// What a user may not do any more ends.
func TestUserLosesRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		roles := map[string]cim.Role{"alice": cim.RoleOperator, "bob": cim.RoleOperator}
		w := newWorld(t, func(c *eventing.Config) {
			c.Role = func(user string) (cim.Role, bool) { r, ok := roles[user]; return r, ok }
		})
		push, pull := w.subscribe(alice, request(wsman.DeliveryPush)), w.subscribe(alice, request(wsman.DeliveryPull))
		gone := w.subscribe(bob, request(wsman.DeliveryPull))
		roles["alice"] = cim.RoleMonitor
		delete(roles, "bob")
		stop := w.run()
		time.Sleep(6 * time.Second)
		synctest.Wait()
		require.False(t, w.Has(push))
		require.True(t, w.Has(pull), "a monitor may pull")
		require.False(t, w.Has(gone))
		stop()
		all := w.net.all()
		require.Len(t, all, 1)
		require.Equal(t, wsman.ActionSubscriptionEnd, all[0].Action)
	})
}

// Without a store the end of the service is the end of all subscriptions.
func TestFarewell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *eventing.Config) { c.Store = nil })
		w.subscribe(alice, request(wsman.DeliveryPush))
		w.subscribe(bob, request(wsman.DeliveryPull, func(r *eventing.Request) {
			r.EndTo = &eventing.Endpoint{Address: sink, Blocks: []eventing.Block{{Local: "mine"}}}
		}))
		w.subscribe(bob, request(wsman.DeliveryPull))
		w.run()()
		all := w.net.all()
		require.Len(t, all, 2)
		for _, d := range all {
			require.Equal(t, wsman.ActionSubscriptionEnd, d.Action)
			require.Contains(t, d.text, "<e:Status>"+wsman.EndShuttingDown+"</e:Status>")
		}
		require.Zero(t, w.metric("twinlun_wsman_subscriptions"))
		require.Error(t, w.Run(t.Context()), "once is enough")
	})
}
