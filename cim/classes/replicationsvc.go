package classes

import (
	"context"
	"errors"

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
		"CreateGroup":                    createGroup,
		"DeleteGroup":                    deleteGroup,
		"AddMembers":                     addMembers,
		"RemoveMembers":                  removeMembers,
	}))
}

// replica reads the parameters that all methods share which make replicas.
type replica struct {
	syncType    pairstate.SyncType
	mode        pairstate.Mode
	pool        string
	consistency replication.Consistency
	settings    replication.Settings
	labels      map[string]string
	wait        replication.Wait
}

func (a *args) replica() replica {
	a.refuse("ConnectivityCollection", "Collections", "TargetPools")
	a.local("SourceAccessPoint")
	a.local("TargetAccessPoint")
	if !a.given("SyncType") {
		a.fail(replication.KindInvalid, "SyncType", "a type of copy is needed: 6 mirror, 7 snapshot or 8 clone")
	}
	r := replica{
		syncType:    pairstate.SyncType(a.number("SyncType")),
		mode:        pairstate.Mode(a.enumerated("Mode")),
		pool:        a.pool("TargetPool"),
		consistency: replication.Consistency(a.enumerated("Consistency")),
		settings:    a.settings("ReplicationSettingData"),
		labels:      a.labels("TargetSettingGoal"),
		wait:        a.wait(),
	}
	return r
}

// enumerated is a number whose NULL means that the service decides; an explicit
// 0 is a reserved value.
func (a *args) enumerated(param string) uint64 {
	n := a.number(param)
	if n == 0 && a.given(param) {
		a.fail(replication.KindInvalid, param, "0 is reserved")
	}
	return n
}

func (a *args) wait() replication.Wait {
	w := replication.Wait{State: pairstate.CopyState(a.enumerated("WaitForCopyState")), For: replication.MaxWait}
	if t := a.call.Timeout; t > 0 {
		w.For = min(w.For, t/2) // the answer must still reach the client in time
	}
	return w
}

// local fails unless an access point is NULL or of this system.
func (a *args) local(param string) {
	p := a.ref(param)
	if p == nil {
		return
	}
	system := p.Key("SystemName")
	if system == nil {
		system = p.Key("Name")
	}
	if system != cim.Value(a.System) {
		a.fail(replication.KindNotSupported, param, "%s is not of this system: remote replication is not supported", p)
	}
}

func createListReplica(ctx context.Context, a *args) (*cim.Reply, error) {
	r := a.replica()
	req := replication.ListRequest{
		Names: a.texts("ElementNames"), SyncType: r.syncType, Mode: r.mode,
		Sources: a.volumes("SourceElements"), Targets: a.volumes("TargetElements"), TargetPool: r.pool,
		Consistency: r.consistency, Settings: r.settings, Labels: r.labels, Wait: r.wait,
	}
	res, err := a.createList(ctx, req)
	if err != nil {
		return nil, err
	}
	syncs, err := a.synchronizations(ctx, res.Relationships)
	if err != nil {
		return nil, err
	}
	reply := a.doneOrStarted(res.Job,
		cim.Arg{Name: "TargetElements", Value: a.volumePaths(res.Targets)},
		cim.Arg{Name: "Synchronizations", Value: syncs})
	reply.Reason = failures(res.Failed)
	return reply, nil
}

func createElementReplica(ctx context.Context, a *args) (*cim.Reply, error) {
	r := a.replica()
	req := replication.ListRequest{
		Names: []string{a.text("ElementName")}, SyncType: r.syncType, Mode: r.mode,
		Sources: []replication.VolumeRef{a.volume("SourceElement")}, TargetPool: r.pool,
		Settings: r.settings, Labels: r.labels, Wait: r.wait,
	}
	if a.given("TargetElement") {
		req.Targets = []replication.VolumeRef{a.volume("TargetElement")}
	}
	res, err := a.createList(ctx, req)
	if err != nil {
		return nil, err
	}
	syncs, err := a.synchronizations(ctx, res.Relationships)
	if err != nil {
		return nil, err
	}
	return a.doneOrStarted(res.Job,
		cim.Arg{Name: "TargetElement", Value: a.volumePath(res.Targets[0].ID)},
		cim.Arg{Name: "Synchronization", Value: syncs[0]}), nil
}

func (a *args) createList(ctx context.Context, req replication.ListRequest) (replication.Result, error) {
	if a.err != nil {
		return replication.Result{}, a.err
	}
	return a.Replicator.CreateList(ctx, req)
}

