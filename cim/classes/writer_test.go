package classes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/job"
	"twinlun/replication/setting"
	"twinlun/replication/store"
	"twinlun/replication/store/faultstore"
)

func user(r cim.Role) context.Context {
	return cim.WithPrincipal(context.Background(), cim.Principal{Name: "u", Role: r})
}

func pv(kv ...any) []cim.PropertyValue {
	var list []cim.PropertyValue
	for i := 0; i < len(kv); i += 2 {
		list = append(list, cim.PropertyValue{Name: kv[i].(string), Value: kv[i+1]})
	}
	return list
}

// whole is everything that an instance shows, as a client sends it back.
func whole(in *cim.Instance, edits ...cim.PropertyValue) []cim.PropertyValue {
	var all []cim.PropertyValue
	for _, p := range in.Class.Properties {
		v := in.At(p.Index)
		for _, e := range edits {
			if e.Name == p.Name {
				v = e.Value
			}
		}
		all = append(all, cim.PropertyValue{Name: p.Name, Value: v})
	}
	return all
}

func settingPath(id string) *cim.Path { return byInstanceID(classStorageSetting, idSetting+id) }

func optionsPath(id string) *cim.Path {
	return byInstanceID(classKeptSettingData, idReplicationSetting+id)
}

// everything is what all classes show, to see that nothing has changed.
func (s *system) everything() map[string]*cim.Instance {
	all := map[string]*cim.Instance{}
	for _, short := range servedClasses {
		for _, in := range s.instances("TWINLUN_" + short) {
			all[in.Path.String()] = in
		}
	}
	return all
}

func (s *system) unchanged(before map[string]*cim.Instance) {
	s.t.Helper()
	after := s.everything()
	require.Len(s.t, after, len(before))
	for path, in := range before {
		require.True(s.t, cim.Equal(in, after[path]), path)
	}
}

// Every instance that is served can be sent back as it was read.
func TestPutWhatWasRead(t *testing.T) {
	s := newSystem(t)
	before := s.everything()
	for path, in := range before {
		got, err := s.Broker.Modify(admin(), in.Path, whole(in))
		require.NoError(t, err, path)
		require.True(t, cim.Equal(in, got), path)
	}
	s.unchanged(before)
}

func TestPut(t *testing.T) {
	for _, c := range []struct {
		path *cim.Path
		role cim.Role
		edit []cim.PropertyValue
	}{
		{plainVol(1), cim.RoleAdmin, pv("ElementName", "base")},
		{groupPath("g1"), cim.RoleOperator, pv("ElementName", "hourly", "Persistent", false, "DeleteOnEmptyElement", true, "DeleteOnUnassociated", true)},
		{groupPath("g3"), cim.RoleOperator, pv("DeleteOnEmptyElement", false)},
		{pairPath(1, 3), cim.RoleOperator, pv("RelationshipName", "copy", "CopyPriority", uint64(4))},
		{tiePath("g1", "g2"), cim.RoleOperator, pv("RelationshipName", "weekly")},
		{settingPath("gold"), cim.RoleAdmin, pv("ElementName", "Silver", "Description", "was gold", "DataRedundancyMax", uint64(3))},
		{optionsPath("nightly"), cim.RoleOperator, pv("ElementName", "Daily", "CopyPriority", uint64(2), "OnGroupOrListError", uint64(2), "ReadOnly", uint64(3))},
	} {
		s := newSystem(t)
		t.Run(c.path.Class+" "+c.edit[0].Name, func(t *testing.T) {
			before, err := s.Get(context.Background(), c.path)
			require.NoError(t, err)
			got, err := s.Broker.Modify(user(c.role), c.path, whole(before, c.edit...))
			require.NoError(t, err)
			again, err := s.Get(context.Background(), c.path)
			require.NoError(t, err)
			require.True(t, cim.Equal(again, got))
			for _, p := range before.Class.Properties {
				want := before.At(p.Index)
				if i := slices.IndexFunc(c.edit, func(e cim.PropertyValue) bool { return e.Name == p.Name }); i >= 0 {
					want = c.edit[i].Value
				} else if p.Name == "Caption" && before.Class.Name == classReplicationGroup {
					want = got.Get("ElementName")
				}
				require.Equal(t, want, got.At(p.Index), p.Name)
			}
		})
		t.Run(c.path.Class+" without the role", func(t *testing.T) {
			s := newSystem(t)
			before := s.everything()
			_, err := s.Broker.Modify(user(c.role-1), c.path, c.edit)
			require.Equal(t, cim.StatusAccessDenied, cim.StatusOf(err))
			require.Equal(t, cim.StatusAccessDenied, cim.StatusOf(s.Delete(user(c.role-1), c.path)))
			s.unchanged(before)
		})
	}
}

