package classes

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/pairstate"
)

// goodList is a call of CreateListReplica with all that can be given at once.
func goodList() []cim.Arg {
	return []cim.Arg{
		arg("ElementNames", []string{"a"}), arg("SyncType", 8), arg("Mode", 3),
		arg("SourceElements", []*cim.Path{plainVol(2), plainVol(1)}),
		arg("SourceAccessPoint", accessPoint("host1")), arg("TargetPool", poolPath("slow")),
		arg("TargetSettingGoal", byInstanceID("CIM_SettingData", "TWINLUN:setting:thin")),
		arg("WaitForCopyState", 4), arg("Consistency", 3),
	}
}

func accessPoint(system string) *cim.Path {
	return &cim.Path{Namespace: Namespace, Class: classEndpoint, Keys: []cim.Key{
		key("SystemCreationClassName", classComputerSystem), key("SystemName", system),
		key("CreationClassName", classEndpoint), key("Name", "iqn.2026-11.dev.twinlun:x,t,0x0001"),
	}}
}

func key(name string, v cim.Value) cim.Key { return cim.Key{Name: name, Value: v} }

func TestCreateListReplica(t *testing.T) {
	s := newSystem(t)
	s.result.Job = "j9"
	r, err := s.Invoke(admin(), &cim.Call{
		Path: &cim.Path{Namespace: Namespace, Class: "CIM_ReplicationService"}, Method: "createlistreplica", In: goodList(), Timeout: 4 * time.Second,
	})
	require.NoError(t, err)
	require.Equal(t, []replication.ListRequest{{
		Names: []string{"a"}, SyncType: pairstate.Clone, Mode: pairstate.Asynchronous,
		Sources: []replication.VolumeRef{volRef("fast", 2), volRef("fast", 1)}, TargetPool: "slow",
		Consistency: replication.SequentialConsistency, Labels: map[string]string{"setting": "thin"},
		Wait: replication.Wait{State: pairstate.Synchronized, For: 2 * time.Second},
	}}, s.list)
	require.Equal(t, uint64(jobStarted), r.Return)
	require.Equal(t, "TWINLUN:job:j9", r.Out.Get("Job").(*cim.Path).Key("InstanceID"))
	targets, syncs := r.Out.Get("TargetElements").([]cim.Value), r.Out.Get("Synchronizations").([]cim.Value)
	require.Len(t, targets, 2)
	for i := range targets {
		in, err := s.Get(admin(), syncs[i].(*cim.Path))
		require.NoError(t, err)
		require.True(t, cim.Equal(targets[i], in.Get("SyncedElement")))
		require.True(t, cim.Equal(s.vol(2-i), in.Get("SystemElement")), "in source order")
	}
}

func TestCreateListReplicaAtItsSimplest(t *testing.T) {
	s := newSystem(t)
	r := s.invoke(classReplicationSvc, "CreateListReplica", arg("SyncType", 7), arg("SourceElements", s.vol(1)))
	require.Equal(t, uint64(0), r.Return)
	require.Nil(t, r.Out.Get("Job"))
	require.Equal(t, []replication.ListRequest{{
		SyncType: pairstate.Snapshot, Sources: []replication.VolumeRef{volRef("fast", 1)}, Wait: replication.Wait{For: replication.MaxWait},
	}}, s.list)
}

// What references may look like, that name something of ours.
func TestReferencesBySuperclass(t *testing.T) {
	s := newSystem(t)
	source := s.vol(1)
	source.Class, source.Namespace = "cim_logicalelement", ""
	pool, goal := poolPath("slow"), byInstanceID("CIM_ManagedElement", "TWINLUN:setting:thin")
	pool.Class, pool.Namespace = "CIM_ResourcePool", `Root\CIMv2\Storage\iSCSITarget`
	system := &cim.Path{Class: "CIM_ComputerSystem", Keys: []cim.Key{key("CreationClassName", "x"), key("Name", "host1")}}
	r := s.invoke(classReplicationSvc, "CreateListReplica", arg("SyncType", 8), arg("SourceElements", source),
		arg("TargetPool", pool), arg("TargetSettingGoal", goal), arg("TargetAccessPoint", system))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	require.Equal(t, volRef("fast", 1), s.list[0].Sources[0])
	require.Equal(t, "slow", s.list[0].TargetPool)
}

