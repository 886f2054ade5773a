package classes

import (
	"context"

	"twinlun/blockdev"
	"twinlun/blockdev/export"
	"twinlun/blockdev/pool"
	"twinlun/cim"
)

// shownVolume is a volume with what other layers know of it.
type shownVolume struct {
	pool.Volume
	target string // iSCSI name of its target, or empty
}

func storageVolume(r *registry) {
	m := r.model
	r.add(&source[shownVolume]{
		class: r.class(classStorageVolume), list: m.shownVolumes, find: m.shownVolume, fill: m.fillVolume,
	})
}

func (m *model) fillVolume(b *cim.Builder, v shownVolume) {
	setHealthy(b)
	m.setHosted(b, classStorageVolume, "DeviceID", string(v.ID))
	b.Set("ElementName", v.Name).Set("InstanceID", "TWINLUN:volume:"+string(v.ID)).
		Set("Name", string(v.ID)).Set("NameFormat", 9).Set("NameNamespace", 2). // NAA, VPD83Type3
		Set("BlockSize", blockdev.SectorSize).
		Set("NumberOfBlocks", v.Size/blockdev.SectorSize).Set("ConsumableBlocks", v.Size/blockdev.SectorSize).
		Set("Access", 3).Set("DataOrganization", 2).Set("ExtentStatus", []uint16{2}).
		Set("EnabledState", enabled).Set("RequestedState", 5).
		Set("IsBasedOnUnderlyingRedundancy", false).Set("NoSinglePointOfFailure", false).
		Set("DataRedundancy", 1).Set("PackageRedundancy", 0).Set("Primordial", false).Set("IsComposite", false).
		Set("SequentialAccess", false).Set("ThinlyProvisioned", true).Set("Usage", 2).Set("InstallDate", cim.TimeValue(v.Created)).
		Set("PoolName", v.Pool).Set("AllocatedSpace", v.Allocated).Set("SharesSpace", v.Dependent)
	if v.target != "" {
		b.Set("TargetName", v.target)
	}
}

func (m *model) shownVolumes(ctx context.Context) ([]shownVolume, error) {
	exports, err := m.Exports.Exports(ctx)
	if err != nil {
		return nil, err
	}
	targets := make(map[export.VolumeRef]string, len(exports))
	for _, e := range exports {
		targets[e.Volume] = e.Target
	}
	var shown []shownVolume
	err = m.eachVolume(ctx, func(v pool.Volume) error {
		shown = append(shown, shownVolume{Volume: v, target: targets[exportRef(refOf(v))]})
		return nil
	})
	return shown, err
}

func (m *model) shownVolume(ctx context.Context, p *cim.Path) (shownVolume, error) {
	v, err := m.volumeAt(ctx, p)
	if err != nil {
		return shownVolume{}, err
	}
	e, err := m.Exports.Export(ctx, exportRef(refOf(v)))
	if err != nil && !missing(err) {
		return shownVolume{}, err
	}
	return shownVolume{Volume: v, target: e.Target}, nil
}

// systemDevice lists the volumes and controllers of the system.
func systemDevice(r *registry) {
	m := r.model
	a := &association{class: r.class("TWINLUN_SystemDevice"), near: "GroupComponent", far: "PartComponent"}
	give := func(device *cim.Path, yield links) error { return yield(link{near: m.systemPath(), far: device}) }
	a.all = func(ctx context.Context, yield links) error {
		err := m.eachVolume(ctx, func(v pool.Volume) error { return give(m.volumePath(v.ID), yield) })
		if err != nil {
			return err
		}
		return m.eachExport(ctx, func(e export.Export) error { return give(m.controllerPath(e), yield) })
	}
	a.of = func(ctx context.Context, object *cim.Path, yield links) error {
		if object.Class == classComputerSystem {
			return a.all(ctx, yield)
		}
		return give(object, yield)
	}
	r.add(a)
}