// NULL gives a setting back what a new one has.
func TestPutNullIntoSettings(t *testing.T) {
	s := newSystem(t)
	got, err := s.Broker.Modify(admin(), optionsPath("nightly"), pv("CopyPriority", nil, "ConsistentPointInTime", nil, "Description", nil, "Multihop", nil))
	require.NoError(t, err)
	require.Nil(t, got.Get("CopyPriority"))
	require.Nil(t, got.Get("Description"))
	require.Equal(t, false, got.Get("ConsistentPointInTime"))
	got, err = s.Broker.Modify(admin(), settingPath("gold"), pv("DataRedundancyMax", nil))
	require.NoError(t, err)
	require.Equal(t, uint64(1), got.Get("DataRedundancyMax"))
}

func TestPutRefused(t *testing.T) {
	s := newSystem(t)
	before := s.everything()
	for _, c := range []struct {
		path   *cim.Path
		edit   []cim.PropertyValue
		status cim.Status
		why    string
	}{
		{plainVol(1), pv("ElementName", "x", "NumberOfBlocks", 1), cim.StatusInvalidParameter, "NumberOfBlocks"},
		{plainVol(1), pv("ElementName", "x", "DeviceID", "1"), cim.StatusInvalidParameter, "DeviceID"},
		{plainVol(1), pv("ElementName", "x", "EnabledDefault", 3), cim.StatusNotSupported, "EnabledDefault"},
		{plainVol(1), pv("Colour", "red"), cim.StatusNoSuchProperty, "Colour"},
		{plainVol(1), pv("ElementName", 1), cim.StatusTypeMismatch, "ElementName"},
		{plainVol(99), pv("ElementName", "x"), cim.StatusNotFound, ""},
		{groupPath("g1"), pv("ElementName", "x", "ReservedAs", 2), cim.StatusNotSupported, "ReservedAs"},
		{groupPath("g1"), pv("ElementName", "x", "ReservedAs", 9), cim.StatusInvalidParameter, "ReservedAs"},
		{groupPath("g1"), pv("ElementName", "x", "Persistent", nil), cim.StatusInvalidParameter, "Persistent"},
		{pairPath(1, 3), pv("RelationshipName", "x", "CopyPriority", 5), cim.StatusInvalidParameter, "CopyPriority"},
		{pairPath(1, 3), pv("RelationshipName", "x", "CopyState", 4), cim.StatusInvalidParameter, "CopyState"},
		{jobPath("j2"), pv("Priority", 3), cim.StatusNotSupported, classConcreteJob},
		{poolPath("fast"), pv("ElementName", "x"), cim.StatusNotSupported, "StoragePool"},
		{settingPath("thin"), pv("ElementName", "x"), cim.StatusNotSupported, "part of the product"},
		{settingPath("gold"), pv("ElementName", ""), cim.StatusInvalidParameter, "ElementName"},
		{settingPath("gold"), pv("ElementName", "x", "DataRedundancyGoal", 2), cim.StatusNotSupported, "DataRedundancyGoal"},
		{settingPath("gold"), pv("NoSinglePointOfFailure", true), cim.StatusNotSupported, "NoSinglePointOfFailure"},
		{settingPath("gold"), pv("ExtentStripeLength", 4), cim.StatusNotSupported, "ExtentStripeLength"},
		{settingPath("gold"), pv("CompressionRate", 2), cim.StatusNotSupported, "CompressionRate"},
		{settingPath("gold"), pv("ElementName", "a\x00"), cim.StatusInvalidParameter, "ElementName: "},
		{settingPath("gold"), pv("ChangeableType", 0), cim.StatusInvalidParameter, "ChangeableType"},
		{optionsPath("nightly"), pv("CopyPriority", 2, "Pairing", 4), cim.StatusNotSupported, "Pairing"},
		{optionsPath("nightly"), pv("Pairing", 0), cim.StatusInvalidParameter, "Pairing"},
		{optionsPath("nightly"), pv("AutoDelete", true), cim.StatusNotSupported, "AutoDelete"},
		{optionsPath("nightly"), pv("MaximumSkew", 3), cim.StatusInvalidParameter, "MaximumSkew"},
	} {
		_, err := s.Broker.Modify(admin(), c.path, c.edit)
		require.Error(t, err, "%v", c.edit)
		require.Equal(t, c.status, cim.StatusOf(err), "%v: %v", c.edit, err)
		require.ErrorContains(t, err, c.why)
	}
	s.unchanged(before)
}

