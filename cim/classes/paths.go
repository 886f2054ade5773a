package classes

import (
	"context"
	"strings"

	"twinlun/blockdev/export"
	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication"
)

// Names of the classes that paths refer to.
const (
	classComputerSystem    = "TWINLUN_ComputerSystem"
	classStoragePool       = "TWINLUN_StoragePool"
	classStorageVolume     = "TWINLUN_StorageVolume"
	classStorageSetting    = "TWINLUN_StorageSetting"
	classKeptSettingData   = "TWINLUN_ReplicationSettingData"
	classReplicationGroup  = "TWINLUN_ReplicationGroup"
	classConcreteJob       = "TWINLUN_ConcreteJob"
	classStorageSynced     = "TWINLUN_StorageSynchronized"
	classGroupSynced       = "TWINLUN_GroupSynchronized"
	classController        = "TWINLUN_SCSIProtocolController"
	classEndpoint          = "TWINLUN_iSCSIProtocolEndpoint"
	classReplicationSvc    = "TWINLUN_ReplicationService"
	classCapabilities      = "TWINLUN_ReplicationServiceCapabilities"
	classStorageConfigSvc  = "TWINLUN_StorageConfigurationService"
	classControllerConfSvc = "TWINLUN_ControllerConfigurationService"
)

// Prefixes of InstanceIDs, in the form <OrgID>:<LocalID>.
const (
	idPool               = "TWINLUN:pool:"
	idGroup              = "TWINLUN:group:"
	idJob                = "TWINLUN:job:"
	idSetting            = "TWINLUN:setting:"
	idReplicationSetting = "TWINLUN:replication-setting:"
	idHardware           = "TWINLUN:initiator:"
	idCapabilities       = "TWINLUN:replication-capabilities"
)

// path makes a path in the storage namespace. The keys must be in the order of
// the class, as in the paths of instances: clients compare the two as text.
func path(class string, keys ...cim.Key) *cim.Path {
	return &cim.Path{Namespace: Namespace, Class: class, Keys: keys}
}

func byInstanceID(class, id string) *cim.Path {
	return path(class, cim.Key{Name: "InstanceID", Value: id})
}

func (m *model) systemPath() *cim.Path {
	return path(classComputerSystem, cim.Key{Name: "Name", Value: m.System}, cim.Key{Name: "CreationClassName", Value: classComputerSystem})
}

// device is the path of a volume or controller.
func (m *model) device(class string, id pool.VolumeID) *cim.Path {
	return path(class,
		cim.Key{Name: "SystemCreationClassName", Value: classComputerSystem},
		cim.Key{Name: "SystemName", Value: m.System},
		cim.Key{Name: "CreationClassName", Value: class},
		cim.Key{Name: "DeviceID", Value: string(id)})
}

func (m *model) volumePath(id pool.VolumeID) *cim.Path { return m.device(classStorageVolume, id) }

func (m *model) controllerPath(v export.VolumeRef) *cim.Path { return m.device(classController, v.ID) }

// servicePath is the path of the one instance of a service class.
func (m *model) servicePath(class string) *cim.Path {
	return path(class,
		cim.Key{Name: "Name", Value: class},
		cim.Key{Name: "SystemCreationClassName", Value: classComputerSystem},
		cim.Key{Name: "SystemName", Value: m.System},
		cim.Key{Name: "CreationClassName", Value: class})
}

// setHost sets the keys that tell which system hosts an instance.
func (m *model) setHost(b *cim.Builder, class string) {
	b.Set("SystemCreationClassName", classComputerSystem).Set("SystemName", m.System).Set("CreationClassName", class)
}

func poolPath(name string) *cim.Path { return byInstanceID(classStoragePool, idPool+name) }
func groupPath(id string) *cim.Path  { return byInstanceID(classReplicationGroup, idGroup+id) }
func jobPath(id string) *cim.Path    { return byInstanceID(classConcreteJob, idJob+id) }

// synced is the path of an association between two elements.
func synced(class string, source, target *cim.Path) *cim.Path {
	return path(class, cim.Key{Name: "SystemElement", Value: source}, cim.Key{Name: "SyncedElement", Value: target})
}

func (m *model) pairPath(r replication.Relationship) *cim.Path {
	return synced(classStorageSynced, m.volumePath(r.Source.ID), m.volumePath(r.Target.ID))
}

// tiePath is the path of a group relationship by the IDs of its groups.
func tiePath(source, target string) *cim.Path {
	return synced(classGroupSynced, groupPath(source), groupPath(target))
}

// localID is what follows the prefix in the InstanceID of a path; ok is false
// where the path has no such InstanceID.
func localID(p *cim.Path, prefix string) (id string, ok bool) {
	s, _ := p.Key("InstanceID").(string)
	return strings.CutPrefix(s, prefix)
}

// means says whether a path that a client gave can name our instance own: its
// class is that of own or one above it, and its keys are those of own.
func (m *model) means(p, own *cim.Path) bool {
	if p.Namespace != "" && cim.CanonicalNamespace(p.Namespace) != Namespace {
		return false
	}
	if len(p.Keys) != len(own.Keys) || !m.Schema.Class(own.Class).IsA(p.Class) {
		return false
	}
	for _, k := range own.Keys {
		if !cim.Equal(p.Key(k.Name), k.Value) {
			return false
		}
	}
	return true
}

// deviceID is the DeviceID of a path to a device of ours, or "".
func (m *model) deviceID(p *cim.Path, class string) pool.VolumeID {
	id, _ := p.Key("DeviceID").(string)
	if !m.means(p, m.device(class, pool.VolumeID(id))) {
		return ""
	}
	return pool.VolumeID(id)
}

// volumeAt finds the volume that a path names. The path's class may be any
// superclass of ours; StatusNotFound otherwise.
func (m *model) volumeAt(ctx context.Context, p *cim.Path) (pool.Volume, error) {
	id := m.deviceID(p, classStorageVolume)
	if id == "" {
		return pool.Volume{}, notFound(p)
	}
	return m.volumeByID(ctx, id)
}

// volumeByID finds a volume in whichever pool has it.
func (m *model) volumeByID(ctx context.Context, id pool.VolumeID) (pool.Volume, error) {
	for _, name := range m.PoolNames {
		v, err := m.Volumes.Volume(ctx, replication.VolumeRef{Pool: name, ID: id})
		if err == nil || !missing(err) {
			return v, err
		}
	}
	return pool.Volume{}, cim.Errorf(cim.StatusNotFound, "there is no volume %s", id)
}

func refOf(v pool.Volume) replication.VolumeRef { return replication.VolumeRef{Pool: v.Pool, ID: v.ID} }

func exportRef(r replication.VolumeRef) export.VolumeRef {
	return export.VolumeRef{Pool: r.Pool, ID: r.ID}
}