// replicaRefusals are the rows that all methods have that make replicas.
func replicaRefusals() []refusal {
	stranger := byInstanceID("CIM_ConcreteJob", "TWINLUN:pool:fast")
	return []refusal{
		{"no SyncType", []cim.Arg{arg("SyncType", nil)}, 5, "SyncType: "},
		{"Mode 0", []cim.Arg{arg("Mode", 0)}, 5, "Mode: 0 is reserved"},
		{"WaitForCopyState 0", []cim.Arg{arg("WaitForCopyState", 0)}, 5, "WaitForCopyState: "},
		{"source on another system", []cim.Arg{arg("SourceAccessPoint", accessPoint("other"))}, 1, "SourceAccessPoint: "},
		{"target on another system", []cim.Arg{arg("TargetAccessPoint", accessPoint("other"))}, 1, "TargetAccessPoint: "},
		{"access point that is none", []cim.Arg{arg("TargetAccessPoint", stranger)}, 5, "TargetAccessPoint: "},
		{"access point of no class", []cim.Arg{arg("TargetAccessPoint", byInstanceID("X", "y"))}, 5, "TargetAccessPoint: "},
		{"unknown pool", []cim.Arg{arg("TargetPool", poolPath("none"))}, 5, "TargetPool: there is no pool"},
		{"pool that is none", []cim.Arg{arg("TargetPool", stranger)}, 5, "TargetPool: "},
		{"pool in another namespace", []cim.Arg{arg("TargetPool", &cim.Path{Namespace: "root/x", Class: classStoragePool, Keys: poolPath("fast").Keys})}, 5, "TargetPool: "},
		{"unknown setting", []cim.Arg{arg("TargetSettingGoal", byInstanceID(classStorageSetting, "TWINLUN:setting:thick"))}, 5, "TargetSettingGoal: "},
		{"connectivity collection", []cim.Arg{arg("ConnectivityCollection", stranger)}, 1, "ConnectivityCollection: "},
		{"collections", []cim.Arg{arg("Collections", stranger)}, 1, "Collections: "},
	}
}

func TestCreateListReplicaRefuses(t *testing.T) {
	plain := []cim.Arg{arg("SyncType", 8), arg("SourceElements", []*cim.Path{plainVol(1), plainVol(2)})}
	other := plainVol(1)
	other.Keys[1].Value = "host2"
	short := plainVol(1)
	short.Keys = short.Keys[3:]
	rows := append(replicaRefusals(),
		refusal{"Consistency 0", []cim.Arg{arg("Consistency", 0)}, 5, "Consistency: "},
		refusal{"source that is not there", []cim.Arg{arg("SourceElements", []*cim.Path{plainVol(1), plainVol(77)})}, 5, "SourceElements[1]: there is no volume"},
		refusal{"source of another type", []cim.Arg{arg("SourceElements", []*cim.Path{plainVol(1), poolPath("fast")})}, 5, "SourceElements[1]: "},
		refusal{"source of another system", []cim.Arg{arg("SourceElements", other)}, 5, "SourceElements[0]: "},
		refusal{"source by half its keys", []cim.Arg{arg("SourceElements", short)}, 5, "SourceElements[0]: "},
		refusal{"source NULL", []cim.Arg{arg("SourceElements", []cim.Value{plainVol(1), nil})}, 5, "SourceElements[1]: "},
		refusal{"target that is not there", []cim.Arg{arg("TargetElements", []*cim.Path{plainVol(3), plainVol(78)})}, 5, "TargetElements[1]: there is no volume"},
	)
	refuses(t, classReplicationSvc, "CreateListReplica", plain, rows, "CreateList")
}