func TestDelete(t *testing.T) {
	for _, c := range []struct {
		path   *cim.Path
		status cim.Status
		why    string
	}{
		{groupPath("g3"), 0, ""},
		{jobPath("j2"), 0, ""},
		{settingPath("gold"), 0, ""},
		{optionsPath("nightly"), 0, ""},
		{groupPath("g1"), cim.StatusFailed, "RemoveElements"},
		{groupPath("g9"), cim.StatusNotFound, ""},
		{settingPath("thin"), cim.StatusNotSupported, "part of the product"},
		{settingPath("tin"), cim.StatusNotFound, ""},
		{plainVol(1), cim.StatusNotSupported, "ReturnToStoragePool"},
		{pairPath(1, 3), cim.StatusNotSupported, "ModifyReplicaSynchronization"},
		{tiePath("g1", "g2"), cim.StatusNotSupported, "ModifyReplicaSynchronization"},
		{poolPath("fast"), cim.StatusNotSupported, "StoragePool"},
	} {
		t.Run(c.path.String(), func(t *testing.T) {
			s := newSystem(t)
			before := s.everything()
			err := s.Delete(user(cim.RoleMonitor), c.path)
			require.Error(t, err)
			s.unchanged(before)
			err = s.Delete(admin(), c.path)
			if c.status != 0 {
				require.Equal(t, c.status, cim.StatusOf(err), "%v", err)
				require.ErrorContains(t, err, c.why)
				s.unchanged(before)
				return
			}
			require.NoError(t, err)
			_, err = s.Get(admin(), c.path)
			require.Equal(t, cim.StatusNotFound, cim.StatusOf(err))
			require.Equal(t, cim.StatusNotFound, cim.StatusOf(s.Delete(admin(), c.path)))
		})
	}
	s := newSystem(t)
	s.fails = map[string]error{"DeleteJob": job.ErrRunning}
	err := s.Delete(admin(), jobPath("j1"))
	require.Equal(t, cim.StatusFailed, cim.StatusOf(err))
	require.ErrorContains(t, err, job.ErrRunning.Error())
}

