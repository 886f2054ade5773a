package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// serveMetrics serves /metrics, /healthz (the process runs) and /readyz (it
// serves) until ctx ends.
func (d *Daemon) serveMetrics(ctx context.Context, l net.Listener) error {
	s := &http.Server{
		Handler: d.healthMux(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(l); ctx.Err() == nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

func (d *Daemon) healthMux() *http.ServeMux {
	mux := http.NewServeMux()
	// What cannot be read is left out, so that the rest is seen.
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelWarn),
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", d.ready)
	return mux
}

// ready answers 200 while the daemon serves and its store and pools can be read.
func (d *Daemon) ready(w http.ResponseWriter, r *http.Request) {
	if !d.serving.Load() {
		http.Error(w, "not serving", http.StatusServiceUnavailable)
		return
	}
	if _, err := d.service.Pools(r.Context()); err != nil {
		d.log.Warn("not ready", slog.Any("error", err))
		http.Error(w, "the pools cannot be read", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}
