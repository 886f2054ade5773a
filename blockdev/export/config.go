package export

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"twinlun/blockdev"
	"twinlun/blockdev/iscsi"
	"twinlun/blockdev/pool"
)

// TargetServer makes targets reachable. *iscsi.Server is one. Names are compared
// regardless of case; a missing target is KindNotFound.
type TargetServer interface {
	// AddTarget serves t from now on; KindExists if the name is taken.
	AddTarget(t iscsi.Target) error
	// SetAccess replaces who may log in to a target; sessions that may no
	// longer be are closed.
	SetAccess(name string, initiators []string, chap *iscsi.CHAP) error
	// RemoveTarget ends a target and its sessions and waits for their
	// commands, until ctx ends at most; the target is gone nevertheless.
	RemoveTarget(ctx context.Context, name string) error
	// Sessions lists the sessions that are logged in.
	Sessions() []iscsi.SessionInfo
}

// Volumes is what is needed of a pool.
type Volumes interface {
	Get(ctx context.Context, id pool.VolumeID) (pool.Volume, error)
	Open(ctx context.Context, id pool.VolumeID) (blockdev.Device, error)
}

// Config says what an Exports works with. All but Logger and Time must be given.
type Config struct {
	// Meta keeps the list of exports, with their secrets. The package uses
	// the bucket "exports".
	Meta pool.Meta
	// Pool finds a pool by name.
	Pool func(name string) (Volumes, bool)
	// Targets makes the targets.
	Targets TargetServer
	// IQNPrefix begins the names of all targets, before a colon and the
	// name of the volume, such as "iqn.2026-11.dev.twinlun".
	IQNPrefix string
	// Logger gets what no caller is told; nil means none.
	Logger *slog.Logger
	// Time is the clock; nil means time.Now.
	Time func() time.Time
}

// withDefaults fills in what may be left out and checks the rest.
func (c Config) withDefaults() (Config, error) {
	const op = "new exports"
	if c.Meta == nil || c.Pool == nil || c.Targets == nil {
		return c, blockdev.Errorf(blockdev.KindInvalid, op, "no store, pools or target server")
	}
	if !iscsi.ValidName(c.IQNPrefix+":v") || len(c.IQNPrefix) > maxPrefix {
		return c, blockdev.Errorf(blockdev.KindInvalid, op, "%q cannot begin iSCSI names", c.IQNPrefix)
	}
	c.IQNPrefix = strings.ToLower(c.IQNPrefix)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Time == nil {
		c.Time = time.Now
	}
	return c, nil
}