// What the service refuses comes back with its code and its words.
func TestCreateListReplicaRefusedBelow(t *testing.T) {
	for kind := replication.KindNotSupported; kind <= replication.KindInUse; kind++ {
		s := newSystem(t)
		s.fails = map[string]error{"CreateList": replication.Errorf(kind, "TargetElements[0]", "because")}
		r := s.invoke(classReplicationSvc, "CreateListReplica", arg("SyncType", 8), arg("SourceElements", s.vol(1)))
		require.Equal(t, uint64(kind), r.Return)
		require.Equal(t, "TargetElements[0]: because", r.Reason)
		require.Empty(t, r.Out)
	}
	s := newSystem(t)
	s.fails = map[string]error{"CreateList": errSecret}
	_, err := s.Invoke(admin(), &cim.Call{Path: &cim.Path{Namespace: Namespace, Class: classReplicationSvc}, Method: "CreateListReplica", In: []cim.Arg{arg("SyncType", 8)}})
	require.Equal(t, "internal error", err.Error())
	require.ErrorIs(t, err, errSecret)
}

// With OnGroupOrListError Continue, Reason says what failed. A relationship that
// somebody ends at once is left out of the answer.
func TestCreateListReplicaInPart(t *testing.T) {
	s := newSystem(t)
	s.result = replication.Result{
		Targets: []replication.VolumeRef{volRef("fast", 3), volRef("fast", 4)}, Relationships: []string{"p1", "ended"},
		Failed: []error{replication.Errorf(replication.KindInUse, "SourceElements[0]", "busy"), errSecret},
	}
	r := s.invoke(classReplicationSvc, "CreateListReplica", arg("SyncType", 8), arg("SourceElements", s.vol(1)))
	require.Equal(t, uint64(0), r.Return)
	require.Equal(t, "SourceElements[0]: busy; internal error", r.Reason)
	require.Len(t, r.Out.Get("TargetElements"), 2)
	require.Len(t, r.Out.Get("Synchronizations"), 1)
}

func TestCreateElementReplica(t *testing.T) {
	s := newSystem(t)
	r := s.invoke(classReplicationSvc, "CreateElementReplica", arg("SyncType", 6), arg("SourceElement", s.vol(1)), arg("TargetElement", s.vol(4)))
	require.Equal(t, uint64(0), r.Return)
	require.Equal(t, []replication.ListRequest{{
		Names: []string{""}, SyncType: pairstate.Mirror, Sources: []replication.VolumeRef{volRef("fast", 1)},
		Targets: []replication.VolumeRef{volRef("fast", 4)}, Wait: replication.Wait{For: replication.MaxWait},
	}}, s.list)
	require.IsType(t, &cim.Path{}, r.Out.Get("TargetElement"))
	require.Equal(t, classStorageSynced, r.Out.Get("Synchronization").(*cim.Path).Class)

	s.result = replication.Result{Targets: []replication.VolumeRef{}, Job: "j1"} // all failed meanwhile
	r = s.invoke(classReplicationSvc, "CreateElementReplica", arg("SyncType", 6), arg("SourceElement", s.vol(1)))
	require.Equal(t, uint64(jobStarted), r.Return)
	require.Len(t, r.Out, 1)
}

