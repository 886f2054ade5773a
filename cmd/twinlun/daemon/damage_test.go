package daemon

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/cim/classes"
)

// desk is a damageDesk that runs, and what it has told.
type desk struct {
	*damageDesk
	log     bytes.Buffer
	mu      sync.Mutex
	reports []classes.DamageReport
	stop    func()
}

func newDesk() *desk {
	d := &desk{}
	d.damageDesk = newDamageDesk(slog.New(slog.NewTextHandler(&d.log, nil)), func(_ context.Context, r classes.DamageReport) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.reports = append(d.reports, r)
	})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = d.run(ctx) })
	d.stop = func() { cancel(); wg.Wait() }
	return d
}

// told waits a while and gives the reports since the last time.
func (d *desk) told(after time.Duration) []classes.DamageReport {
	time.Sleep(after)
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.reports
	d.reports = nil
	return all
}

func rangeOf(name string, off int64, ids ...pool.VolumeID) pool.Damage {
	return pool.Damage{Pool: name, Layer: "l", Volumes: ids, Off: off, Len: 4096}
}

func TestDamageIsGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		defer d.stop()
		d.found(rangeOf("p", 0, "a"))
		d.found(rangeOf("p", 8192, "b", "a"))
		d.found(rangeOf("q", 0))
		require.Empty(t, d.told(damageGather-1))
		require.ElementsMatch(t, []classes.DamageReport{
			{Pool: "p", First: rangeOf("p", 0, "a"), Ranges: 2, Bytes: 8192, Volumes: []pool.VolumeID{"a", "b"}},
			{Pool: "q", First: rangeOf("q", 0), Ranges: 1, Bytes: 4096},
		}, d.told(1))
		for i := range 100 { // a disk that breaks
			d.found(rangeOf("p", int64(i)<<20, pool.VolumeID(fmt.Sprint(i))))
			require.LessOrEqual(t, len(d.told(time.Second/10)), 0)
		}
		got := d.told(damagePause - 10*time.Second)
		require.Len(t, got, 1)
		require.Equal(t, 100, got[0].Ranges)
		require.Len(t, got[0].Volumes, damageVolumes)
		require.Empty(t, d.told(10*damagePause), "nothing is told twice")
		d.found(rangeOf("p", 1))
		require.Len(t, d.told(damageGather), 1, "after a quiet time it is told soon")
		require.Equal(t, 4, strings.Count(d.log.String(), "content of a pool is damaged"), d.log.String())
	})
}

// TestDamageDoesNotWait: whoever finds it goes on, and what is too much is counted.
func TestDamageDoesNotWait(t *testing.T) {
	var log bytes.Buffer
	k := newDamageDesk(slog.New(slog.NewTextHandler(&log, nil)), nil)
	for i := range int64(damageQueue + 5) {
		k.found(rangeOf("p", i))
	}
	require.EqualValues(t, 5, k.lost.Load())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, k.run(ctx))
	require.Contains(t, log.String(), "ranges=1024")
	require.Contains(t, log.String(), "not_listed=5", "what waits at the end is not lost")
}
