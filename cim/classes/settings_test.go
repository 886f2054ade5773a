package classes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/replication"
)

// options is an embedded CIM_ReplicationSettingData with some properties.
func options(t *testing.T, values ...cim.Arg) *cim.Instance {
	in := cim.NewInstance(testSchema(t).Class("CIM_ReplicationSettingData"))
	for _, v := range values {
		require.NoError(t, in.Set(v.Name, v.Value))
	}
	return in
}

func TestSettingsHonoured(t *testing.T) {
	for name, c := range map[string]struct {
		values []cim.Arg
		more   []cim.Arg // arguments of the call
		want   replication.Settings
	}{
		"nothing but defaults": {},
		"what is done anyway": {values: []cim.Arg{
			arg("InstanceID", "x"), arg("ElementName", "y"), arg("Description", "z"),
			arg("Pairing", 2), arg("UnequalGroupsAction", 2), arg("UnequalListsAction", 2), arg("DesiredCopyMethodology", 9),
			arg("TargetElementSupplier", 2), arg("ThinProvisioningPolicy", 2), arg("StorageCompressionPolicy", 5),
			arg("Multihop", 1), arg("CopyRecoveryMode", 2), arg("TargetElementGoal", 3), arg("TargetElementResourcePool", 3),
			arg("DeltaUpdateBlocks", 0), arg("MaximumSkew", 0), arg("FailedCopyStopsHostIO", false), arg("AutoDelete", false),
			arg("ConsistencyExempt", false), arg("ConsistentAsyncCopy", false),
		}},
		"full copy":            {values: []cim.Arg{arg("DesiredCopyMethodology", 3)}},
		"snapshot redirects":   {values: []cim.Arg{arg("DesiredCopyMethodology", 11)}, more: []cim.Arg{arg("SyncType", 7)}},
		"given targets":        {values: []cim.Arg{arg("TargetElementSupplier", 5)}, more: []cim.Arg{arg("TargetElements", plainVol(3))}},
		"priority":             {values: []cim.Arg{arg("CopyPriority", 4)}, want: replication.Settings{CopyPriority: 4}},
		"continue":             {values: []cim.Arg{arg("OnGroupOrListError", 2)}, want: replication.Settings{ContinueOnError: true}},
		"stop":                 {values: []cim.Arg{arg("OnGroupOrListError", 3)}},
		"one instant":          {values: []cim.Arg{arg("ConsistentPointInTime", true)}, want: replication.Settings{ConsistentPointInTime: true}},
		"one instant, false":   {values: []cim.Arg{arg("ConsistentPointInTime", false)}},
		"read-only target":     {values: []cim.Arg{arg("ReadOnly", 3)}, want: replication.Settings{TargetReadOnly: true}},
		"all that counts":      {values: []cim.Arg{arg("ReadOnly", 3), arg("CopyPriority", 1), arg("OnGroupOrListError", 2)}, want: replication.Settings{TargetReadOnly: true, CopyPriority: 1, ContinueOnError: true}},
		"priority, explicitly": {values: []cim.Arg{arg("CopyPriority", 0)}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSystem(t)
			in := with([]cim.Arg{arg("SyncType", 8), arg("SourceElements", s.vol(1))}, append(c.more, arg("ReplicationSettingData", options(t, c.values...))))
			r := s.invoke(classReplicationSvc, "CreateListReplica", in...)
			require.Equal(t, uint64(0), r.Return, r.Reason)
			require.Equal(t, c.want, s.list[0].Settings)
		})
	}
}