func TestCreateElementReplicaRefuses(t *testing.T) {
	good := []cim.Arg{arg("SyncType", 8), arg("SourceElement", plainVol(1)), arg("ElementName", "x")}
	refuses(t, classReplicationSvc, "CreateElementReplica", good, append(replicaRefusals(),
		refusal{"no source", []cim.Arg{arg("SourceElement", nil)}, 5, "SourceElement: "},
		refusal{"unknown source", []cim.Arg{arg("SourceElement", plainVol(77))}, 5, "SourceElement: "},
		refusal{"unknown target", []cim.Arg{arg("TargetElement", plainVol(77))}, 5, "TargetElement: "},
	), "CreateList")
	for below, here := range map[string]string{
		"SourceElements[0]": "SourceElement", "TargetElements": "TargetElement", "TargetElements[0]": "TargetElement",
		"ElementNames[0]": "ElementName", "TargetPool": "TargetPool", "": "",
	} {
		s := newSystem(t)
		s.fails = map[string]error{"CreateList": replication.Errorf(replication.KindInUse, below, "why")}
		r := s.invoke(classReplicationSvc, "CreateElementReplica", good...)
		require.Equal(t, uint64(6), r.Return)
		require.Equal(t, strings.TrimPrefix(here+": why", ": "), r.Reason)
	}
}

func TestCreateGroupReplicaFromElements(t *testing.T) {
	s := newSystem(t)
	r := s.invoke(classReplicationSvc, "CreateGroupReplicaFromElements",
		arg("RelationshipName", "weekly"), arg("SyncType", 7), arg("Mode", 2), arg("Consistency", 3),
		arg("SourceElements", []*cim.Path{s.vol(2), s.vol(1)}), arg("SourceGroupName", "sg"), arg("TargetGroupName", "tg"),
		arg("TargetElements", []*cim.Path{s.vol(3), s.vol(4)}), arg("TargetElementNames", []cim.Value{"x", nil}),
		arg("TargetPool", poolPath("fast")), arg("WaitForCopyState", 8))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	require.Equal(t, []replication.GroupRequest{{
		RelationshipName: "weekly", SyncType: pairstate.Snapshot, Mode: pairstate.Synchronous,
		Sources:         []replication.VolumeRef{volRef("fast", 2), volRef("fast", 1)},
		SourceGroupName: "sg", TargetGroupName: "tg",
		Targets: []replication.VolumeRef{volRef("fast", 3), volRef("fast", 4)}, TargetNames: []string{"x", ""}, TargetPool: "fast",
		Consistency: replication.SequentialConsistency, Wait: replication.Wait{State: pairstate.Inactive, For: replication.MaxWait},
	}}, s.group)
	require.Equal(t, "source-g-3", r.Out.Get("SourceGroupName"))
	require.Equal(t, "target-g-4", r.Out.Get("TargetGroupName"))
	tie, err := s.Get(admin(), r.Out.Get("Synchronization").(*cim.Path))
	require.NoError(t, err)
	require.True(t, cim.Equal(r.Out.Get("SourceGroup"), tie.Get("SystemElement")))
	require.True(t, cim.Equal(r.Out.Get("TargetGroup"), tie.Get("SyncedElement")))
	members := s.associated(cim.AssociationQuery{Object: r.Out.Get("SourceGroup").(*cim.Path), ResultClass: "CIM_StorageVolume"})
	require.Equal(t, []string{s.vol(2).String(), s.vol(1).String()}, pathsOf(members), "in source order")
}

func TestCreateGroupReplicaFromElementsRefuses(t *testing.T) {
	good := []cim.Arg{arg("SyncType", 8), arg("SourceElements", []*cim.Path{plainVol(1), plainVol(2)})}
	refuses(t, classReplicationSvc, "CreateGroupReplicaFromElements", good, append(replicaRefusals(),
		refusal{"Consistency 0", []cim.Arg{arg("Consistency", 0)}, 5, "Consistency: "},
		refusal{"several pools", []cim.Arg{arg("TargetPools", poolPath("fast"))}, 1, "TargetPools: "},
		refusal{"unknown source", []cim.Arg{arg("SourceElements", plainVol(77))}, 5, "SourceElements[0]: "},
		refusal{"unknown target", []cim.Arg{arg("TargetElements", []*cim.Path{plainVol(3), plainVol(77)})}, 5, "TargetElements[1]: "},
		refusal{"unknown target group", []cim.Arg{arg("TargetGroup", groupPath("g9"))}, 5, "TargetGroup: "},
		refusal{"target group that is none", []cim.Arg{arg("TargetGroup", plainVol(1))}, 5, "TargetGroup: "},
		refusal{"unknown source group", []cim.Arg{arg("SourceGroup", groupPath("g9"))}, 5, "SourceGroup: "},
	), "CreateGroupFromElements")
}

