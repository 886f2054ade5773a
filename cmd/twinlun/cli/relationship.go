package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"twinlun/cim"
)

// operation is one verb of replica: an Operation of ModifyReplicaSynchronization.
type operation struct {
	verb, name, short string
	// force: the operation has a --force.
	force bool
	// own: the verb has a command of its own.
	own bool
}

// operations lists the verbs. The name is that of the schema's value map. What
// the server does not do yet it refuses.
func operations() []operation {
	return []operation{
		{verb: "activate", name: "Activate", short: "Start an inactive replica: its point in time is now"},
		{verb: "deactivate", name: "Deactivate", short: "Stop a replica until it is activated again"},
		{verb: "detach", name: "Detach", short: "End the relationship; the replica is a volume of its own", force: true},
		{verb: "dissolve", name: "Dissolve", short: "End the relationship; the replica stays", force: true},
		{verb: "return", name: "Return To ResourcePool", short: "Delete a snapshot and give its space back", force: true},
		{verb: "split", name: "Split", short: "Separate a mirror consistently"},
		{verb: "fracture", name: "Fracture", short: "Separate a mirror"},
		{verb: "resync", name: "Resync Replica", short: "Bring a replica up to date"},
		{verb: "restore", name: restoreName, own: true},
		{verb: "suspend", name: "Suspend", short: "Pause copying"},
		{verb: "resume", name: "Resume", short: "Go on copying"},
		{verb: "failover", name: "Failover", short: "Work with the replica"},
		{verb: "failback", name: "Failback", short: "Work with the source again"},
		{verb: "reverse", name: "Reverse Roles", short: "Swap source and replica"},
		{verb: "prepare", name: "Prepare", short: "Make ready for activation"},
		{verb: "unprepare", name: "Unprepare", short: "Undo prepare"},
		{verb: "abort", name: "Abort", short: "Abort copying"},
		{verb: "reset", name: resetName, own: true},
	}
}

func (a *app) replicaOperation(o operation) *cobra.Command {
	var force bool
	c := &cobra.Command{Use: o.verb + " NAME", Short: o.short, Args: usageArgs(cobra.ExactArgs(1))}
	if o.force {
		c.Flags().BoolVar(&force, "force", false, "also where the replica is not complete")
	}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		in, err := s.relationship(ctx, args[0])
		if err != nil {
			return err
		}
		return s.modify(ctx, in.Path, o.name, force)
	})
	return c
}

// replicaMode is the verb that stands for two operations.
func (a *app) replicaMode() *cobra.Command {
	c := &cobra.Command{Use: "mode NAME sync|async", Short: "Make a mirror synchronous or asynchronous", Args: usageArgs(cobra.ExactArgs(2))}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		name, ok := map[string]string{"sync": "Reset To Sync", "async": "Reset To Async"}[args[1]]
		if !ok {
			return usageError{fmt.Errorf("%q is neither sync nor async", args[1])}
		}
		in, err := s.relationship(ctx, args[0])
		if err != nil {
			return err
		}
		return s.modify(ctx, in.Path, name, false)
	})
	return c
}

// modify applies an operation to a relationship and follows the job.
func (s *session) modify(ctx context.Context, p *cim.Path, name string, force bool) error {
	m := s.schema.Class(classReplication).Method("ModifyReplicaSynchronization")
	number, err := valueNumber(m.Param("Operation").Qualifiers, name)
	if err != nil {
		return err
	}
	reply, err := s.invoke(ctx, service(classReplication), m.Name, arg("Operation", number), arg("Synchronization", p), arg("Force", force))
	if err != nil {
		return err
	}
	if job, ok := reply.Out.Get("Job").(*cim.Path); ok {
		return s.follow(ctx, job)
	}
	return nil
}

func relationshipTable() *table {
	return newTable("NAME", "TYPE", "SOURCE", "TARGET", "STATE", "PERCENT", "PROGRESS", "GROUP", "REASON", "ID")
}