func TestCreateSettings(t *testing.T) {
	s := newSystem(t)
	for _, c := range []struct {
		class, id string
		role      cim.Role
		give      []cim.PropertyValue
	}{
		{classStorageSetting, "TWINLUN:setting:fast-1.x_Y", cim.RoleAdmin, pv("InstanceID", "TWINLUN:setting:fast-1.x_Y", "ElementName", "Fast", "DataRedundancyMin", 0)},
		{"CIM_StorageSetting", "", cim.RoleAdmin, pv("ElementName", "Fast", "Description", "like\nthe wind", "PackageRedundancyMax", 3, "Caption", nil, "ChangeableType", 2)},
		{"CIM_ReplicationSettingData", "", cim.RoleOperator, pv("ElementName", "x", "TargetElementSupplier", 5, "DesiredCopyMethodology", 9, "TargetElementResourcePool", 3, "DesiredRPO", nil)},
	} {
		before := s.everything()
		_, err := s.Create(user(c.role-1), Namespace, c.class, c.give)
		require.Equal(t, cim.StatusAccessDenied, cim.StatusOf(err))
		s.unchanged(before)
		p, err := s.Create(user(c.role), Namespace, c.class, c.give)
		require.NoError(t, err)
		if c.id != "" {
			require.Equal(t, c.id, p.Key("InstanceID"))
		}
		in, err := s.Get(context.Background(), p)
		require.NoError(t, err)
		require.Equal(t, p, in.Path)
		checkComplete(t, in)
		require.Equal(t, uint64(2), in.Get("ChangeableType"))
		for _, g := range c.give {
			decl := in.Class.Property(g.Name)
			want, err := cim.Coerce(g.Value, decl.Type, decl.Array, false)
			require.NoError(t, err)
			require.Equal(t, want, in.Get(g.Name), g.Name)
		}
	}
}

func TestCreateRefused(t *testing.T) {
	name := pv("ElementName", "x")
	for _, c := range []struct {
		class  string
		give   []cim.PropertyValue
		status cim.Status
		why    string
	}{
		{classStorageSetting, nil, cim.StatusInvalidParameter, "ElementName"},
		{classStorageSetting, pv("ElementName", " x"), cim.StatusInvalidParameter, "ElementName: "},
		{classStorageSetting, append(pv("InstanceID", "x"), name...), cim.StatusInvalidParameter, "InstanceID"},
		{classStorageSetting, append(pv("InstanceID", "TWINLUN:setting:"), name...), cim.StatusInvalidParameter, "InstanceID"},
		{classStorageSetting, append(pv("InstanceID", "TWINLUN:setting:a/b"), name...), cim.StatusInvalidParameter, "InstanceID: has letters"},
		{classStorageSetting, append(pv("InstanceID", "TWINLUN:setting:thin"), name...), cim.StatusAlreadyExists, "thin"},
		{classStorageSetting, append(pv("InstanceID", "TWINLUN:setting:gold"), name...), cim.StatusAlreadyExists, "gold"},
		{classStorageSetting, append(pv("DataRedundancyGoal", 2), name...), cim.StatusNotSupported, "DataRedundancyGoal"},
		{classStorageSetting, append(pv("EmulatedDevice", "3390"), name...), cim.StatusInvalidParameter, "EmulatedDevice"},
		{classStorageSetting, append(pv("ChangeableType", 0), name...), cim.StatusInvalidParameter, "ChangeableType"},
		{classStorageSetting, append(pv("Size", 1), name...), cim.StatusNoSuchProperty, "Size"},
		{classKeptSettingData, append(pv("OnGroupOrListError", 9), name...), cim.StatusInvalidParameter, "OnGroupOrListError"},
		{classKeptSettingData, append(pv("Multihop", 2), name...), cim.StatusNotSupported, "Multihop"},
		{classKeptSettingData, append(pv("InstanceID", "TWINLUN:setting:gold"), name...), cim.StatusInvalidParameter, "InstanceID"},
		{"CIM_SettingData", name, cim.StatusNotSupported, "abstract"},
		{classStorageVolume, name, cim.StatusNotSupported, "cannot be created"},
		{classReplicationGroup, name, cim.StatusNotSupported, "cannot be created"},
	} {
		s := newSystem(t)
		before := s.everything()
		_, err := s.Create(admin(), Namespace, c.class, c.give)
		require.Error(t, err, "%v", c.give)
		require.Equal(t, c.status, cim.StatusOf(err), "%v: %v", c.give, err)
		require.ErrorContains(t, err, c.why)
		s.unchanged(before)
	}
}