func TestCreateGroupReplica(t *testing.T) {
	s := newSystem(t)
	s.result.Job = "j1"
	group := groupPath("g1")
	group.Class = "CIM_Collection"
	r := s.invoke(classReplicationSvc, "CreateGroupReplica", arg("SyncType", 8), arg("SourceGroup", group), arg("TargetGroup", groupPath("g2")))
	require.Equal(t, uint64(jobStarted), r.Return)
	require.Equal(t, "g1", s.group[0].SourceGroup)
	require.Equal(t, "g2", s.group[0].TargetGroup)
	require.Equal(t, []string{"TargetGroup", "Synchronization", "Job"}, []string{r.Out[0].Name, r.Out[1].Name, r.Out[2].Name})

	good := []cim.Arg{arg("SyncType", 8), arg("SourceGroup", groupPath("g1"))}
	refuses(t, classReplicationSvc, "CreateGroupReplica", good, append(replicaRefusals(),
		refusal{"no group", []cim.Arg{arg("SourceGroup", nil)}, 5, "SourceGroup: "},
		refusal{"unknown group", []cim.Arg{arg("SourceGroup", groupPath("x"))}, 5, "SourceGroup: "},
		refusal{"one element many times", []cim.Arg{arg("SourceElement", plainVol(1))}, 1, "SourceElement: "},
		refusal{"a count", []cim.Arg{arg("TargetElementCount", 3)}, 1, "TargetElementCount: "},
	), "CreateGroupFromElements")
}

func pairPath(source, target int) *cim.Path {
	return synced(classStorageSynced, plainVol(source), plainVol(target))
}

func TestModifyReplicaSynchronization(t *testing.T) {
	bySuperclass := &cim.Path{Class: "CIM_Synchronized", Keys: []cim.Key{
		key("SyncedElement", &cim.Path{Class: "CIM_ManagedElement", Keys: plainVol(5).Keys}), key("SystemElement", plainVol(1)),
	}}
	for id, p := range map[string]*cim.Path{"p1": pairPath(1, 3), "t1": tiePath("g1", "g2"), "p4": bySuperclass} {
		s := newSystem(t)
		r := s.invoke(classReplicationSvc, "ModifyReplicaSynchronization", arg("Operation", 4), arg("Synchronization", p), arg("Force", true), arg("WaitForCopyState", 4))
		require.Equal(t, uint64(0), r.Return, r.Reason)
		require.Equal(t, []replication.ModifyRequest{{
			Operation: replication.OpActivate, ID: id, Force: true, Wait: replication.Wait{State: pairstate.Synchronized, For: replication.MaxWait},
		}}, s.modified)
	}
	s := newSystem(t)
	s.result.Job = "j1"
	r := s.invoke(classReplicationSvc, "ModifyReplicaSynchronization", arg("Operation", 8), arg("Synchronization", pairPath(1, 3)))
	require.Equal(t, uint64(jobStarted), r.Return)
	require.NotNil(t, r.Out.Get("Job"))

	good := []cim.Arg{arg("Operation", 8), arg("Synchronization", pairPath(1, 3))}
	refuses(t, classReplicationSvc, "ModifyReplicaSynchronization", good, []refusal{
		{"no operation", []cim.Arg{arg("Operation", nil)}, 5, "Operation: "},
		{"operation 0", []cim.Arg{arg("Operation", 0)}, 5, "Operation: 0 is reserved"},
		{"no relationship", []cim.Arg{arg("Synchronization", nil)}, 5, "Synchronization: "},
		{"unknown pair", []cim.Arg{arg("Synchronization", pairPath(3, 1))}, 5, "Synchronization: "},
		{"pair with another source", []cim.Arg{arg("Synchronization", pairPath(2, 3))}, 5, "Synchronization: "},
		{"tie with another source", []cim.Arg{arg("Synchronization", tiePath("g3", "g2"))}, 5, "Synchronization: "},
		{"pair of unknown volumes", []cim.Arg{arg("Synchronization", pairPath(1, 77))}, 5, "Synchronization: "},
		{"unknown tie", []cim.Arg{arg("Synchronization", tiePath("g2", "g1"))}, 5, "Synchronization: "},
		{"not a relationship", []cim.Arg{arg("Synchronization", poolPath("fast"))}, 5, "Synchronization: "},
		{"some pairs only", []cim.Arg{arg("SyncPair", pairPath(1, 3))}, 1, "SyncPair: "},
		{"wait for 0", []cim.Arg{arg("WaitForCopyState", 0)}, 5, "WaitForCopyState: "},
	}, "Modify")
}