func createGroupReplicaFromElements(ctx context.Context, a *args) (*cim.Reply, error) {
	r := a.replica()
	req := r.groupRequest(a)
	req.Sources, req.SourceGroupName = a.volumes("SourceElements"), a.text("SourceGroupName")
	req.Targets, req.TargetNames = a.volumes("TargetElements"), a.texts("TargetElementNames")
	req.TargetGroupName = a.text("TargetGroupName")
	if a.given("SourceGroup") && len(req.Sources) > 0 {
		a.fail(replication.KindInvalid, "SourceGroup", "SourceGroup and SourceElements exclude each other")
	}
	res, err := a.createGroupRelationship(ctx, req)
	if err != nil {
		return nil, err
	}
	out, err := a.groupResult(ctx, res)
	if err != nil {
		return nil, err
	}
	names, err := a.groupNames(ctx, res)
	if err != nil {
		return nil, err
	}
	reply := a.doneOrStarted(res.Job, append(out, names...)...)
	reply.Reason = failures(res.Failed)
	return reply, nil
}

func createGroupReplica(ctx context.Context, a *args) (*cim.Reply, error) {
	a.refuse("TargetElementCount", "SourceElement")
	r := a.replica()
	req := r.groupRequest(a)
	if !a.given("SourceGroup") {
		a.fail(replication.KindInvalid, "SourceGroup", "a reference to a replication group is needed")
	}
	res, err := a.createGroupRelationship(ctx, req)
	if err != nil {
		return nil, err
	}
	out, err := a.groupResult(ctx, res)
	if err != nil {
		return nil, err
	}
	reply := a.doneOrStarted(res.Job, out...)
	reply.Reason = failures(res.Failed)
	return reply, nil
}

// groupRequest is what both group methods ask for.
func (r replica) groupRequest(a *args) replication.GroupRequest {
	return replication.GroupRequest{
		RelationshipName: a.text("RelationshipName"), SyncType: r.syncType, Mode: r.mode,
		SourceGroup: a.group("SourceGroup"), TargetGroup: a.group("TargetGroup"), TargetPool: r.pool,
		Consistency: r.consistency, Settings: r.settings, Labels: r.labels, Wait: r.wait,
	}
}

func (a *args) createGroupRelationship(ctx context.Context, req replication.GroupRequest) (replication.Result, error) {
	if a.err != nil {
		return replication.Result{}, a.err
	}
	return a.Replicator.CreateGroupFromElements(ctx, req)
}

// groupResult are the output parameters of both group methods.
func (a *args) groupResult(ctx context.Context, res replication.Result) ([]cim.Arg, error) {
	g, err := a.Relationships.GroupRelationship(ctx, res.GroupRelationship)
	if err != nil {
		return nil, err
	}
	return []cim.Arg{
		{Name: "TargetGroup", Value: groupPath(res.TargetGroup)},
		{Name: "Synchronization", Value: a.groupRelationshipPath(g)},
	}, nil
}

// groupNames are the output parameters that CreateGroupReplicaFromElements has
// beside those.
func (a *args) groupNames(ctx context.Context, res replication.Result) ([]cim.Arg, error) {
	source, err := a.Groups.Group(ctx, res.SourceGroup)
	if err != nil {
		return nil, err
	}
	target, err := a.Groups.Group(ctx, res.TargetGroup)
	if err != nil {
		return nil, err
	}
	return []cim.Arg{
		{Name: "SourceGroup", Value: groupPath(source.ID)},
		{Name: "SourceGroupName", Value: source.Name},
		{Name: "TargetGroupName", Value: target.Name},
	}, nil
}

func modifyReplicaSynchronization(ctx context.Context, a *args) (*cim.Reply, error) {
	a.refuse("SyncPair")
	a.settings("ReplicationSettingData")
	if !a.given("Operation") {
		a.fail(replication.KindInvalid, "Operation", "an operation is needed")
	}
	req := replication.ModifyRequest{
		Operation: replication.Operation(a.number("Operation")), ID: a.synchronization("Synchronization"),
		Force: a.flag("Force", false), Wait: a.wait(),
	}
	if a.err != nil {
		return nil, a.err
	}
	id, err := a.Replicator.Modify(ctx, req)
	if err != nil {
		return nil, err
	}
	return a.doneOrStarted(id), nil
}

// synchronizations are the paths of pairs, in the order of their IDs.
func (a *args) synchronizations(ctx context.Context, ids []string) ([]cim.Value, error) {
	paths := make([]cim.Value, 0, len(ids))
	for _, id := range ids {
		r, err := a.Relationships.Relationship(ctx, id)
		if err != nil {
			return nil, err
		}
		paths = append(paths, a.relationshipPath(r))
	}
	return paths, nil
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
	if len(errs) == 0 {
		return ""
	}
	return errors.Join(errs...).Error()
}
