package classes

import (
	"context"
	"errors"
	"strings"

	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/pairstate"
)

func replicationService(r *registry) {
	r.add(newService(r, classReplicationSvc, "Replication", cim.RoleOperator, map[string]method{
		"CreateElementReplica":           createElementReplica,
		"CreateListReplica":              createListReplica,
		"CreateGroupReplica":             createGroupReplica,
		"CreateGroupReplicaFromElements": createGroupReplicaFromElements,
		"ModifyReplicaSynchronization":   modifyReplicaSynchronization,
		"RestoreFromReplica":             restoreFromReplica,
		"CreateGroup":                    createGroup,
		"DeleteGroup":                    deleteGroup,
		"AddMembers":                     addMembers,
		"RemoveMembers":                  removeMembers,
	}))
}

// replica is what all methods ask for that make replicas.
type replica struct {
	syncType    pairstate.SyncType
	mode        pairstate.Mode
	pool        string
	consistency replication.Consistency
	settings    replication.Settings
	labels      map[string]string
	wait        replication.Wait
}

func (a *args) replica(ctx context.Context) replica {
	a.need("SyncType", "a type of copy (6 mirror, 7 snapshot or 8 clone)")
	a.refuse("ConnectivityCollection", "Collections", "TargetPools")
	a.local("SourceAccessPoint")
	a.local("TargetAccessPoint")
	return replica{
		syncType:    pairstate.SyncType(a.number("SyncType")),
		mode:        pairstate.Mode(a.enumerated("Mode")),
		pool:        a.pool("TargetPool"),
		consistency: replication.Consistency(a.enumerated("Consistency")),
		settings:    a.settings(),
		labels:      a.labels(ctx, "TargetSettingGoal"),
		wait:        a.wait(),
	}
}

func (a *args) wait() replication.Wait {
	w := replication.Wait{State: pairstate.CopyState(a.enumerated("WaitForCopyState")), For: replication.MaxWait}
	if t := a.call.Timeout; t > 0 {
		w.For = min(w.For, t/2) // the answer must still reach the client in time
	}
	return w
}

func createListReplica(ctx context.Context, a *args) (*cim.Reply, error) {
	r := a.replica(ctx)
	req := r.listRequest()
	req.Names, req.Consistency = a.texts("ElementNames"), r.consistency
	req.Sources, req.Targets = a.volumes(ctx, "SourceElements"), a.volumes(ctx, "TargetElements")
	if a.err != nil {
		return nil, a.err
	}
	res, err := a.Replicator.CreateList(ctx, req)
	if err != nil {
		return nil, err
	}
	reply := doneOrStarted(res.Job,
		out("TargetElements", a.volumePaths(res.Targets)),
		out("Synchronizations", a.pairPaths(ctx, res.Relationships)))
	reply.Reason = failures(res.Failed)
	return reply, nil
}

func createElementReplica(ctx context.Context, a *args) (*cim.Reply, error) {
	req := a.replica(ctx).listRequest()
	req.Names = []string{a.text("ElementName")}
	req.Sources = []replication.VolumeRef{a.volume(ctx, "SourceElement")}
	if a.given("TargetElement") {
		req.Targets = []replication.VolumeRef{a.volume(ctx, "TargetElement")}
	}
	if a.err != nil {
		return nil, a.err
	}
	res, err := a.Replicator.CreateList(ctx, req)
	if err != nil {
		return nil, ofElement(err)
	}
	var outs []cim.Arg
	for _, p := range a.volumePaths(res.Targets) {
		outs = append(outs, out("TargetElement", p))
	}
	for _, p := range a.pairPaths(ctx, res.Relationships) {
		outs = append(outs, out("Synchronization", p))
	}
	return doneOrStarted(res.Job, outs...), nil
}

// ofElement gives the parameters in a failure of a list the names that they have
// in CreateElementReplica: SourceElements[0] is SourceElement there.
func ofElement(err error) error {
	e, ok := errors.AsType[*replication.Error](err)
	if !ok {
		return err
	}
	renamed := *e
	for _, name := range []string{"ElementName", "SourceElement", "TargetElement"} {
		if e.Param == name+"s" || e.Param == entry(name+"s", 0) {
			renamed.Param = name
		}
	}
	return &renamed
}

func (r replica) listRequest() replication.ListRequest {
	return replication.ListRequest{
		SyncType: r.syncType, Mode: r.mode, TargetPool: r.pool,
		Settings: r.settings, Labels: r.labels, Wait: r.wait,
	}
}

