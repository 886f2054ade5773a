package auth

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// cached says whether the next login with the password needs no hash.
func cached(u *Users, name, password string) bool {
	_, done, err := u.lookup(name, password, "192.0.2.200")
	return done && err == nil
}

func TestVerifyCachesForAWhile(t *testing.T) {
	u, c := newUsers(t)
	require.NoError(t, u.Add("bob", "x", cim.RoleAdmin))
	require.False(t, cached(u, "bob", "x"))
	requireLogin(t, u, "bob", "x", cim.RoleAdmin)
	require.True(t, cached(u, "bob", "x"))
	require.True(t, cached(u, "BOB", "x"))
	require.False(t, cached(u, "bob", "y"))

	c.add(cacheIdle + time.Second)
	require.False(t, cached(u, "bob", "x"), "idle too long")

	requireLogin(t, u, "bob", "x", cim.RoleAdmin)
	for range int(cacheLife / (50 * time.Second)) {
		c.add(50 * time.Second)
		require.True(t, cached(u, "bob", "x"))
	}
	c.add(50 * time.Second)
	require.False(t, cached(u, "bob", "x"), "in use, but too old")
}

func TestCacheForgetsWhenTheClockGoesBack(t *testing.T) {
	u, c := newUsers(t)
	require.NoError(t, u.Add("bob", "x", cim.RoleAdmin))
	requireLogin(t, u, "bob", "x", cim.RoleAdmin)
	c.add(-time.Hour)
	require.False(t, cached(u, "bob", "x"))
}

func TestCacheKeepsNoPassword(t *testing.T) {
	a, err := newCache(rand.NewChaCha8([32]byte{1}))
	require.NoError(t, err)
	b, err := newCache(rand.NewChaCha8([32]byte{2}))
	require.NoError(t, err)
	require.NotEqual(t, a.mac("bob", "x"), b.mac("bob", "x"), "the key is the process's own")
	require.NotEqual(t, a.mac("bo", "bx"), a.mac("bob", "x"), "name and password do not run together")
}

func TestThrottleGrowsAndEnds(t *testing.T) {
	u, c := newUsers(t)
	require.NoError(t, u.Add("bob", "right", cim.RoleAdmin))
	for range freePerUser {
		_, err := u.Verify(t.Context(), "bob", "wrong", remote)
		require.ErrorIs(t, err, ErrDenied)
	}
	wait := time.Duration(0)
	for range 4 {
		_, err := u.Verify(t.Context(), "bob", "right", remote)
		late := new(ThrottledError)
		require.ErrorAs(t, err, &late)
		require.Greater(t, late.After, wait)
		wait = late.After
		_, err = u.Verify(t.Context(), "bob", "right", "192.0.2.99:1")
		require.NoError(t, err, "others are not held up")
		c.add(late.After)
		_, err = u.Verify(t.Context(), "bob", "wrong", remote)
		require.ErrorIs(t, err, ErrDenied)
	}
	c.add(throttleMax)
	requireLogin(t, u, "bob", "right", cim.RoleAdmin)
	_, err := u.Verify(t.Context(), "bob", "wrong", remote)
	require.ErrorIs(t, err, ErrDenied)
	requireLogin(t, u, "bob", "right", cim.RoleAdmin)
}

func TestThrottleCountsAWholeAddress(t *testing.T) {
	u, _ := newUsers(t)
	for i := range freePerRemote {
		_, err := u.Verify(t.Context(), string(rune('a'+i%26))+string(rune('a'+i/26)), "x", remote)
		require.ErrorIs(t, err, ErrDenied)
	}
	_, err := u.Verify(t.Context(), "fresh", "x", remote)
	require.ErrorAs(t, err, new(*ThrottledError))
}

func TestSourceOf(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:80":              "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64",
		"[2001:db8:1:2::9]:81":      "2001:db8:1:2::/64",
		"[fe80::1%eth0]:81":         "fe80::/64",
		"[::ffff:192.0.2.7]:80":     "::ffff:192.0.2.7",
		"pipe":                      "pipe",
	} {
		require.Equal(t, want, sourceOf(remote))
	}
}

