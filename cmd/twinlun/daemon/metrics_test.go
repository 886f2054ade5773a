package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"twinlun/blockdev/export"
	"twinlun/blockdev/iscsi"
	"twinlun/blockdev/iscsi/initiator"
	"twinlun/blockdev/iscsi/pdu"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/scsi"
	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/pairstate"
)

// All that DESIGN promises is on the page of a daemon that has worked.
func TestMetricsPage(t *testing.T) {
	r := start(t, config(t))
	c := r.client()
	volume, target := r.createVolume(c, "db01")
	d, err := initiator.Dial(t.Context(), r.Addresses().ISCSI, target, initiator.Options{})
	require.NoError(t, err)
	require.NoError(t, d.WriteAt(t.Context(), make([]byte, 8192), 0))
	require.NoError(t, d.ReadAt(t.Context(), make([]byte, 4096), 0))
	require.NoError(t, d.Flush(t.Context()))
	made := r.invoke(c, "CIM_ReplicationService", "CreateListReplica", cim.Arg{Name: "SyncType", Value: 6},
		cim.Arg{Name: "SourceElements", Value: []cim.Value{volume}}, cim.Arg{Name: "WaitForCopyState", Value: 4})
	require.NotNil(t, made.Out.Get("Synchronizations"))

	_, err = initiator.Dial(t.Context(), r.Addresses().ISCSI, target+"x", initiator.Options{})
	require.Error(t, err)
	code, page := r.get("/metrics")
	require.Equal(t, http.StatusOK, code)
	for _, want := range []string{
		`twinlun_wsman_request_seconds_count{action="Invoke",result="ok"} `,
		`twinlun_wsman_request_seconds_bucket{action="Invoke",result="ok",le=`,
		`twinlun_iscsi_sessions{target="` + target + `"} 1`,
		`twinlun_iscsi_target_info{pool="default",target="` + target + `",volume="db01"} 1`,
		`twinlun_iscsi_bytes_total{direction="write",target="` + target + `"} 8192`,
		`twinlun_iscsi_bytes_total{direction="read",target="` + target + `"} 4096`,
		`twinlun_iscsi_command_seconds_count{operation="write",target="` + target + `"} 1`,
		`twinlun_iscsi_command_seconds_count{operation="flush",target="` + target + `"} 1`,
		`twinlun_iscsi_logins_refused_total{status="0203"} 1`,
		`twinlun_pool_free_bytes{pool="default"} `,
		`twinlun_pool_provisioned_bytes{pool="default"} 2.097152e+06`,
		`twinlun_pool_volumes{pool="default"} 2`,
		`twinlun_jobs_running `, `twinlun_replication_copied_bytes_total{`, `go_goroutines `, `process_open_fds `,
	} {
		require.Contains(t, page, want)
	}
	require.Regexp(t, regexp.MustCompile(`twinlun_replication_percent_synced\{name="[^"]+",relationship="[^"]+",type="mirror"\} \d+`), page)
	require.Regexp(t, regexp.MustCompile(`twinlun_replication_lag_seconds\{[^}]+\} `), page)
	require.NoError(t, d.Close())

	// A target that is no more takes its figures with it.
	r.invoke(c, "TWINLUN_ControllerConfigurationService", "HideVolume", cim.Arg{Name: "Volume", Value: volume})
	r.get("/metrics")
	_, page = r.get("/metrics")
	require.NotContains(t, page, target)
}

func TestHealth(t *testing.T) {
	r := start(t, config(t))
	require.Eventually(t, func() bool { code, _ := r.get("/readyz"); return code == http.StatusOK }, time.Minute, time.Millisecond)
	code, body := r.get("/healthz")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "ok\n", body)
	code, _ = r.get("/nothing")
	require.Equal(t, http.StatusNotFound, code)
}

// page is what a registry shows.
func page(r *prometheus.Registry) string {
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

func TestIOMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, err := newIOMetrics(reg)
	require.NoError(t, err)
	m.SessionOpened(iscsi.SessionInfo{Target: "a"})
	m.SessionClosed(iscsi.SessionInfo{Target: "a"})
	m.LoginFailed("10.0.0.1:1", pdu.LoginAuthFailed)
	operations := map[byte]string{0x88: "read", 0x8a: "write", 0x91: "flush", 0x42: "unmap", 0x12: "other"}
	for opcode := range operations {
		m.CommandDone(iscsi.CommandInfo{Target: "a", Opcode: opcode, Status: scsi.StatusGood, In: 10, Out: 20, Took: time.Millisecond})
		m.CommandDone(iscsi.CommandInfo{Target: "a", Opcode: opcode, Status: scsi.StatusCheckCondition, In: 10, Out: 20})
	}
	shown := page(reg)
	for _, op := range operations {
		require.Contains(t, shown, `twinlun_iscsi_commands_failed_total{operation="`+op+`",target="a"} 1`)
		require.Contains(t, shown, `twinlun_iscsi_command_seconds_count{operation="`+op+`",target="a"} 2`)
	}
	require.Contains(t, shown, `twinlun_iscsi_bytes_total{direction="read",target="a"} 10`, "what failed moved nothing")
	require.Contains(t, shown, `twinlun_iscsi_bytes_total{direction="write",target="a"} 20`)
	require.Contains(t, shown, `twinlun_iscsi_logins_refused_total{status="0201"} 1`)

	m.keep(map[string]bool{"a": true})
	require.Equal(t, shown, page(reg))
	m.keep(nil)
	require.NotContains(t, page(reg), `target="a"`)

	// A target of that name that comes again begins anew, and can go again.
	m.CommandDone(iscsi.CommandInfo{Target: "a", Opcode: 0x88, Status: scsi.StatusGood, In: 7})
	require.Contains(t, page(reg), `twinlun_iscsi_command_seconds_count{operation="read",target="a"} 1`)
	require.Contains(t, page(reg), `twinlun_iscsi_bytes_total{direction="read",target="a"} 7`)
	m.keep(nil)
	require.NotContains(t, page(reg), `target="a"`)
	_, err = newIOMetrics(reg)
	require.Error(t, err, "twice in one registry")
}

