package cli

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"twinlun/blockdev/pool"
	"twinlun/cmd/twinlun/daemon"
)

func (a *app) poolScrub() *cobra.Command {
	f, rate := &offlineFlags{}, ""
	c := &cobra.Command{
		Use: "scrub", Short: "Compare the content of frozen layers with their sums while the daemon is stopped", Args: usageArgs(cobra.NoArgs),
		Long: "Read the frozen layers of pools (what snapshots and clones share) and compare them with the sums that the daemon made\n" +
			"of them. The daemon must be stopped: the command works on its data dir; a scrub by the running daemon is not offered yet.\n" +
			"Layers that volumes write to have no sums. Exit code 1: something is damaged.",
	}
	f.register(c)
	c.Flags().StringVar(&rate, "rate", "0", "how much to read in a second, such as 100MiB; 0 is no limit")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		limit, err := parseRate(rate)
		if err != nil {
			return usageError{fmt.Errorf("--rate: %w", err)}
		}
		cfg, err := a.offlineConfig(f, cmd)
		if err != nil {
			return err
		}
		return a.scrub(cmd, cfg, f.pool, limit)
	}
	return c
}

func parseRate(s string) (int64, error) {
	if s == "0" {
		return 0, nil
	}
	n, err := parseSize(s)
	if err == nil && n > math.MaxInt64 {
		err = fmt.Errorf("%q is too much", s)
	}
	return int64(n), err
}

func (a *app) scrub(cmd *cobra.Command, cfg daemon.Config, name string, rate int64) error {
	log, _, err := daemon.NewLoggers(a.Err, "error", "auto")
	if err != nil {
		return err
	}
	bar := a.newProgress()
	t, bad := newTable("POOL", "LAYER", "OFFSET", "BYTES", "VOLUMES", "PROBLEM"), false
	err = daemon.ScrubPools(cmd.Context(), cfg, name, log, pool.ScrubOptions{
		Rate:     rate,
		Progress: func(done, total int64) { bar.show("scrub", percent(done, total)) },
	}, func(name string, found pool.Scrubbed) {
		bar.end()
		fmt.Fprintf(a.Err, "pool %s: %d layers compared, %d without sums, %d bytes damaged\n", text(name), found.Layers, found.Unsummed, found.Bad)
		scrubRows(t, name, found)
		bad = bad || found.Err() != nil
	})
	bar.end()
	if len(t.rows) > 0 || a.output != "table" {
		err = errors.Join(err, a.print(t))
	}
	if bad {
		err = errors.Join(err, errDamaged)
	}
	return offlineError(err, name)
}

// percent is how much of total is done; of nothing all is.
func percent(done, total int64) uint64 {
	if total <= 0 {
		return 100
	}
	return uint64(float64(done) / float64(total) * 100)
}

func scrubRows(t *table, name string, found pool.Scrubbed) {
	for _, d := range found.Damage {
		var ids []string
		for _, id := range d.Volumes {
			ids = append(ids, string(id))
		}
		t.row(name, d.Layer, d.Off, d.Len, strings.Join(ids, " "), "its content does not have its sum")
	}
	for _, id := range slices.Sorted(maps.Keys(found.Unreadable)) {
		t.row(name, id, "", "", "", found.Unreadable[id].Error())
	}
}
