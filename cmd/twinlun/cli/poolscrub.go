package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/cmd/twinlun/daemon"
)

func (a *app) poolScrub() *cobra.Command {
	f, o, rate := &offlineFlags{}, scrubOrder{}, ""
	c := &cobra.Command{
		Use: "scrub [POOL]", Short: "Compare what snapshots and clones share with its checksums", Args: usageArgs(cobra.MaximumNArgs(1)),
		Long: "Compare what snapshots and clones share in a pool, or in all pools, with its checksums. The daemon does it in a job, which is\n" +
			"followed; interrupting leaves it running.\n" +
			"With --data-dir or --config the command does it itself, on the data dir of a daemon that is stopped, and lists what is damaged.\n" +
			"What volumes have written since is not looked at. Exit code 1: something is damaged.",
	}
	f.register(c)
	c.Flags().StringVar(&rate, "rate", "0", "how much to read in a second, such as 100MiB; 0 is no limit")
	c.Flags().BoolVar(&o.leave, "no-follow", false, "do not follow the job")
	c.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if len(args) > 0 && f.pool != "" {
			return usageError{errors.New("--pool: the pool is named already")}
		}
		if o.rate, err = parseRate(rate); err != nil {
			return usageError{fmt.Errorf("--rate: %w", err)}
		}
		o.pool = firstOf(append(args, f.pool)...)
		if !cmd.Flags().Changed("data-dir") && !cmd.Flags().Changed("config") {
			return a.with(o.run)(cmd, args)
		}
		if o.leave {
			return usageError{errors.New("--no-follow: without a daemon there is no job")}
		}
		cfg, err := a.offlineConfig(f, cmd)
		if err != nil {
			return err
		}
		return a.scrub(cmd, cfg, o.pool, o.rate)
	}
	return c
}

// scrubOrder is what a daemon is asked to scrub.
type scrubOrder struct {
	pool  string // empty: all
	rate  int64
	leave bool // do not follow the jobs
}

// run has the daemon scrub and shows the jobs. One that fails keeps no other pool from
// being scrubbed.
func (o *scrubOrder) run(ctx context.Context, s *session, _ []string) error {
	pools, err := o.pools(ctx, s)
	if err != nil {
		return err
	}
	t, failed := jobTable(), error(nil)
	for _, p := range pools {
		job, err := o.begin(ctx, s, p)
		if err == nil && !o.leave {
			err = s.follow(ctx, job)
		}
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			return failed
		}
		if job == nil {
			continue
		}
		if in, err := s.Get(ctx, job); err == nil {
			jobRow(t, in)
		}
	}
	if len(t.rows) == 0 {
		return failed
	}
	return errors.Join(s.app.print(t), failed)
}

// pools are those to scrub.
func (o *scrubOrder) pools(ctx context.Context, s *session) ([]*cim.Instance, error) {
	if o.pool == "" {
		all, err := s.list(ctx, classPool)
		slices.SortFunc(all, byName("PoolID"))
		return all, err
	}
	p, err := s.pool(ctx, o.pool)
	return []*cim.Instance{p}, err
}

// begin starts the job of one pool.
func (o *scrubOrder) begin(ctx context.Context, s *session, p *cim.Instance) (*cim.Path, error) {
	var in []cim.Arg
	if o.rate > 0 {
		in = append(in, arg("RateLimit", uint64(o.rate)))
	}
	reply, err := s.invoke(ctx, p.Path, "Scrub", in...)
	if err != nil {
		return nil, fmt.Errorf("pool %s: %w", text(str(p, "PoolID")), err)
	}
	job, ok := reply.Out.Get("Job").(*cim.Path)
	if !ok {
		return nil, errors.New("the server does not name the job")
	}
	return job, nil
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