func TestThrottledUserIsNotAnsweredFromTheCache(t *testing.T) {
	u, _ := newUsers(t)
	require.NoError(t, u.Add("bob", "right", cim.RoleAdmin))
	requireLogin(t, u, "bob", "right", cim.RoleAdmin)
	for range freePerUser {
		_, err := u.Verify(t.Context(), "bob", "wrong", remote)
		require.ErrorIs(t, err, ErrDenied)
	}
	_, err := u.Verify(t.Context(), "bob", "right", remote)
	require.ErrorAs(t, err, new(*ThrottledError))
}

func TestThrottleTableIsBounded(t *testing.T) {
	tab, now := newThrottle(), newClock().time()
	for i := range throttleSize * 2 {
		tab.failed(string(rune(i)), "bob", now)
	}
	require.Equal(t, throttleSize, tab.order.Len())
	require.Len(t, tab.entries, throttleSize)
}

func TestThrottleForgets(t *testing.T) {
	tab, now := newThrottle(), newClock().time()
	for range 20 {
		tab.failed("r", "u", now)
	}
	require.Equal(t, throttleMax, tab.wait("r", "u", now))
	require.Zero(t, tab.wait("r", "u", now.Add(throttleKeep+1)))
	require.Zero(t, tab.wait("r", "u", now.Add(throttleKeep+1)))
}

func TestHashingIsBounded(t *testing.T) {
	u, _ := newUsers(t)
	u.hashing = newGate(1, 1)
	require.NoError(t, u.Add("bob", "x", cim.RoleAdmin))
	require.NoError(t, u.hashing.enter(t.Context())) // somebody is hashing

	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error, 1)
	go func() {
		_, err := u.Verify(ctx, "bob", "x", remote)
		waiting <- err
	}()
	require.Eventually(t, func() bool { return len(u.hashing.queue) == 2 }, 10*time.Second, time.Millisecond)
	_, err := u.Verify(t.Context(), "bob", "x", remote)
	require.ErrorIs(t, err, ErrBusy)
	cancel()
	require.ErrorIs(t, <-waiting, context.Canceled)
	u.hashing.leave()
	requireLogin(t, u, "bob", "x", cim.RoleAdmin)
	require.Empty(t, u.hashing.queue)
}

// Those who waited for a slot profit from the one who had it.
func TestWaitersUseTheCache(t *testing.T) {
	u, _ := newUsers(t)
	require.NoError(t, u.Add("bob", "x", cim.RoleAdmin))
	require.NoError(t, u.hashing.enter(t.Context()))
	require.NoError(t, u.hashing.enter(t.Context()))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := u.Verify(t.Context(), "bob", "x", remote); err != nil {
				t.Error(err)
			}
		})
	}
	require.Eventually(t, func() bool { return len(u.hashing.queue) == 10 }, 10*time.Second, time.Millisecond)
	u.mu.Lock()
	u.cache.put("bob", "x", u.config.Time())
	u.byName["bob"].hash = u.dummy // no password matches this one
	u.mu.Unlock()
	u.hashing.leave()
	u.hashing.leave()
	wg.Wait()
}

func TestVerifyOddInput(t *testing.T) {
	u, _ := newUsers(t)
	require.NoError(t, u.Add("bob", "x", cim.RoleAdmin))
	for _, who := range [][2]string{{"", ""}, {"bob", ""}, {"", "x"}, {"bob\x00", "x"}, {"nobody", "x"}, {"bob", "x\n"}} {
		_, err := u.Verify(t.Context(), who[0], who[1], remote)
		require.ErrorIs(t, err, ErrDenied, "%q", who)
	}
}

func BenchmarkVerifyCached(b *testing.B) {
	u, err := Open(b.TempDir()+"/users.json", Config{Hash: cheap()})
	require.NoError(b, err)
	require.NoError(b, u.Add("bob", "x", cim.RoleAdmin))
	b.ResetTimer()
	for b.Loop() {
		if _, err := u.Verify(b.Context(), "bob", "x", remote); err != nil {
			b.Fatal(err)
		}
	}
}