func TestSettingsRefused(t *testing.T) {
	const param = "ReplicationSettingData."
	hour := cim.IntervalValue(time.Hour)
	var rows []refusal
	for _, r := range []struct {
		code uint64
		arg  cim.Arg
	}{
		{1, arg("Pairing", 4)}, {5, arg("Pairing", 0)}, {5, arg("Pairing", 5)},
		{1, arg("UnequalGroupsAction", 3)}, {5, arg("UnequalGroupsAction", 9)},
		{1, arg("UnequalListsAction", 4)}, {5, arg("UnequalListsAction", 1)},
		{1, arg("DesiredCopyMethodology", 6)}, {1, arg("DesiredCopyMethodology", 11)}, {5, arg("DesiredCopyMethodology", 0)}, {5, arg("DesiredCopyMethodology", 12)},
		{1, arg("TargetElementSupplier", 1)}, {1, arg("TargetElementSupplier", 5)}, {5, arg("TargetElementSupplier", 0)},
		{1, arg("ThinProvisioningPolicy", 3)}, {5, arg("ThinProvisioningPolicy", 1)},
		{1, arg("StorageCompressionPolicy", 2)}, {5, arg("StorageCompressionPolicy", 8)},
		{1, arg("Multihop", 2)}, {1, arg("CopyRecoveryMode", 3)}, {5, arg("CopyRecoveryMode", 1)},
		{5, arg("TargetElementGoal", 4)}, {5, arg("TargetElementResourcePool", 4)},
		{1, arg("DeltaUpdateBlocks", 8)}, {1, arg("DeltaUpdateInterval", hour)}, {1, arg("MaximumSkew", 5)},
		{1, arg("DesiredRPO", hour)}, {1, arg("TimeBeforeRemoval", hour)},
		{5, arg("OnGroupOrListError", 4)}, {5, arg("CopyPriority", 5)}, {1, arg("ReadOnly", 2)}, {1, arg("ReadOnly", 4)}, {5, arg("ReadOnly", 1)},
		{1, arg("AutoDelete", true)}, {1, arg("FailedCopyStopsHostIO", true)}, {1, arg("ConsistencyExempt", true)},
		{1, arg("ConsistentAsyncCopy", true)}, {1, arg("RRCHardwareCompressionEnabled", true)}, {1, arg("RRCSoftwareCompressionEnabled", true)},
	} {
		rows = append(rows, refusal{r.arg.Name + " " + cim.FormatText(options(t, r.arg).Get(r.arg.Name)), []cim.Arg{arg("ReplicationSettingData", options(t, r.arg))}, r.code, param + r.arg.Name + ": "})
	}
	rows = append(rows,
		refusal{"pool of the source, but another is given", []cim.Arg{
			arg("TargetPool", poolPath("slow")), arg("ReplicationSettingData", options(t, arg("TargetElementResourcePool", 3))),
		}, 1, param + "TargetElementResourcePool: "},
		refusal{"new targets, but some are given", []cim.Arg{
			arg("TargetElements", plainVol(3)), arg("ReplicationSettingData", options(t, arg("TargetElementSupplier", 2))),
		}, 1, param + "TargetElementSupplier: "},
		refusal{"another class", []cim.Arg{arg("ReplicationSettingData", cim.NewInstance(testSchema(t).Class("CIM_StorageSetting")))}, 5, "ReplicationSettingData: "},
	)
	refuses(t, classReplicationSvc, "CreateListReplica", []cim.Arg{arg("SyncType", 8), arg("SourceElements", plainVol(1))}, rows, "CreateList")
}

// Every property of the class is thought of: with its default it is taken, and
// one that is not in the rules is refused with any other value.
func TestSettingsCoverTheClass(t *testing.T) {
	class := testSchema(t).Class(classSettingData)
	a := &args{call: &cim.Call{}}
	for name := range a.settingRules() {
		p := class.Property(name)
		require.NotNil(t, p, name)
		require.Equal(t, name, p.Name)
		require.Equal(t, classSettingData, p.Origin)
	}
}

// Methods without options take those that ask for what is done anyway.
func TestMethodsWithoutOptions(t *testing.T) {
	calls := map[string][]cim.Arg{
		"ModifyReplicaSynchronization": {arg("Operation", 9), arg("Synchronization", pairPath(1, 3))},
		"CreateGroup":                  {arg("GroupName", "x")},
		"DeleteGroup":                  {arg("ReplicationGroup", groupPath("g3"))},
		"AddMembers":                   {arg("ReplicationGroup", groupPath("g3")), arg("Members", plainVol(1))},
		"RemoveMembers":                {arg("ReplicationGroup", groupPath("g1")), arg("Members", plainVol(1))},
	}
	for method, good := range calls {
		s := newSystem(t)
		r := s.invoke(classReplicationSvc, method, append(good, arg("ReplicationSettingData", options(t, arg("Pairing", 3))))...)
		require.Equal(t, uint64(0), r.Return, "%s: %s", method, r.Reason)
		refuses(t, classReplicationSvc, method, good, []refusal{
			{"with an option", []cim.Arg{arg("ReplicationSettingData", options(t, arg("CopyPriority", 3)))}, 1, "ReplicationSettingData: "},
			{"with a wrong one", []cim.Arg{arg("ReplicationSettingData", options(t, arg("CopyPriority", 9)))}, 5, "ReplicationSettingData.CopyPriority: "},
		}, "Modify", "CreateGroup", "DeleteGroup", "ModifyGroup")
	}
}
