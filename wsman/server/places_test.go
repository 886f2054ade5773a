package server

import (
	"bufio"
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// One user's requests do not take the places of others.
func TestPlacesOfEachUser(t *testing.T) {
	reg := prometheus.NewRegistry()
	w := newWorld(t, func(c *Config) {
		c.Limits.InFlightPerUser, c.Limits.Wait, c.Registerer = 2, time.Millisecond, reg
	}).withVolumes(1).withService(nil, nil)
	inside, goOn := make(chan struct{}), make(chan struct{})
	w.broker.invoke = func(context.Context, *cim.Call) (*cim.Reply, error) {
		inside <- struct{}{}
		<-goOn
		return &cim.Reply{Return: uint64(0)}, nil
	}
	var wg sync.WaitGroup
	for _, id := range []string{"uuid:1", "uuid:2"} {
		m := invoke(serviceURI, "Ping", "")
		m.id = id
		wg.Go(func() { w.Handler().ServeHTTP(nopWriter{http.Header{}}, httpRequest(m.windows())) })
		<-inside
	}
	r := w.post(t, getVolume("V0").windows())
	r.requireFault(t, "w:QuotaLimit")
	require.Contains(t, r.text, `Code="2150858815"`)
	require.Equal(t, http.StatusOK, w.postAs(t, "monitor", getVolume("V0").windows()).status)
	require.InDelta(t, 1, metric(t, reg, "twinlun_wsman_refused_total", "user"), 0)
	close(goOn)
	wg.Wait()
	w.ok(t, getVolume("V0").windows())
	require.Zero(t, w.users.count(), "nothing is left of users who are gone")
}

// A burst waits for its turn and is not refused.
func TestBurstIsServedInTurn(t *testing.T) {
	l := newLive(t, func(c *Config) { c.Limits.InFlight, c.Limits.InFlightPerUser, c.Limits.Wait = 2, 3, time.Minute })
	l.withVolumes(1)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			c := l.dial(t)
			if _, err := c.Write([]byte(rawRequest("/wsman", basicAdmin, getVolume("V0").windows()))); err != nil {
				t.Error(err)
				return
			}
			if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "HTTP/1.1 200 OK\r\n" {
				t.Error(line, err)
			}
		})
	}
	wg.Wait()
	require.Eventually(t, func() bool { return l.users.count() == 0 }, 20*time.Second, time.Millisecond)
}

// Who hangs up does not wait on.
func TestWaitingEndsWithTheClient(t *testing.T) {
	p := newPlaces(1, time.Hour)
	leave, ok := p.enter(t.Context(), "a")
	require.True(t, ok)
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	_, ok = p.enter(gone, "a")
	require.False(t, ok)
	leave()
	require.Zero(t, p.count())
}