func TestSettingQuota(t *testing.T) {
	c := testConfig(t, newFake())
	full, err := setting.New(setting.Config{Store: store.NewMem(), Max: 2})
	require.NoError(t, err)
	c.Settings = full
	b := brokerOf(t, c)
	for i := range 3 {
		_, err = b.Create(admin(), Namespace, classStorageSetting, pv("ElementName", fmt.Sprint(i)))
	}
	require.Equal(t, cim.StatusServerLimitsExceeded, cim.StatusOf(err))
}

// A setting that was made is there after a restart, and one whose storing failed was
// never made, changed or deleted.
func TestSettingsAreDurable(t *testing.T) {
	kept := faultstore.New(store.NewMem())
	c := testConfig(t, newFake())
	c.Settings = newSettings(t, kept)
	s := &system{Broker: brokerOf(t, c), fake: newFake(), t: t}
	for _, point := range []faultstore.Point{faultstore.Before, faultstore.AtCommit} {
		before := s.everything()
		for name, write := range map[string]func() error{
			"create": func() error {
				_, err := s.Create(admin(), Namespace, classKeptSettingData, pv("ElementName", "x"))
				return err
			},
			"modify": func() error {
				_, err := s.Broker.Modify(admin(), settingPath("gold"), pv("ElementName", "x"))
				return err
			},
			"delete": func() error { return s.Delete(admin(), settingPath("gold")) },
		} {
			kept.Plan(faultstore.Fault{Update: 1, Point: point})
			err := write()
			require.Equal(t, cim.StatusFailed, cim.StatusOf(err), name)
			require.Equal(t, "internal error", err.Error())
			require.ErrorIs(t, err, faultstore.ErrFault, "for the log")
		}
		s.unchanged(before)
	}
	p, err := s.Create(admin(), Namespace, classKeptSettingData, pv("ElementName", "x", "CopyPriority", 3))
	require.NoError(t, err)
	want, err := s.Get(admin(), p)
	require.NoError(t, err)
	c.Settings, err = setting.New(setting.Config{Store: kept})
	require.NoError(t, err)
	got, err := brokerOf(t, c).Get(admin(), p)
	require.NoError(t, err)
	require.True(t, cim.Equal(want, got))
}

// What was kept by another version of the schema is left out.
func TestSettingOfAnotherVersion(t *testing.T) {
	s := newSystem(t)
	_, err := s.m.Settings.CreateSetting(context.Background(), setting.Record{
		Kind: setting.Storage, ID: "old", Name: "Old", Values: map[string]string{"Gone": "1", "DataRedundancyMax": "many", "DataRedundancyMin": "0"},
	})
	require.NoError(t, err)
	in, err := s.Get(context.Background(), settingPath("old"))
	require.NoError(t, err)
	require.Equal(t, uint64(1), in.Get("DataRedundancyMax"))
	require.Equal(t, uint64(0), in.Get("DataRedundancyMin"))
}

// Options that a user keeps mean in a call what they say.
func TestKeptOptionsInACall(t *testing.T) {
	s := newSystem(t)
	in, err := s.Get(context.Background(), optionsPath("nightly"))
	require.NoError(t, err)
	r := s.invoke(classReplicationSvc, "CreateListReplica", arg("SyncType", 8), arg("SourceElements", s.vol(1)), arg("ReplicationSettingData", in))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	require.Equal(t, replication.Settings{CopyPriority: 1, ConsistentPointInTime: true}, s.list[0].Settings)
}

