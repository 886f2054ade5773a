package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"twinlun/cim"
)

func (a *app) groupCommand() *cobra.Command {
	return a.remote(parent("group", "Ordered lists of volumes that are replicated together",
		a.groupCreate(), a.groupMembers("add", "Add volumes to a group", "AddMembers"),
		a.groupMembers("remove", "Take volumes out of a group", "RemoveMembers"), a.groupList(), a.groupDelete()))
}

func (a *app) groupCreate() *cobra.Command {
	c := &cobra.Command{Use: "create NAME [VOLUME...]", Short: "Create a group", Args: usageArgs(cobra.MinimumNArgs(1))}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		members, err := s.volumes(ctx, args[1:])
		if err != nil {
			return err
		}
		_, err = s.invoke(ctx, service(classReplication), "CreateGroup", arg("GroupName", args[0]), arg("Members", members))
		return err
	})
	return c
}

func (a *app) groupMembers(verb, short, method string) *cobra.Command {
	c := &cobra.Command{Use: verb + " NAME VOLUME...", Short: short, Args: usageArgs(cobra.MinimumNArgs(2))}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		g, err := s.group(ctx, args[0])
		if err != nil {
			return err
		}
		members, err := s.volumes(ctx, args[1:])
		if err != nil {
			return err
		}
		_, err = s.invoke(ctx, service(classReplication), method, arg("ReplicationGroup", g.Path), arg("Members", members))
		return err
	})
	return c
}

func (a *app) groupList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List groups and their members", Args: usageArgs(cobra.NoArgs)}
	c.RunE = a.with(func(ctx context.Context, s *session, _ []string) error {
		all, err := s.list(ctx, classGroup)
		if err != nil {
			return err
		}
		slices.SortFunc(all, byName("ElementName"))
		t := newTable("NAME", "MEMBERS", "CONSISTENT", "ID")
		for _, in := range all {
			members, err := s.members(ctx, in.Path)
			if err != nil {
				return err
			}
			t.row(str(in, "ElementName"), members, in.Get("ConsistentPointInTime"), str(in, "InstanceID"))
		}
		return a.print(t)
	})
	return c
}

// members are the names of a group's volumes, in order.
func (s *session) members(ctx context.Context, group *cim.Path) ([]string, error) {
	volumes, err := s.memberVolumes(ctx, group)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, v := range volumes {
		names = append(names, str(v, "ElementName"))
	}
	return names, nil
}

// memberVolumes are a group's volumes, in order.
func (s *session) memberVolumes(ctx context.Context, group *cim.Path) ([]*cim.Instance, error) {
	return s.associated(ctx, cim.AssociationQuery{Object: group, AssociationClass: "CIM_OrderedMemberOfCollection", ResultClass: classVolume})
}

func (a *app) groupDelete() *cobra.Command {
	c := &cobra.Command{Use: "delete NAME", Short: "Delete a group; its volumes stay", Args: usageArgs(cobra.ExactArgs(1))}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		g, err := s.group(ctx, args[0])
		if err != nil {
			return err
		}
		_, err = s.invoke(ctx, service(classReplication), "DeleteGroup", arg("ReplicationGroup", g.Path), arg("RemoveElements", true))
		return err
	})
	return c
}
