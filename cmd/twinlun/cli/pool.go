package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"twinlun/cim"
)

func (a *app) poolCommand() *cobra.Command {
	return a.remote(parent("pool", "Places that hold volumes", a.poolList(), a.poolShow(), a.poolCheck(), a.poolScrub()))
}

func poolTable() *table {
	return newTable("NAME", "TOTAL", "FREE", "ALLOCATED", "PROVISIONED", "VOLUMES")
}

func poolRow(t *table, in *cim.Instance) {
	t.row(str(in, "PoolID"), size(num(in, "TotalManagedSpace")), size(num(in, "RemainingManagedSpace")),
		size(num(in, "Reserved")), size(num(in, "ProvisionedSpace")), num(in, "NumberOfVolumes"))
}

func (a *app) poolList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List pools", Args: usageArgs(cobra.NoArgs)}
	c.RunE = a.with(func(ctx context.Context, s *session, _ []string) error {
		all, err := s.list(ctx, classPool)
		if err != nil {
			return err
		}
		slices.SortFunc(all, byName("PoolID"))
		t := poolTable()
		for _, in := range all {
			poolRow(t, in)
		}
		return a.print(t)
	})
	return c
}

func (a *app) poolShow() *cobra.Command {
	c := &cobra.Command{Use: "show NAME", Short: "Show a pool", Args: usageArgs(cobra.ExactArgs(1))}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		in, err := s.pool(ctx, args[0])
		if err != nil {
			return err
		}
		t := poolTable()
		t.single = true
		poolRow(t, in)
		return a.print(t)
	})
	return c
}