func createGroupReplicaFromElements(ctx context.Context, a *args) (*cim.Reply, error) {
	req := a.groupRequest(ctx)
	req.Sources, req.SourceGroupName = a.volumes(ctx, "SourceElements"), a.text("SourceGroupName")
	req.Targets, req.TargetNames = a.volumes(ctx, "TargetElements"), a.texts("TargetElementNames")
	req.TargetGroupName = a.text("TargetGroupName")
	res, err := a.createTie(ctx, req)
	if err != nil {
		return nil, err
	}
	return tieReply(res, append(tieOuts(res),
		out("SourceGroup", groupPath(res.SourceGroup)),
		out("SourceGroupName", a.groupName(ctx, res.SourceGroup)),
		out("TargetGroupName", a.groupName(ctx, res.TargetGroup)))), nil
}

// groupName is the name of a group, NULL if somebody has deleted it meanwhile.
func (a *args) groupName(ctx context.Context, id string) cim.Value {
	g, err := a.Groups.Group(ctx, id)
	if err != nil {
		return nil
	}
	return g.Name
}

func createGroupReplica(ctx context.Context, a *args) (*cim.Reply, error) {
	a.refuse("TargetElementCount", "SourceElement")
	a.need("SourceGroup", "a reference to a replication group")
	res, err := a.createTie(ctx, a.groupRequest(ctx))
	if err != nil {
		return nil, err
	}
	return tieReply(res, tieOuts(res)), nil
}

// groupRequest is what both group methods ask for.
func (a *args) groupRequest(ctx context.Context) replication.GroupRequest {
	r := a.replica(ctx)
	return replication.GroupRequest{
		RelationshipName: a.text("RelationshipName"), SyncType: r.syncType, Mode: r.mode,
		SourceGroup: a.group(ctx, "SourceGroup"), TargetGroup: a.group(ctx, "TargetGroup"), TargetPool: r.pool,
		Consistency: r.consistency, Settings: r.settings, Labels: r.labels, Wait: r.wait,
	}
}

func (a *args) createTie(ctx context.Context, req replication.GroupRequest) (replication.Result, error) {
	if a.err != nil {
		return replication.Result{}, a.err
	}
	return a.Replicator.CreateGroupFromElements(ctx, req)
}

// tieOuts are the output parameters of both group methods.
func tieOuts(res replication.Result) []cim.Arg {
	return []cim.Arg{
		out("TargetGroup", groupPath(res.TargetGroup)),
		out("Synchronization", tiePath(res.SourceGroup, res.TargetGroup)),
	}
}

func tieReply(res replication.Result, outs []cim.Arg) *cim.Reply {
	reply := doneOrStarted(res.Job, outs...)
	reply.Reason = failures(res.Failed)
	return reply
}

func modifyReplicaSynchronization(ctx context.Context, a *args) (*cim.Reply, error) {
	a.need("Operation", "an operation")
	a.refuse("SyncPair")
	a.noSettings()
	req := replication.ModifyRequest{
		Operation: replication.Operation(a.enumerated("Operation")), ID: a.synchronization(ctx, "Synchronization"),
		Force: a.flag("Force", false), Wait: a.wait(),
	}
	if a.err != nil {
		return nil, a.err
	}
	id, err := a.Replicator.Modify(ctx, req)
	if err != nil {
		return nil, err
	}
	return doneOrStarted(id), nil
}

func restoreFromReplica(ctx context.Context, a *args) (*cim.Reply, error) {
	req := replication.RestoreRequest{
		ID: a.synchronization(ctx, "Synchronization"), KeepName: a.text("KeepName"), Force: a.flag("Force", false),
	}
	if a.given("KeepName") && req.KeepName == "" {
		a.fail(replication.KindInvalid, "KeepName", "a name, or NULL, is needed")
	}
	if a.err != nil {
		return nil, a.err
	}
	kept, err := a.Replicator.Restore(ctx, req)
	if err != nil {
		return nil, err
	}
	if len(kept) == 0 {
		return done(), nil
	}
	return done(out("KeptSynchronizations", a.pairPaths(ctx, kept))), nil
}

// pairPaths are the paths of pairs, in the order of their IDs. One that somebody
// has ended meanwhile is left out: what was asked for was done.
func (a *args) pairPaths(ctx context.Context, ids []string) []cim.Value {
	paths := make([]cim.Value, 0, len(ids))
	for _, id := range ids {
		if r, err := a.Relationships.Relationship(ctx, id); err == nil {
			paths = append(paths, a.pairPath(r))
		}
	}
	return paths
}

func (m *model) volumePaths(refs []replication.VolumeRef) []cim.Value {
	paths := make([]cim.Value, 0, len(refs))
	for _, v := range refs {
		paths = append(paths, m.volumePath(v.ID))
	}
	return paths
}

// failures says which members of a list or group failed while others were made.
func failures(errs []error) string {
	texts := make([]string, 0, len(errs))
	for _, err := range errs {
		if reply, unknown := replyOf(err); unknown == nil {
			texts = append(texts, reply.Reason)
		} else {
			texts = append(texts, "internal error")
		}
	}
	return strings.Join(texts, "; ")
}
