package classes

import (
	"context"
	"fmt"
	"strings"

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
	s := &source[shownVolume]{
		class: r.class(classStorageVolume), each: m.shownVolumes, count: m.Volumes.CountVolumes,
		find: m.shownVolume, same: m.sameVolume, fill: m.fillVolume,
	}
	r.add(writable[shownVolume]{s, m.volumeWriter()})
}

// sameVolume sets what all volumes have in common.
func (m *model) sameVolume(b *cim.Builder) {
	setHealthy(b)
	m.setHost(b, classStorageVolume)
	b.Set("NameFormat", 9).Set("NameNamespace", 2). // NAA, VPD83Type3
							Set("BlockSize", blockdev.SectorSize).
							Set("Access", 3).Set("DataOrganization", 2).Set("ExtentStatus", []uint16{2}). // Read/Write, Fixed Block, None
							Set("EnabledState", enabled).Set("RequestedState", noChange).
							Set("IsBasedOnUnderlyingRedundancy", false).Set("NoSinglePointOfFailure", false).
							Set("DataRedundancy", 1).Set("PackageRedundancy", 0).Set("DeltaReservation", 0).
							Set("Primordial", false).Set("IsComposite", false).Set("SequentialAccess", false).
							Set("ThinlyProvisioned", true).Set("Usage", 2) // Unrestricted
}

func (m *model) fillVolume(b *cim.Builder, v shownVolume) {
	blocks := uint64(v.Size / blockdev.SectorSize)
	b.Set("DeviceID", string(v.ID)).Set("ElementName", v.Name).Set("InstanceID", "TWINLUN:volume:"+string(v.ID)).
		Set("Name", naaName(v.ID)).Set("NumberOfBlocks", blocks).Set("ConsumableBlocks", blocks).
		Set("InstallDate", cim.TimeValue(v.Created)).
		Set("PoolName", v.Pool).Set("AllocatedSpace", v.Allocated).Set("SharedSpace", v.Shared).Set("SharesSpace", v.Dependent).
		Set("DamagedSpace", v.Damaged)
	if v.Damaged > 0 {
		b.Set("OperationalStatus", []uint16{statusError}).Set("HealthState", healthMajor).Set("ExtentStatus", []uint16{dataLost}).
			Set("StatusDescriptions", []string{fmt.Sprintf("%d bytes of what it stands on are damaged", v.Damaged)})
	}
	if v.target != "" {
		b.Set("TargetName", v.target)
	}
}

// dataLost is the ExtentStatus Data Lost.
const dataLost = 4

// naaName is a volume's identifier in the form that CIM_StorageExtent wants for
// NameFormat NAA: hexadecimal digits in upper case.
func naaName(id pool.VolumeID) string { return strings.ToUpper(string(id)) }

// volumeNamed is the identifier of the volume with this Name, in any case.
func volumeNamed(name string) pool.VolumeID { return pool.VolumeID(strings.ToLower(name)) }

func (m *model) shownVolumes(ctx context.Context, yield func(shownVolume) error) error {
	return m.Volumes.EachVolume(ctx, func(v pool.Volume) error { return yield(m.showVolume(v)) })
}

// showVolume looks up what is shown beside a volume.
func (m *model) showVolume(v pool.Volume) shownVolume {
	return shownVolume{Volume: v, target: m.Exports.TargetOf(exportRef(refOf(v)))}
}

func (m *model) shownVolume(ctx context.Context, p *cim.Path) (shownVolume, error) {
	v, err := m.volumeAt(ctx, p)
	if err != nil {
		return shownVolume{}, err
	}
	return m.showVolume(v), nil
}

// systemDevice lists the volumes and controllers of the system.
func systemDevice(r *registry) {
	m := r.model
	a := &association{class: r.class("TWINLUN_SystemDevice"), near: "GroupComponent", far: "PartComponent"}
	give := func(device *cim.Path, yield links) error { return yield(link{near: m.systemPath(), far: device}) }
	a.all = func(ctx context.Context, yield links) error {
		err := m.Volumes.EachVolume(ctx, func(v pool.Volume) error { return give(m.volumePath(v.ID), yield) })
		if err != nil {
			return err
		}
		return eachOf(m.Exports.Exports)(ctx, func(e export.Export) error { return give(m.controllerPath(e.Volume), yield) })
	}
	a.of = func(ctx context.Context, object *cim.Path, yield links) error {
		var err error
		switch object.Class {
		case classComputerSystem:
			return a.all(ctx, yield)
		case classStorageVolume:
			_, err = m.volumeAt(ctx, object)
		case classController:
			_, err = m.exportAt(ctx, object)
		default:
			return nil
		}
		if err != nil {
			return err
		}
		return give(object, yield)
	}
	r.add(a)
}