// Everything that the service declares and that is not carried out says so.
func TestOtherMethodsAnswerNotSupported(t *testing.T) {
	done := []string{
		"CreateElementReplica", "CreateListReplica", "CreateGroupReplica", "CreateGroupReplicaFromElements",
		"ModifyReplicaSynchronization", "CreateGroup", "DeleteGroup", "AddMembers", "RemoveMembers",
		"CreateOrModifyElementFromStoragePool", "ReturnToStoragePool", "ExposePaths", "HidePaths", "ExposeVolume", "HideVolume",
		"RestoreFromReplica", "ResizeVolume",
	}
	s := newSystem(t)
	for _, class := range []string{classReplicationSvc, classStorageConfigSvc, classControllerConfSvc} {
		carriedOut := 0
		for _, m := range testSchema(t).Class(class).Methods {
			if strings.Contains(" "+strings.Join(done, " ")+" ", " "+m.Name+" ") {
				carriedOut++
				continue
			}
			r := s.invoke(class, m.Name)
			require.Equal(t, uint64(1), r.Return, m.Name)
			require.Contains(t, r.Reason, m.Name)
		}
		require.NotZero(t, carriedOut, class)
	}
}

func TestRoles(t *testing.T) {
	s := newSystem(t)
	for _, c := range []struct {
		path   *cim.Path
		method string
		needs  cim.Role
	}{
		{s.m.servicePath(classReplicationSvc), "CreateListReplica", cim.RoleOperator},
		{s.m.servicePath(classReplicationSvc), "GetPeerSystems", cim.RoleOperator},
		{s.m.servicePath(classStorageConfigSvc), "ReturnToStoragePool", cim.RoleAdmin},
		{s.m.servicePath(classReplicationSvc), "RestoreFromReplica", cim.RoleOperator},
		{s.m.servicePath(classStorageConfigSvc), "ResizeVolume", cim.RoleAdmin},
		{s.m.servicePath(classControllerConfSvc), "ExposeVolume", cim.RoleAdmin},
		{byInstanceID(classCapabilities, idCapabilities), "GetSupportedFeatures", cim.RoleMonitor},
		{jobPath("j1"), "RequestStateChange", cim.RoleOperator},
		{jobPath("j1"), "GetError", cim.RoleMonitor},
		{poolPath("fast"), "Scrub", cim.RoleOperator},
		{jobPath("j1"), "GetErrors", cim.RoleMonitor},
	} {
		for role := cim.RoleMonitor; role <= cim.RoleAdmin; role++ {
			ctx := cim.WithPrincipal(t.Context(), cim.Principal{Role: role})
			_, err := s.Invoke(ctx, &cim.Call{Path: c.path, Method: c.method})
			if role < c.needs {
				require.Equal(t, cim.StatusAccessDenied, cim.StatusOf(err), "%s as %s", c.method, role)
			} else {
				require.NoError(t, err, "%s as %s", c.method, role)
			}
		}
	}
}
