package daemon

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"twinlun/blockdev/export"
	"twinlun/blockdev/iscsi"
	"twinlun/blockdev/pool"
	"twinlun/replication"
	"twinlun/replication/store"
	"twinlun/wsman/auth"
)

// Daemon is all the parts of a running Twinlun.
type Daemon struct {
	cfg      Config
	log      *slog.Logger
	version  string
	system   string
	registry *prometheus.Registry

	cert    tls.Certificate
	users   *auth.Users
	store   store.Store
	pools   []*pool.LayerPool
	targets *iscsi.Server
	exports *export.Exports
	service *replication.Service
	portals []string
}

// Open brings up everything that does not listen: it opens the data dir, takes
// up what was under way, and makes the targets of exposed volumes. notices gets
// what an administrator must read at the first start. After an error nothing is
// left open.
func Open(ctx context.Context, cfg Config, version string, log *slog.Logger, notices io.Writer) (*Daemon, error) {
	d := &Daemon{cfg: cfg, log: log, version: version, registry: prometheus.NewRegistry()}
	for _, step := range []func(context.Context, io.Writer) error{
		d.openDataDir, d.openStore, d.openPools, d.openTargets, d.openService, d.openExports,
	} {
		if err := step(ctx, notices); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	return d, nil
}

func (d *Daemon) openDataDir(_ context.Context, notices io.Writer) error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	d.system = host
	if err := prepareDataDir(d.cfg.DataDir); err != nil {
		return err
	}
	if d.cert, err = certificate(d.cfg, time.Now()); err != nil {
		return err
	}
	if d.users, err = auth.Open(UsersFile(d.cfg.DataDir), auth.Config{Logger: d.log}); err != nil {
		return err
	}
	return bootstrapUsers(d.users, d.cfg.DataDir, notices)
}

func (d *Daemon) openStore(context.Context, io.Writer) (err error) {
	d.store, err = store.Open(filepath.Join(d.cfg.DataDir, "twinlun.db"), store.Options{})
	return err
}

func (d *Daemon) openPools(ctx context.Context, _ io.Writer) error {
	for _, c := range d.cfg.Pools {
		if err := os.MkdirAll(filepath.Dir(c.Path), 0o700); err != nil {
			return fmt.Errorf("pool %s: %w", c.Name, err)
		}
		p, err := pool.Open(ctx, pool.Config{Dir: c.Path, Name: c.Name, Meta: meta{d.store}, Logger: d.log, Time: time.Now, Rand: rand.Reader})
		if err != nil {
			return fmt.Errorf("pool %s: %w", c.Name, err)
		}
		d.pools = append(d.pools, p)
	}
	return nil
}

func (d *Daemon) openTargets(context.Context, io.Writer) (err error) {
	d.targets = iscsi.New(iscsi.Config{Logger: d.log, Time: time.Now, Rand: rand.Reader})
	d.exports, err = export.New(export.Config{
		Meta: meta{d.store}, Pool: d.volumes, Targets: d.targets,
		IQNPrefix: d.cfg.IQNPrefix, Logger: d.log, Time: time.Now,
	})
	return err
}

// volumes finds the pool that holds exposed volumes.
func (d *Daemon) volumes(name string) (export.Volumes, bool) {
	for _, p := range d.pools {
		if p.Name() == name {
			return p, true
		}
	}
	return nil, false
}

// exposed tells replication which volumes initiators can reach.
func (d *Daemon) exposed(v replication.VolumeRef) (bool, int) {
	return d.exports.Exposed(export.VolumeRef{Pool: v.Pool, ID: v.ID})
}

func (d *Daemon) poolNames() []string {
	var names []string
	for _, c := range d.cfg.Pools {
		names = append(names, c.Name)
	}
	return names
}

// openService starts replication. It comes before the exports: no initiator may
// write before the hooks of mirrors are in place.
func (d *Daemon) openService(ctx context.Context, _ io.Writer) (err error) {
	var pools []pool.Pool
	for _, p := range d.pools {
		pools = append(pools, p)
	}
	d.service, err = replication.New(replication.Config{
		Store: d.store, Pools: pools, Exposed: d.exposed, Logger: d.log, Time: time.Now, Rand: rand.Reader, Registerer: d.registry,
	})
	if err != nil {
		return err
	}
	return d.service.Start(ctx)
}

func (d *Daemon) openExports(ctx context.Context, _ io.Writer) error { return d.exports.Restore(ctx) }

// Close shuts everything down, in the reverse order of Open, and waits for it.
func (d *Daemon) Close() error {
	var errs []error
	if d.exports != nil {
		errs = append(errs, d.exports.Close(context.Background()))
	}
	if d.service != nil {
		errs = append(errs, d.service.Close())
	}
	for _, p := range d.pools {
		errs = append(errs, p.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	return errors.Join(errs...)
}
