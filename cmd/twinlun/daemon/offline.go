package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"twinlun/blockdev/pool"
	"twinlun/replication/store"
)

// ErrNoPool says that the configuration has no pool of a name.
var ErrNoPool = errors.New("there is no such pool")

// CheckPools checks the pools of a daemon that does not run: the one called name, or
// all. cfg must have passed Config.Check. It makes nothing: a data dir that is not there
// is an error. The reports are those of the pools that could be checked.
func CheckPools(ctx context.Context, cfg Config, name string, o pool.CheckOptions) (reports []pool.Report, err error) {
	err = offline(cfg, name, func(m meta, c PoolConfig) error {
		cfg := c.open()
		cfg.Meta = m
		r, err := pool.Check(ctx, cfg, o)
		if err == nil {
			reports = append(reports, r)
		}
		return err
	})
	return reports, err
}

// ScrubPools scrubs the pools of a daemon that does not run, likewise. Layers without
// sums do not get them.
func ScrubPools(ctx context.Context, cfg Config, name string, log *slog.Logger, o pool.ScrubOptions, each func(pool string, found pool.Scrubbed)) error {
	return offline(cfg, name, func(m meta, c PoolConfig) error {
		p, err := pool.Open(ctx, pool.Config{Dir: c.Path, Name: c.Name, Meta: m, Logger: log, Time: time.Now, Rand: rand.Reader, Reserve: size(c.Reserve)})
		if err != nil {
			return err
		}
		found, err := p.Scrub(ctx, o)
		if err == nil {
			each(c.Name, found)
		}
		return errors.Join(err, p.Close())
	})
}

// offline opens the store of a stopped daemon and calls do for its pools. One that fails
// keeps no other from being looked at.
func offline(cfg Config, name string, do func(meta, PoolConfig) error) error {
	var pools []PoolConfig
	for _, c := range cfg.Pools {
		if name == "" || c.Name == name {
			pools = append(pools, c)
		}
	}
	if len(pools) == 0 {
		return fmt.Errorf("%w: %q", ErrNoPool, name)
	}
	file := filepath.Join(cfg.DataDir, "twinlun.db")
	if _, err := os.Stat(file); err != nil {
		return err
	}
	s, err := store.Open(file, store.Options{})
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("stop the daemon first: the data dir %s is in use: %w", cfg.DataDir, err)
	}
	if err != nil {
		return err
	}
	var failed error
	for _, c := range pools {
		err := offlinePool(c, func() error { return do(meta{s}, c) })
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("pool %s: %w", c.Name, err))
		}
	}
	return errors.Join(failed, s.Close())
}

// offlinePool looks at a pool whose folder is there: a new one is nothing to look at,
// and more likely not mounted.
func offlinePool(c PoolConfig, do func() error) error {
	if _, err := os.Stat(c.Path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("its folder is not there: %w", err)
	}
	return do()
}