func relationshipRow(t *table, in *cim.Instance, names map[string]string) {
	t.row(str(in, "RelationshipName"), named(in, "SyncType"), elementName(in, "SystemElement", names), elementName(in, "SyncedElement", names),
		named(in, "CopyState"), num(in, "PercentSynced"), named(in, "ProgressStatus"), optional(in, "GroupRelationshipName"), optional(in, "Reason"), str(in, "RelationshipID"))
}

func optional(in *cim.Instance, property string) any {
	if in.Class.Property(property) == nil {
		return nil
	}
	return in.Get(property)
}

// elementName is the name of the volume or group that a reference names.
func elementName(in *cim.Instance, property string, names map[string]string) string {
	p, _ := in.Get(property).(*cim.Path)
	if p == nil {
		return ""
	}
	for _, key := range []string{"DeviceID", "InstanceID"} {
		if id, ok := p.Key(key).(string); ok {
			return firstOf(names[id], id)
		}
	}
	return p.String()
}

// volumeNames maps the keys of volumes to their names.
func (s *session) volumeNames(ctx context.Context) (map[string]string, error) {
	names := map[string]string{}
	return names, s.Enumerate(ctx, namespace, classVolume, func(in *cim.Instance) error {
		names[str(in, "DeviceID")] = str(in, "ElementName")
		return nil
	})
}

// groupNames maps the keys of groups to their names.
func (s *session) groupNames(ctx context.Context) (map[string]string, error) {
	names := map[string]string{}
	return names, s.Enumerate(ctx, namespace, classGroup, func(in *cim.Instance) error {
		names[str(in, "InstanceID")] = str(in, "ElementName")
		return nil
	})
}

// relationships shows pairs, then group relationships, that match, by name.
func (s *session) relationships(ctx context.Context, match func(*cim.Instance, string) bool) (*table, []*cim.Instance, error) {
	t := relationshipTable()
	var found []*cim.Instance
	for _, kind := range []struct {
		class string
		names func(context.Context) (map[string]string, error)
	}{{classSynced, s.volumeNames}, {classGroupSynced, s.groupNames}} {
		names, err := kind.names(ctx)
		if err != nil {
			return nil, nil, err
		}
		all, err := s.list(ctx, kind.class)
		if err != nil {
			return nil, nil, err
		}
		slices.SortFunc(all, byName("RelationshipName"))
		for _, in := range all {
			if match(in, elementName(in, "SyncedElement", names)) {
				relationshipRow(t, in, names)
				found = append(found, in)
			}
		}
	}
	return t, found, nil
}

// relationship finds the one relationship with a name: its own, its identifier,
// or that of its target.
func (s *session) relationship(ctx context.Context, name string) (*cim.Instance, error) {
	_, found, err := s.relationships(ctx, isCalled(name))
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, notFoundError{"replica", name}
	case len(found) > 1:
		return nil, usageError{fmt.Errorf("%d replicas are called %q: use the identifier", len(found), name)}
	}
	return found[0], nil
}

func isCalled(name string) func(*cim.Instance, string) bool {
	return func(in *cim.Instance, target string) bool {
		return strings.EqualFold(str(in, "RelationshipName"), name) || str(in, "RelationshipID") == name || strings.EqualFold(target, name)
	}
}

func (a *app) replicaList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List replicas", Args: usageArgs(cobra.NoArgs)}
	c.RunE = a.with(func(ctx context.Context, s *session, _ []string) error {
		t, _, err := s.relationships(ctx, func(*cim.Instance, string) bool { return true })
		if err != nil {
			return err
		}
		return a.print(t)
	})
	return c
}

func (a *app) replicaShow() *cobra.Command {
	c := &cobra.Command{Use: "show NAME", Short: "Show a replica, by its name, identifier or target", Args: usageArgs(cobra.ExactArgs(1))}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		t, found, err := s.relationships(ctx, isCalled(args[0]))
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return notFoundError{"replica", args[0]}
		}
		t.single = len(found) == 1
		return a.print(t)
	})
	return c
}
