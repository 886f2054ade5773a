package daemon

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"log/slog"
	"time"

	"twinlun/cim/classes"
	"twinlun/cim/provider"
	"twinlun/wsman/auth"
	"twinlun/wsman/server"
)

// Serve serves until ctx ends or something fails that it cannot do without. Then
// WS-Man stops first and answers what is under way, while initiators still reach
// their volumes; then iSCSI; at last the metrics. It may be called once.
func (d *Daemon) Serve(ctx context.Context) error {
	ws, err := d.wsmanServer()
	if err != nil {
		return err
	}
	management, storage, watching := newStage(ctx), newStage(ctx), newStage(ctx)
	management.run(d.events.Run)
	if l := d.listeners[serviceMetrics]; l != nil {
		watching.run(func(ctx context.Context) error { return d.serveMetrics(ctx, l) })
	}
	watching.run(d.runIndicator)
	watching.run(d.watchPools)
	watching.run(d.damages.run)
	if l := d.listeners[serviceISCSI]; l != nil {
		storage.run(func(ctx context.Context) error { return d.targets.Serve(ctx, l) })
	}
	if l := d.listeners[serviceWSMan]; l != nil {
		management.run(func(ctx context.Context) error { return ws.Serve(ctx, l) })
	}
	if l := d.listeners[serviceWSManTLS]; l != nil {
		conf := &tls.Config{Certificates: []tls.Certificate{d.cert}, MinVersion: tls.VersionTLS12}
		management.run(func(ctx context.Context) error { return ws.ServeTLS(ctx, l, conf) })
	}
	d.serving.Store(true)
	d.log.Info("ready", slog.String("version", d.options.Version), slog.String("data_dir", d.cfg.DataDir))
	ending := func() {
		d.serving.Store(false)
		d.log.Info("stopping")
	}
	return runStages(ctx, ending, management, storage, watching)
}

// chain lists the schemes of authentication that work.
func (d *Daemon) chain() *auth.Chain {
	return auth.NewChain(&auth.Basic{Users: d.users, AllowUnencrypted: d.cfg.AllowUnencrypted})
}

// openManagement builds what WS-Man serves: the classes, and the subscriptions to
// their indications.
func (d *Daemon) openManagement(ctx context.Context) error {
	providers, err := classes.All(d.classes)
	if err != nil {
		return err
	}
	d.broker, err = provider.NewBroker(provider.Config{
		Schema: d.classes.Schema, Providers: providers, Namespaces: []string{classes.Namespace, classes.InteropNamespace}, Time: time.Now,
	})
	if err != nil {
		return err
	}
	return d.openEvents(ctx, d.broker)
}

// wsmanServer builds the management endpoint.
func (d *Daemon) wsmanServer() (*server.Server, error) {
	return server.New(server.Config{
		Broker: d.broker, Events: d.events, Auth: d.chain(), Logger: d.log, AuditLog: d.options.Audit, Time: time.Now, Rand: rand.Reader,
		Registerer: d.registry, Product: server.Product{Vendor: "Twinlun", Version: d.options.Version}, Machine: d.system,
		DefaultNamespace: classes.Namespace,
	})
}
