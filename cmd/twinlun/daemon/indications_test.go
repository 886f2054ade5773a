package daemon

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// audience is subscribers that remember what they get.
type audience struct {
	mu  sync.Mutex
	got []*cim.Instance
}

func (a *audience) Publish(in *cim.Instance) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.got = append(a.got, in)
}

func (a *audience) Wanted() bool { return true }

// has says whether an indication of a class about an instance of another came.
func (a *audience) has(class, about string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, in := range a.got {
		src, _ := in.Get("SourceInstance").(*cim.Instance)
		if in.Class.Name == class && src != nil && src.Class.Name == about {
			return true
		}
	}
	return false
}

// TestIndicationsReachTheAudience: what clients do over WS-Man is told.
func TestIndicationsReachTheAudience(t *testing.T) {
	r, err := open(t, config(t))
	require.NoError(t, err)
	a := &audience{}
	r.subscribers = a
	r.serve()
	c := r.client()
	r.createVolume(c, "a")
	require.Eventually(t, func() bool { return a.has("CIM_InstCreation", "TWINLUN_StorageVolume") }, time.Minute, time.Millisecond)
	_, text := r.get("/metrics")
	require.Contains(t, text, `twinlun_indications_raised_total{class="CIM_InstCreation"} 1`)
	require.Contains(t, text, "twinlun_indications_dropped_events_total 0")
}

// TestNoAudience: without subscribers nothing is made.
func TestNoAudience(t *testing.T) {
	r := start(t, config(t))
	r.createVolume(r.client(), "a")
	_, text := r.get("/metrics")
	require.Contains(t, text, `twinlun_replication_events_total{change="created",object="volume"} 1`)
	require.Eventually(t, func() bool { return r.indicator.Stats().Waiting == 0 }, time.Minute, time.Millisecond)
	require.NoError(t, r.indicator.CheckPools(context.Background()))
	require.Zero(t, r.indicator.Stats().Raised["CIM_InstCreation"])
}