// Commands of several sessions are counted while targets go.
func TestIOMetricsAtOnce(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, err := newIOMetrics(reg)
	require.NoError(t, err)
	const each = 200
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			target := []string{"stays", "goes"}[i%2]
			m.SessionOpened(iscsi.SessionInfo{Target: target})
			for range each {
				m.CommandDone(iscsi.CommandInfo{Target: target, Opcode: 0x8a, Status: scsi.StatusGood, Out: 1})
			}
		})
		wg.Go(func() { m.keep(map[string]bool{"stays": true}) })
	}
	wg.Wait()
	require.Contains(t, page(reg), fmt.Sprintf(`twinlun_iscsi_bytes_total{direction="write",target="stays"} %d`, 2*each))
}

// world is what stateMetrics shows.
type world struct {
	relationships []replication.Relationship
	fail          error
}

func (w *world) Pools(context.Context) ([]pool.Info, error) {
	return []pool.Info{{Name: "p", Total: 100, Free: 40, Allocated: 30, Provisioned: 500, Volumes: 2}}, nil
}

func (w *world) EachVolume(_ context.Context, f func(pool.Volume) error) error {
	if w.fail != nil {
		return w.fail
	}
	return f(pool.Volume{ID: "s", Pool: "p", Name: "source", Size: 1000})
}

func (w *world) Relationships(context.Context) ([]replication.Relationship, error) {
	return w.relationships, w.fail
}

func (w *world) Exports(context.Context) ([]export.Export, error) { return nil, w.fail }

func TestStateMetrics(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	mirror := replication.Relationship{
		ID: "r1", Name: "m", Source: replication.VolumeRef{Pool: "p", ID: "s"}, Type: pairstate.Mirror, Mode: pairstate.Synchronous,
		State: pairstate.State{Copy: pairstate.Synchronized}, Percent: 100, WhenEstablished: now.Add(-time.Hour), WhenSynchronized: now.Add(-time.Minute),
	}
	behind, never := mirror, mirror
	behind.ID, behind.State.Copy, behind.Percent = "r2", pairstate.Fractured, 50
	never.ID, never.State.Copy, never.Percent, never.WhenSynchronized = "r3", pairstate.Unsynchronized, 10, time.Time{}
	w := &world{relationships: []replication.Relationship{mirror, behind, never, {ID: "r4", Name: "c", Type: pairstate.Clone}}}
	io, err := newIOMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	m := &stateMetrics{service: w, exports: w, io: io, timeout: time.Minute, now: func() time.Time { return now }, log: slog.New(slog.DiscardHandler)}
	reg := prometheus.NewRegistry()
	require.NoError(t, reg.Register(m))
	shown := page(reg)
	for _, want := range []string{
		`twinlun_pool_free_bytes{pool="p"} 40`,
		`twinlun_pool_allocated_bytes{pool="p"} 30`,
		`twinlun_replication_lag_seconds{name="m",relationship="r1",type="mirror"} 0`,
		`twinlun_replication_lag_seconds{name="m",relationship="r2",type="mirror"} 60`,
		`twinlun_replication_lag_seconds{name="m",relationship="r3",type="mirror"} 3600`,
		`twinlun_replication_synced_bytes{name="c",relationship="r4",type="clone"} 0`,
		`twinlun_replication_synced_bytes{name="m",relationship="r1",type="mirror"} 1000`,
		`twinlun_replication_synced_bytes{name="m",relationship="r2",type="mirror"} 500`,
		`twinlun_replication_synced_bytes{name="m",relationship="r3",type="mirror"} 100`,
	} {
		require.Contains(t, shown, want+"\n")
	}
	require.NotContains(t, shown, `lag_seconds{name="c"`)
	w.fail, w.relationships = errors.New("the store is gone"), nil
	shown = page(reg)
	require.Contains(t, shown, `twinlun_pool_free_bytes{pool="p"} 40`, "the pools are shown though all else fails")
	require.NotContains(t, shown, "twinlun_replication")
}
