package daemon

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/replication/store"
	"twinlun/wsman/auth"
	"twinlun/wsman/client"
	"twinlun/wsman/eventing"
	"twinlun/wsman/eventing/eventingtest"
)

func TestSubscriptionStore(t *testing.T) {
	open := func(t *testing.T) eventing.Store {
		s := store.NewMem()
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return subscriptionStore{s}
	}
	eventingtest.TestStore(t, open, nil)
}

func TestSubscriptionStoreOnDisk(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.db")
	open := func(t *testing.T) eventing.Store {
		require.NoError(t, os.RemoveAll(name))
		s, err := store.Open(name, store.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.Close() })
		return subscriptionStore{s}
	}
	reopen := func(t *testing.T, s eventing.Store) eventing.Store {
		require.NoError(t, s.(subscriptionStore).store.Close())
		again, err := store.Open(name, store.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, again.Close()) })
		return subscriptionStore{again}
	}
	eventingtest.TestStore(t, open, reopen)
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm(), "there are passwords in it")
}

func TestDestinations(t *testing.T) {
	ds := destinations{"sink.example", "192.0.2.7", "10.0.0.0/8", "2001:db8::/32"}
	require.NoError(t, ds.check())
	for to, ok := range map[string]bool{
		"http://sink.example/x": true, "https://SINK.example:8443/": true, "http://192.0.2.7/": true, "http://10.1.2.3:80/": true,
		"http://[2001:db8::1]/": true, "http://[::ffff:10.1.2.3]/": true,
		"http://other.example/": false, "http://sink.example.evil/": false, "http://127.0.0.1/": false, "http://192.0.2.8/": false,
		"http://169.254.169.254/": false, "http://[::1]/": false,
	} {
		u, err := url.Parse(to)
		require.NoError(t, err)
		require.Equal(t, ok, ds.allow("u", u) == nil, to)
		require.NoError(t, destinations(nil).allow("u", u))
	}
	for _, bad := range []string{"", "http://x", "a b", "10.0.0.0/99", "x:80", "*.example"} {
		c := config(t)
		c.EventDestinations = []string{"good.example", bad}
		require.ErrorContains(t, c.Check(), "event_destinations", bad)
	}
}

// A subscription outlives the daemon, and its subscriber is told of the gap.
func TestSubscriptionSurvivesRestart(t *testing.T) {
	c := config(t)
	r := start(t, c)
	everything := cim.Query{Language: cim.LanguageWQL, Text: "SELECT * FROM CIM_InstCreation"}
	sub, err := r.client().Subscribe(t.Context(), "", everything, client.SubscribeOptions{})
	require.NoError(t, err)
	r.createVolume(r.client(), "a")
	ev := pullSome(t, sub)
	require.Zero(t, ev.Lost)
	mark := ev.Bookmark
	r.stop()

	c.WSMan = r.Addresses().WSMan
	r = start(t, c)
	require.Equal(t, 1, r.Subscriptions())
	ev = pullSome(t, sub)
	require.EqualValues(t, -1, ev.Lost)
	_, err = r.client().Subscribe(t.Context(), "", everything, client.SubscribeOptions{Bookmark: mark})
	require.ErrorContains(t, err, "older than the last start")
	r.createVolume(r.client(), "b")
	require.NotEmpty(t, pullSome(t, sub).Instances)
	require.NoError(t, sub.Unsubscribe(t.Context()))
	require.Zero(t, r.Subscriptions())
}

func pullSome(t *testing.T, sub *client.Subscription) *client.Events {
	t.Helper()
	for {
		ev, err := sub.Pull(t.Context())
		require.NoError(t, err)
		if len(ev.Instances) > 0 || ev.Lost != 0 {
			return ev
		}
	}
}

// Who is no user any more gets no events any more.
func TestRemovedUserLosesSubscriptions(t *testing.T) {
	r := start(t, config(t))
	require.NoError(t, r.users.Add("eve", "a long enough password", cim.RoleMonitor))
	c, err := client.New(client.Config{URL: "http://" + r.Addresses().WSMan + "/wsman", User: "eve", Password: "a long enough password"})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Subscribe(t.Context(), "", cim.Query{Language: cim.LanguageWQL, Text: "SELECT * FROM CIM_Indication"}, client.SubscribeOptions{})
	require.NoError(t, err)
	require.Equal(t, 1, r.Subscriptions())
	require.NoError(t, r.users.Remove("eve"))
	require.Eventually(t, func() bool { return r.Subscriptions() == 0 }, time.Minute, 10*time.Millisecond)
	role, ok := r.roleOf(auth.User{Name: "eve"}.Name)
	require.False(t, ok)
	require.Zero(t, role)
}
