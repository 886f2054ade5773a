package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"twinlun/cim"
)

// The names that the schema's value map has for the operations of these commands.
const (
	restoreName = "Restore from Replica"
	resetName   = "Reset Replica"
)

// inUseHelp is what both commands have to say to those whose hosts use a volume.
const inUseHelp = "Hosts must have unmounted it, and be logged out: it is refused while an initiator is logged in. With --force it is done all the\n" +
	"same, and the initiators are told that the medium may have changed; what they keep in memory of it is wrong then."

func (a *app) replicaRestore() *cobra.Command {
	var keep string
	var force bool
	c := &cobra.Command{
		Use: "restore NAME...", Short: "Give a source the content of its snapshot or clone, at once", Args: usageArgs(cobra.MinimumNArgs(1)),
		Long: "Give a source the content of its snapshot or clone, at once; NAME can be that of a group relationship, all of whose sources are\n" +
			"restored at one instant. The replica and all other snapshots of the source stay as they are. Several names are restored one after\n" +
			"the other, up to the first that fails. What the source held is lost, unless --keep makes a snapshot of it.\n" + inUseHelp,
	}
	c.Flags().StringVar(&keep, "keep", "", "name of a snapshot of the source as it was before (for a group: NAME_1, NAME_2 and so on)")
	c.Flags().BoolVar(&force, "force", false, "also while initiators are logged in to the source")
	c.RunE = a.with(func(ctx context.Context, s *session, names []string) error {
		if keep != "" && len(names) > 1 {
			return usageError{errors.New("--keep: it is the name of what one replica is restored over")}
		}
		return s.eachReplica(ctx, names, func(p *cim.Path) ([]cim.Value, error) { return s.restore(ctx, p, keep, force) })
	})
	return c
}

// restore restores the source of one relationship and returns the relationships of
// what was kept.
func (s *session) restore(ctx context.Context, p *cim.Path, keep string, force bool) ([]cim.Value, error) {
	if keep == "" {
		return nil, s.modify(ctx, p, restoreName, force)
	}
	reply, err := s.invoke(ctx, service(classOwnReplication), "RestoreFromReplica", arg("Synchronization", p), arg("KeepName", keep), arg("Force", force))
	if err != nil {
		return nil, err
	}
	kept, _ := reply.Out.Get("KeptSynchronizations").([]cim.Value)
	return kept, nil
}

func (a *app) replicaReset() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use: "reset NAME...", Short: "Take a snapshot back to its point in time", Args: usageArgs(cobra.MinimumNArgs(1)),
		Long: "Take a snapshot back to its point in time; NAME can be that of a group relationship. What was written to it since is gone. Several names\n" +
			"are reset one after the other, up to the first that fails.\n" + inUseHelp,
	}
	c.Flags().BoolVar(&force, "force", false, "also while initiators are logged in to the snapshot")
	c.RunE = a.with(func(ctx context.Context, s *session, names []string) error {
		return s.eachReplica(ctx, names, func(p *cim.Path) ([]cim.Value, error) { return nil, s.modify(ctx, p, resetName, force) })
	})
	return c
}

// eachReplica does something to the relationships of the given names, and shows
// them with what it made. A name that is not there stops it before anything is done.
func (s *session) eachReplica(ctx context.Context, names []string, do func(*cim.Path) ([]cim.Value, error)) error {
	var found []*cim.Instance
	for _, name := range names {
		in, err := s.relationship(ctx, name)
		if err != nil {
			return err
		}
		found = append(found, in)
	}
	var touched []cim.Value
	for i, in := range found {
		made, err := do(in.Path)
		if err != nil {
			return fmt.Errorf("%s: %w", names[i], err)
		}
		touched = append(append(touched, in.Path), made...)
	}
	return s.showRelationships(ctx, touched)
}

// showRelationships prints relationships, of volumes or of groups, as they are now.
func (s *session) showRelationships(ctx context.Context, paths []cim.Value) error {
	volumes, err := s.volumeNames(ctx)
	if err != nil {
		return err
	}
	groups, err := s.groupNames(ctx)
	if err != nil {
		return err
	}
	t := relationshipTable()
	for _, v := range paths {
		p, _ := v.(*cim.Path)
		in, err := s.Get(ctx, p)
		if err != nil {
			return err
		}
		names := volumes
		if in.Class.IsA("CIM_GroupSynchronized") {
			names = groups
		}
		relationshipRow(t, in, names)
	}
	return s.app.print(t)
}