// A volume is made by a setting of a user's, shows it, and holds on to it.
func TestSettingAsGoal(t *testing.T) {
	s := newSystem(t)
	settingsOf := func(volume *cim.Path) []string {
		return pathsOf(s.associated(cim.AssociationQuery{Object: volume, AssociationClass: "CIM_ElementSettingData", ResultClass: "CIM_StorageSetting"}))
	}
	require.Equal(t, []string{settingPath("thin").String()}, settingsOf(s.vol(1)))
	r := s.invoke(classStorageConfigSvc, createOrModifyName, arg("Size", 512), arg("Goal", settingPath("gold")))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	v := r.Out.Get("TheElement").(*cim.Path)
	require.Equal(t, []string{settingPath("gold").String()}, settingsOf(v))
	users := s.associated(cim.AssociationQuery{Object: settingPath("gold"), AssociationClass: "CIM_ElementSettingData"})
	require.Equal(t, []string{v.String()}, pathsOf(users))

	err := s.Delete(admin(), settingPath("gold"))
	require.Equal(t, cim.StatusFailed, cim.StatusOf(err))
	require.ErrorContains(t, err, "volume-1")
	r = s.invoke(classStorageConfigSvc, "ReturnToStoragePool", arg("TheElement", v))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	require.NoError(t, s.Delete(admin(), settingPath("gold")))
	r = s.invoke(classStorageConfigSvc, createOrModifyName, arg("Size", 512), arg("Goal", settingPath("gold")))
	require.Equal(t, uint64(5), r.Return)
	require.Regexp(t, "^Goal: ", r.Reason)
}

func TestWriteStatus(t *testing.T) {
	require.NoError(t, writeStatus(nil))
	for name, c := range map[string]struct {
		err    error
		status cim.Status
		text   string
	}{
		"value":         {replication.Errorf(replication.KindInvalid, "ElementName", "bad"), cim.StatusInvalidParameter, "ElementName: bad"},
		"gone group":    {replication.Errorf(replication.KindInvalid, "ReplicationGroup", "no"), cim.StatusNotFound, "ReplicationGroup: no"},
		"gone pair":     {replication.Errorf(replication.KindInvalid, "Synchronization", "no"), cim.StatusNotFound, "Synchronization: no"},
		"gone volume":   {replication.Errorf(replication.KindInvalid, "TheElement", "no"), cim.StatusNotFound, "TheElement: no"},
		"in use":        {replication.Errorf(replication.KindInUse, "TheElement", "busy"), cim.StatusFailed, "TheElement: busy"},
		"not supported": {replication.Errorf(replication.KindNotSupported, "Pairing", "no"), cim.StatusNotSupported, "Pairing: no"},
		"failed":        {&replication.Error{Kind: replication.KindFailed, Msg: "m", Err: errSecret}, cim.StatusFailed, "m"},
		"running":       {job.ErrRunning, cim.StatusFailed, job.ErrRunning.Error()},
		"no job":        {job.ErrNotFound, cim.StatusNotFound, job.ErrNotFound.Error()},
		"no setting":    {fmt.Errorf("%w: x", setting.ErrNotFound), cim.StatusNotFound, setting.ErrNotFound.Error() + ": x"},
		"taken":         {setting.ErrExists, cim.StatusAlreadyExists, setting.ErrExists.Error()},
		"full":          {setting.ErrFull, cim.StatusServerLimitsExceeded, setting.ErrFull.Error()},
		"not kept":      {&setting.InvalidError{Field: "name", Msg: "long"}, cim.StatusInvalidParameter, "ElementName: long"},
		"not kept, why": {fmt.Errorf("x: %w", &setting.InvalidError{Field: "values", Msg: "many"}), cim.StatusInvalidParameter, "values: many"},
		"ours":          {cim.Errorf(cim.StatusNotSupported, "no"), cim.StatusNotSupported, "no"},
		"unknown":       {errSecret, cim.StatusFailed, "internal error"},
	} {
		err := writeStatus(c.err)
		require.Equal(t, c.status, cim.StatusOf(err), name)
		require.Equal(t, c.text, err.Error(), name)
		require.Equal(t, name == "in use" || name == "running", errors.Is(err, cim.ErrInUse), name)
	}
	require.ErrorIs(t, writeStatus(fmt.Errorf("x: %w", context.Canceled)), context.Canceled)
	for _, kind := range []replication.Kind{replication.KindFailed, replication.KindInUse} {
		require.ErrorIs(t, writeStatus(&replication.Error{Kind: kind, Err: errSecret}), errSecret, "for the log")
	}
	require.ErrorIs(t, writeStatus(errSecret), errSecret, "for the log")
}
