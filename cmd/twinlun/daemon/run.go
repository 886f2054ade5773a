package daemon

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"twinlun/cim/classes"
	"twinlun/cim/mof"
	"twinlun/cim/provider"
	"twinlun/schemas"
	"twinlun/wsman/auth"
	"twinlun/wsman/server"
)

// listeners are the sockets of the daemon; one that is turned off is nil.
type listeners struct {
	wsman, wsmanTLS, iscsi, metrics net.Listener
}

// listen opens all sockets, so that a port in use stops the start before
// anything is served.
func (d *Daemon) listen(ctx context.Context) (listeners, error) {
	var l listeners
	for _, s := range []struct {
		name, addr string
		to         *net.Listener
	}{
		{"wsman", d.cfg.WSMan, &l.wsman}, {"wsman-tls", d.cfg.WSManTLS, &l.wsmanTLS},
		{"iscsi", d.cfg.ISCSI, &l.iscsi}, {"metrics", d.cfg.Metrics, &l.metrics},
	} {
		if s.addr == Off {
			continue
		}
		var lc net.ListenConfig
		socket, err := lc.Listen(ctx, "tcp", s.addr)
		if err != nil {
			l.close()
			return listeners{}, fmt.Errorf("%s: %w", s.name, err)
		}
		*s.to = socket
		d.log.Info("listening", slog.String("service", s.name), slog.String("address", socket.Addr().String()))
	}
	return l, nil
}

func (l listeners) close() {
	for _, s := range []net.Listener{l.wsman, l.wsmanTLS, l.iscsi, l.metrics} {
		if s != nil {
			_ = s.Close()
		}
	}
}

// Serve listens and serves until ctx ends or something fails that it cannot do
// without.
func (d *Daemon) Serve(ctx context.Context) error {
	l, err := d.listen(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	if l.iscsi != nil {
		d.portals = []string{l.iscsi.Addr().String()}
	}
	ws, err := d.wsmanServer()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	if l.iscsi != nil {
		g.Go(func() error { return d.targets.Serve(ctx, l.iscsi) })
	}
	if l.wsman != nil {
		g.Go(func() error { return ws.Serve(ctx, l.wsman) })
	}
	if l.wsmanTLS != nil {
		g.Go(func() error {
			return ws.ServeTLS(ctx, l.wsmanTLS, &tls.Config{Certificates: []tls.Certificate{d.cert}})
		})
	}
	if l.metrics != nil {
		g.Go(func() error { return d.serveMetrics(ctx, l.metrics) })
	}
	d.log.Info("ready", slog.String("version", d.version), slog.String("data_dir", d.cfg.DataDir))
	return g.Wait()
}

// chain lists the schemes of authentication that work.
func (d *Daemon) chain() *auth.Chain {
	return auth.NewChain(&auth.Basic{Users: d.users, AllowUnencrypted: d.cfg.AllowUnencrypted})
}

// wsmanServer builds the management endpoint on the classes.
func (d *Daemon) wsmanServer() (*server.Server, error) {
	schema, err := mof.Load(schemas.Files())
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	providers, err := classes.All(classes.Config{
		Schema: schema, System: d.system, Version: d.version, PoolNames: d.poolNames(),
		Portals: func() []string { return d.portals }, Time: time.Now, Logger: d.log,
		Replicator: d.service, Relationships: d.service, Groups: d.service, Volumes: d.service,
		Pools: d.service, Jobs: d.service, Exports: d.exports,
	})
	if err != nil {
		return nil, err
	}
	broker, err := provider.NewBroker(provider.Config{
		Schema: schema, Providers: providers, Namespaces: []string{classes.Namespace, classes.InteropNamespace},
	})
	if err != nil {
		return nil, err
	}
	return server.New(server.Config{
		Broker: broker, Auth: d.chain(), Logger: d.log, Time: time.Now, Rand: rand.Reader, Registerer: d.registry,
		Product: server.Product{Vendor: "Twinlun", Version: d.version}, Machine: d.system, DefaultNamespace: classes.Namespace,
	})
}

// serveMetrics serves /metrics, /healthz (the process runs) and /readyz (it
// serves).
func (d *Daemon) serveMetrics(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.registry, promhttp.HandlerOpts{}))
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", d.ready)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(l); ctx.Err() == nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// ready answers 200 while the store and the pools can be read.
func (d *Daemon) ready(w http.ResponseWriter, r *http.Request) {
	if _, err := d.service.Pools(r.Context()); err != nil {
		d.log.Warn("not ready", slog.Any("error", err))
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}
