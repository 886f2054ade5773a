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
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"twinlun/blockdev/export"
	"twinlun/blockdev/iscsi"
	"twinlun/blockdev/pool"
	"twinlun/cim/classes"
	"twinlun/cim/provider"
	"twinlun/replication"
	"twinlun/replication/store"
	"twinlun/wsman/auth"
	"twinlun/wsman/eventing"
)

// Options are what a Daemon is given beside its configuration. All but Users are
// required.
type Options struct {
	Version string
	Log     *slog.Logger
	// Audit gets one line for each change that a user makes.
	Audit *slog.Logger
	// Notices gets what an administrator must read at the first start.
	Notices io.Writer
	// Users says what checking a password costs; zero is right for service.
	Users auth.HashParams
}

// Daemon is all the parts of a running Twinlun.
type Daemon struct {
	cfg      Config
	options  Options
	log      *slog.Logger
	system   string // name of this machine
	registry *prometheus.Registry
	serving  atomic.Bool

	listeners listeners
	cert      tls.Certificate
	users     *auth.Users
	store     store.Store
	pools     []*pool.LayerPool
	io        *ioMetrics
	targets   *iscsi.Server
	exports   *export.Exports
	service   *replication.Service
	classes   classes.Config
	indicator *classes.Indicator
	damages   *damageDesk
	// subscribers get the indications; nil: there can be none. It is set before
	// the Indicator runs.
	subscribers subscribers
	broker      *provider.Broker
	events      *eventing.Manager
}

// Open brings everything up but serves nothing yet: it opens the sockets before it
// touches the disk, has the data dir for itself, takes up what was under way, and
// makes the targets of exposed volumes. cfg must have passed Check. After an error
// nothing is left open; otherwise Close must be called when Serve has returned.
func Open(ctx context.Context, cfg Config, o Options) (*Daemon, error) {
	d := &Daemon{cfg: cfg, options: o, log: o.Log, registry: prometheus.NewRegistry()}
	d.damages = newDamageDesk(d.log, d.reportDamage)
	for _, step := range []func(context.Context) error{
		d.openListeners, d.openDataDir, d.openUsers, d.openPools, d.openTargets, d.openService, d.openManagement, d.openExports, d.openMetrics,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	d.listeners.log(d.log, cfg.services())
	return d, nil
}

func (d *Daemon) openListeners(ctx context.Context) (err error) {
	if d.system, err = os.Hostname(); err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	d.listeners, err = openListeners(ctx, d.cfg.services())
	return err
}

// openDataDir opens the store, whose lock keeps other daemons out of the data dir.
func (d *Daemon) openDataDir(context.Context) (err error) {
	if err := prepareDataDir(d.cfg.DataDir); err != nil {
		return err
	}
	d.store, err = store.Open(filepath.Join(d.cfg.DataDir, "twinlun.db"), store.Options{})
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("the data dir %s is in use by another daemon: %w", d.cfg.DataDir, err)
	}
	return err
}

func (d *Daemon) openUsers(context.Context) (err error) {
	if d.cert, err = certificate(d.cfg, time.Now()); err != nil {
		return err
	}
	if d.users, err = auth.Open(UsersFile(d.cfg.DataDir), auth.Config{Logger: d.log, Hash: d.options.Users}); err != nil {
		return err
	}
	return bootstrapUsers(d.users, d.cfg.DataDir, d.options.Notices)
}

func (d *Daemon) openPools(ctx context.Context) error {
	for _, c := range d.cfg.Pools {
		if err := os.MkdirAll(filepath.Dir(c.Path), 0o700); err != nil {
			return fmt.Errorf("pool %s: %w", c.Name, err)
		}
		cfg := c.open()
		cfg.Meta, cfg.Logger, cfg.Time, cfg.Rand, cfg.Damaged = meta{d.store}, d.log, time.Now, rand.Reader, d.damages.found
		p, err := pool.Open(ctx, cfg)
		if err != nil {
			return fmt.Errorf("pool %s: %w", c.Name, err)
		}
		d.pools = append(d.pools, p)
	}
	return nil
}

// openTargets makes the target server and reads what is exposed, which replication
// must know before it takes up what was under way.
func (d *Daemon) openTargets(ctx context.Context) (err error) {
	if d.io, err = newIOMetrics(d.registry); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	d.targets = iscsi.New(iscsi.Config{Logger: d.log, Time: time.Now, Rand: rand.Reader, Observer: d.io})
	d.exports, err = export.New(export.Config{
		Meta: meta{d.store}, Pool: d.volumes, Targets: d.targets,
		IQNPrefix: d.cfg.IQNPrefix, Logger: d.log, Time: time.Now,
	})
	if err != nil {
		return err
	}
	return d.exports.Load(ctx)
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
func (d *Daemon) openService(ctx context.Context) (err error) {
	var pools []pool.Pool
	for _, p := range d.pools {
		pools = append(pools, p)
	}
	d.service, err = replication.New(replication.Config{
		Store: d.store, Pools: pools, Exposed: d.exposed, Logger: d.log, Time: time.Now, Rand: rand.Reader, Registerer: d.registry,
		Events: d.notify,
	})
	if err != nil {
		return err
	}
	if err := d.openIndicator(); err != nil {
		return fmt.Errorf("indications: %w", err)
	}
	return d.service.Start(ctx)
}

// openExports serves what is exposed. A volume that cannot be served, because its
// pool is not there or its files are damaged, keeps no other from being served.
func (d *Daemon) openExports(ctx context.Context) error {
	if err := d.exports.Restore(ctx); err != nil {
		d.log.Error("not all exposed volumes are served", slog.Any("error", err))
	}
	return ctx.Err()
}

// openMetrics shows what is asked for when the metrics are read.
func (d *Daemon) openMetrics(context.Context) error {
	s := &stateMetrics{service: d.service, exports: d.exports, io: d.io, timeout: stateTimeout, now: time.Now, log: d.log}
	return errors.Join(d.registry.Register(s),
		d.registry.Register(collectors.NewGoCollector()),
		d.registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})))
}

// Close shuts everything down, in the reverse order of Open, and waits for it.
func (d *Daemon) Close() error {
	errs := []error{d.listeners.close()}
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
