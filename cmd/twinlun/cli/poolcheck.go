package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"twinlun/blockdev/pool"
	"twinlun/cmd/twinlun/daemon"
)

// offlineFlags are the flags of the commands that work on the data dir of a stopped
// daemon.
type offlineFlags struct {
	dataDir, config, pool string
}

func (f *offlineFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.dataDir, "data-dir", "", "data dir of the daemon")
	c.Flags().StringVar(&f.config, "config", "", "configuration file of the daemon")
	c.Flags().StringVar(&f.pool, "pool", "", "pool (default: all)")
}

// errDamaged is what check and scrub end with when they found something that is left.
var errDamaged = errors.New("there are problems, see above")

func (a *app) poolCheck() *cobra.Command {
	f, o := &offlineFlags{}, pool.CheckOptions{}
	c := &cobra.Command{
		Use: "check", Short: "Verify the records and files of pools while the daemon is stopped", Args: usageArgs(cobra.NoArgs),
		Long: "Verify the records and files of pools and say what would be repaired. The daemon must be stopped: the command works\n" +
			"on its data dir. Nothing is changed without --repair or --purge. The content of volumes is not read; see pool scrub.\n" +
			"Exit code 1: there are problems that have not been repaired.",
	}
	f.register(c)
	c.Flags().BoolVar(&o.Repair, "repair", false, "repair what can be repaired without losing anything")
	c.Flags().BoolVar(&o.Purge, "purge", false, "remove, for good, the files that were moved aside because their layers are not known")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.offlineConfig(f, cmd)
		if err != nil {
			return err
		}
		reports, err := daemon.CheckPools(cmd.Context(), cfg, f.pool, o)
		return errors.Join(a.printReports(reports), offlineError(err, f.pool))
	}
	return c
}

// offlineConfig is the configuration that the daemon would have.
func (a *app) offlineConfig(f *offlineFlags, cmd *cobra.Command) (daemon.Config, error) {
	if err := a.checkOutput(); err != nil {
		return daemon.Config{}, err
	}
	for _, name := range []string{"server", "user", "password-file", "ca", "insecure"} {
		if cmd.Flags().Changed(name) {
			return daemon.Config{}, usageError{fmt.Errorf("--%s: the command works on the data dir of a stopped daemon, not through a server", name)}
		}
	}
	cfg := daemon.Defaults()
	err := errors.Join(cfg.LoadFile(f.config), cfg.LoadEnv(os.LookupEnv))
	if cmd.Flags().Changed("data-dir") {
		cfg.DataDir = f.dataDir
	}
	if err = errors.Join(err, cfg.Check()); err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}

// offlineError names the pool that there is not.
func offlineError(err error, name string) error {
	if errors.Is(err, daemon.ErrNoPool) {
		return notFoundError{"pool", name}
	}
	return err
}

// printReports shows problems on the output and figures beside it.
func (a *app) printReports(reports []pool.Report) error {
	t, left := newTable("POOL", "OBJECT", "PROBLEM", "REPAIR", "REPAIRED"), 0
	for _, r := range reports {
		var lost int64
		for _, l := range r.Lost {
			lost += l.Allocated
		}
		fmt.Fprintf(a.Err, "pool %s: %d volumes, %d layers (%d without sums), %d problems, %d files of %d bytes moved aside\n",
			text(r.Pool), r.Volumes, r.Layers, r.Unsummed, len(r.Problems), len(r.Lost), lost)
		for _, p := range r.Problems {
			t.row(r.Pool, p.Object, p.What, p.Repair, p.Repaired)
		}
		for _, l := range r.Lost {
			t.row(r.Pool, "file lost/"+l.Name, fmt.Sprintf("was moved aside; it takes %d bytes", l.Allocated), "--purge removes it", false)
		}
		left += r.Left()
	}
	var err error
	if len(t.rows) > 0 || a.output != "table" {
		err = a.print(t)
	}
	if left > 0 {
		err = errors.Join(err, errDamaged)
	}
	return err
}
