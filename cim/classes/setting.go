package classes

import (
	"context"
	"errors"

	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/setting"
)

// labelSetting is the label of a volume that holds the ID of its setting.
const labelSetting = "setting"

// thin is the setting that all volumes have which nobody gave another: it says what
// volumes are.
func thin() setting.Record {
	return setting.Record{
		Kind: setting.Storage, ID: "thin", Name: "Thin volume",
		Description: "Takes space when it is written and gives it back when it is unmapped. One copy of the data, on the pool's filesystem.",
	}
}

// storageSettings serves the kinds of volume. All volumes are thin: those that users
// make differ by their names and by how much of what volumes are they ask for.
func (m *model) storageSettings() *settingClass {
	return &settingClass{
		model: m, class: m.Schema.Class(classStorageSetting), kind: setting.Storage, prefix: idSetting, role: cim.RoleAdmin,
		builtIn: []setting.Record{thin()}, check: checkStorageSetting, inUse: m.settingInUse,
		same: func(b *cim.Builder) {
			b.Set("NoSinglePointOfFailure", false).
				Set("DataRedundancyMin", 1).Set("DataRedundancyMax", 1).Set("DataRedundancyGoal", 1).
				Set("PackageRedundancyMin", 0).Set("PackageRedundancyMax", 0).Set("PackageRedundancyGoal", 0)
		},
	}
}

func storageSetting(r *registry) {
	r.class(classStorageSetting) // or it is an error
	r.storageSettings().serve(r)
}

// settingInUse fails where a volume has the setting.
func (m *model) settingInUse(ctx context.Context, r setting.Record) error {
	var by string
	err := m.Volumes.EachVolume(ctx, func(v pool.Volume) error {
		if v.Labels[labelSetting] != r.ID {
			return nil
		}
		by = v.Name
		return errInUse
	})
	if errors.Is(err, errInUse) {
		return cim.Errorf(cim.StatusFailed, "setting %s is that of volume %s", r.Name, by)
	}
	return err
}

// storageRule says what a volume can be asked for by one property: at least and at
// most what all volumes are.
type storageRule struct{ least, most uint64 }

// storageRules lists the properties of a StorageSetting that volumes can live up to.
// Any other can only have the value that it has in a new setting.
func storageRules() map[string]storageRule {
	const unlimited = 1<<64 - 1
	return map[string]storageRule{
		"DataRedundancyMin": {0, 1}, "DataRedundancyMax": {1, unlimited}, "DataRedundancyGoal": {1, 1},
		"PackageRedundancyMin": {0, 0}, "PackageRedundancyMax": {0, unlimited}, "PackageRedundancyGoal": {0, 0},
		"DeltaReservationMin": {0, 0}, "DeltaReservationMax": {0, 100}, "DeltaReservationGoal": {0, 0},
		"InitialSynchronization":    {0, 1}, // Not Applicable, Not Managed
		"ReplicationPriority":       {0, 1}, // Not Applicable, Not Managed
		"UseReplicationBuffer":      {0, 1}, // Not Applicable, Not Managed
		"CompressionRate":           {1, 1}, // None
		"StorageExtentInitialUsage": {2, 2}, // Unrestricted
		"StoragePoolInitialUsage":   {2, 2}, // Unrestricted
	}
}

func checkStorageSetting(in *cim.Instance) error {
	rules := storageRules()
	for _, p := range in.Class.Properties {
		v := in.At(p.Index)
		if v == nil || !p.Qualifiers.Flag("Write") || p.Origin != "CIM_StorageSetting" {
			continue
		}
		n, isNumber := v.(uint64)
		rule, ok := rules[p.Name]
		if ok && isNumber && n >= rule.least && n <= rule.most || cim.Equal(v, false) {
			continue
		}
		return replication.Errorf(replication.KindNotSupported, p.Name, "%s is not what volumes of this system are", cim.FormatText(v))
	}
	return nil
}

// labels are those that a setting goal puts on new volumes; nil for NULL.
func (a *args) labels(ctx context.Context, param string) map[string]string {
	p := a.ref(param)
	if p == nil || a.err != nil {
		return nil
	}
	id, _ := localID(p, idSetting)
	if !a.means(p, byInstanceID(classStorageSetting, idSetting+id)) {
		a.fail(replication.KindInvalid, param, "%s is not a storage setting of this system", p)
		return nil
	}
	r, err := a.storageSettings().byID(ctx, id)
	a.failWith(param, err)
	return map[string]string{labelSetting: r.ID}
}

// elementSettingData ties each volume to its setting.
func elementSettingData(r *registry) {
	m := r.model
	a := &association{class: r.class("TWINLUN_ElementSettingData"), near: "SettingData", far: "ManagedElement"}
	give := func(v pool.Volume, id string, yield links) error {
		set := func(b *cim.Builder) { b.Set("IsCurrent", settingIsCurrent) }
		return yield(link{near: byInstanceID(classStorageSetting, idSetting+id), far: m.volumePath(v.ID), set: set})
	}
	of := func(ctx context.Context, wanted func(id string) bool, yield links) error {
		kept, err := m.Settings.Settings(ctx, setting.Storage)
		if err != nil {
			return err
		}
		known := make(map[string]bool, len(kept))
		for _, r := range kept {
			known[r.ID] = true
		}
		return m.Volumes.EachVolume(ctx, func(v pool.Volume) error {
			if id := settingOf(v, known); wanted(id) {
				return give(v, id, yield)
			}
			return nil
		})
	}
	a.all = func(ctx context.Context, yield links) error {
		return of(ctx, func(string) bool { return true }, yield)
	}
	a.of = func(ctx context.Context, object *cim.Path, yield links) error {
		switch object.Class {
		case classStorageSetting:
			id, _ := localID(object, idSetting)
			return of(ctx, func(of string) bool { return of == id }, yield)
		case classStorageVolume:
			v, err := m.volumeAt(ctx, object)
			if err != nil {
				return err
			}
			id, err := m.settingIDOf(ctx, v)
			if err != nil {
				return err
			}
			return give(v, id, yield)
		}
		return nil
	}
	r.add(a)
}

// settingIsCurrent is the value of ElementSettingData.IsCurrent for what holds now.
const settingIsCurrent = 1

// settingOf is the ID of a volume's setting, given those that there are.
func settingOf(v pool.Volume, known map[string]bool) string {
	id := v.Labels[labelSetting]
	if known[id] {
		return id
	}
	return thin().ID
}

// settingIDOf is settingOf for one volume.
func (m *model) settingIDOf(ctx context.Context, v pool.Volume) (string, error) {
	_, err := m.Settings.Setting(ctx, setting.Storage, v.Labels[labelSetting])
	switch {
	case err == nil:
		return v.Labels[labelSetting], nil
	case missing(err):
		return thin().ID, nil
	}
	return "", err
}
