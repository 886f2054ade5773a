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
	return newTable("NAME", "TOTAL", "FREE", "ALLOCATED", "PROVISIONED", "VOLUMES", "HEALTH")
}

func poolRow(t *table, in *cim.Instance) {
	t.row(str(in, "PoolID"), size(num(in, "TotalManagedSpace")), size(num(in, "RemainingManagedSpace")),
		size(num(in, "Reserved")), size(num(in, "ProvisionedSpace")), num(in, "NumberOfVolumes"), named(in, "HealthState"))
}

// poolDetails is everything about one pool.
func poolDetails(in *cim.Instance) *table {
	t := newTable("NAME", "TOTAL", "FREE", "RESERVE", "ALLOCATED", "SHARED", "METADATA", "RECLAIMABLE", "LOST", "PROVISIONED", "LIMIT", "VOLUMES", "DAMAGED", "HEALTH")
	t.single = true
	var limit any
	if in.Get("ProvisionedLimit") != nil {
		limit = size(num(in, "ProvisionedLimit"))
	}
	t.row(str(in, "PoolID"), size(num(in, "TotalManagedSpace")), size(num(in, "RemainingManagedSpace")), size(num(in, "ReservedSpace")),
		size(num(in, "AllocatedSpace")), size(num(in, "SharedSpace")), size(num(in, "ThinProvisionMetaDataSpace")), size(num(in, "ReclaimableSpace")), size(num(in, "LostSpace")),
		size(num(in, "ProvisionedSpace")), limit, num(in, "NumberOfVolumes"), size(num(in, "DamagedSpace")), named(in, "HealthState"))
	return t
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
		return a.print(poolDetails(in))
	})
	return c
}
