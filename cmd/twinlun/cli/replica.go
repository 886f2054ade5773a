package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"twinlun/cim"
)

func (a *app) replicaCommand() *cobra.Command {
	c := parent("replica", "Replicas: clones, snapshots and mirrors", a.replicaCreate(), a.replicaList(), a.replicaShow(), a.replicaMode(), a.replicaRestore(), a.replicaReset())
	for _, o := range operations() {
		if !o.own {
			c.AddCommand(a.replicaOperation(o))
		}
	}
	return a.remote(c)
}

// wanted is what replica create was asked for.
type wanted struct {
	syncType, mode, pool, wait string
	sources, targets, names    []string
	group, consistent, leave   bool
}

func (a *app) replicaCreate() *cobra.Command {
	w := &wanted{}
	c := &cobra.Command{
		Use: "create --type TYPE --source VOLUME...", Short: "Replicate volumes, one by one, as a list or as a group",
		Args: usageArgs(cobra.NoArgs),
		Long: "Replicate volumes. Several sources are replicated all or none. With --group they and their replicas become groups,\nand --name is the name of the relationship; the replicas are NAME_1, NAME_2 and so on.",
	}
	f := c.Flags()
	f.StringVar(&w.syncType, "type", "", "clone, snapshot or mirror")
	f.StringSliceVar(&w.sources, "source", nil, "volume to replicate (can be repeated)")
	f.StringSliceVar(&w.targets, "target", nil, "existing volume to use as the replica (can be repeated; default: new volumes)")
	f.StringSliceVar(&w.names, "name", nil, "name of the replica (can be repeated)")
	f.StringVar(&w.mode, "mode", "", "sync or async (default: the server decides)")
	f.BoolVar(&w.group, "group", false, "make groups and a relationship between them")
	f.BoolVar(&w.consistent, "consistent", false, "one instant for all")
	f.StringVar(&w.pool, "pool", "", "pool to take the replicas' space from")
	f.StringVar(&w.wait, "wait", "", "copy state to wait for: initialized, unsynchronized, synchronized or inactive")
	f.BoolVar(&w.leave, "no-follow", false, "do not follow the job")
	c.RunE = a.with(func(ctx context.Context, s *session, _ []string) error { return s.replicate(ctx, w) })
	return c
}

// replicate carries out replica create.
func (s *session) replicate(ctx context.Context, w *wanted) error {
	method := "CreateListReplica"
	if w.group {
		method = "CreateGroupReplicaFromElements"
	}
	in, err := s.replicaArgs(ctx, w, s.schema.Class(classReplication).Method(method))
	if err != nil {
		return err
	}
	reply, err := s.invoke(ctx, service(classReplication), method, in...)
	if err != nil {
		return err
	}
	if reply.Reason != "" {
		fmt.Fprintln(s.app.Err, "some members failed:", reply.Reason)
	}
	job, started := reply.Out.Get("Job").(*cim.Path)
	if err := s.showMade(ctx, reply); err != nil || !started {
		return err
	}
	if w.leave {
		fmt.Fprintln(s.app.Err, "the copy goes on: twinlun job watch", jobID(job))
		return nil
	}
	return s.follow(ctx, job)
}

// replicaArgs makes the arguments of the method.
func (s *session) replicaArgs(ctx context.Context, w *wanted, m *cim.Method) ([]cim.Arg, error) {
	if w.syncType == "" || len(w.sources) == 0 {
		return nil, usageError{fmt.Errorf("--type and --source are needed")}
	}
	syncType, err := valueNumber(m.Param("SyncType").Qualifiers, w.syncType)
	if err != nil {
		return nil, usageError{fmt.Errorf("--type: %w", err)}
	}
	in := []cim.Arg{arg("SyncType", syncType)}
	for _, add := range []func(context.Context, *wanted, *[]cim.Arg) error{s.addVolumes, s.addNames, s.addPool, s.addStates} {
		if err := add(ctx, w, &in); err != nil {
			return nil, err
		}
	}
	return in, nil
}

func (s *session) addVolumes(ctx context.Context, w *wanted, in *[]cim.Arg) error {
	sources, err := s.volumes(ctx, w.sources)
	if err != nil {
		return err
	}
	*in = append(*in, arg("SourceElements", sources))
	if len(w.targets) == 0 {
		return nil
	}
	targets, err := s.volumes(ctx, w.targets)
	*in = append(*in, arg("TargetElements", targets))
	return err
}

func (s *session) addNames(_ context.Context, w *wanted, in *[]cim.Arg) error {
	switch {
	case len(w.names) == 0:
	case w.group && len(w.names) > 1:
		return usageError{fmt.Errorf("--name: a group relationship has one name")}
	case w.group:
		*in = append(*in, arg("RelationshipName", w.names[0]))
	default:
		*in = append(*in, arg("ElementNames", w.names))
	}
	return nil
}

func (s *session) addPool(ctx context.Context, w *wanted, in *[]cim.Arg) error {
	if w.pool == "" {
		return nil
	}
	p, err := s.pool(ctx, w.pool)
	if err == nil {
		*in = append(*in, arg("TargetPool", p.Path))
	}
	return err
}

func (s *session) addStates(_ context.Context, w *wanted, in *[]cim.Arg) error {
	if w.consistent {
		*in = append(*in, arg("Consistency", 3))
	}
	if w.mode != "" {
		mode, ok := map[string]int{"sync": 2, "async": 3}[w.mode]
		if !ok {
			return usageError{fmt.Errorf("--mode: %q is neither sync nor async", w.mode)}
		}
		*in = append(*in, arg("Mode", mode))
	}
	if w.wait != "" {
		state, err := valueNumber(s.schema.Class(classSynced).Property("CopyState").Qualifiers, w.wait)
		if err != nil {
			return usageError{fmt.Errorf("--wait: %w", err)}
		}
		*in = append(*in, arg("WaitForCopyState", state))
	}
	return nil
}

// showMade prints the relationships that a method has made.
func (s *session) showMade(ctx context.Context, reply *cim.Reply) error {
	paths, _ := reply.Out.Get("Synchronizations").([]cim.Value)
	t := relationshipTable()
	if p, ok := reply.Out.Get("Synchronization").(*cim.Path); ok {
		pairs, err := s.pairsOf(ctx, p)
		if err != nil {
			return err
		}
		paths = pairs
	}
	names, err := s.volumeNames(ctx)
	if err != nil {
		return err
	}
	for _, v := range paths {
		p, _ := v.(*cim.Path)
		in, err := s.Get(ctx, p)
		if err != nil {
			return err
		}
		relationshipRow(t, in, names)
	}
	return s.app.print(t)
}

// pairsOf are the paths of the pairs of a group relationship, in the order of the
// source group.
func (s *session) pairsOf(ctx context.Context, group *cim.Path) ([]cim.Value, error) {
	in, err := s.Get(ctx, group)
	if err != nil {
		return nil, err
	}
	all, err := s.list(ctx, classSynced)
	if err != nil {
		return nil, err
	}
	source, _ := in.Get("SystemElement").(*cim.Path)
	members, err := s.memberVolumes(ctx, source)
	if err != nil {
		return nil, err
	}
	var pairs []cim.Value
	for _, m := range members {
		for _, pair := range all {
			from, _ := pair.Get("SystemElement").(*cim.Path)
			if from.Equal(m.Path) && str(pair, "GroupRelationshipName") == str(in, "RelationshipName") {
				pairs = append(pairs, pair.Path)
			}
		}
	}
	return pairs, nil
}
