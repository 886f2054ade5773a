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
	idPool         = "TWINLUN:pool:"
	idGroup        = "TWINLUN:group:"
	idJob          = "TWINLUN:job:"
	idSetting      = "TWINLUN:setting:"
	idHardware     = "TWINLUN:initiator:"
	idCapabilities = "TWINLUN:replication-capabilities"
)

func path(class string, keys ...cim.Key) *cim.Path {
	return &cim.Path{Namespace: Namespace, Class: class, Keys: keys}
}

func byInstanceID(class, id string) *cim.Path {
	return path(class, cim.Key{Name: "InstanceID", Value: id})
}

func (m *model) systemPath() *cim.Path {
	return path(classComputerSystem, cim.Key{Name: "CreationClassName", Value: classComputerSystem}, cim.Key{Name: "Name", Value: m.System})
}

// hosted is the path of an object whose keys name the system, its class and one
// name of its own.
func (m *model) hosted(class, key, value string) *cim.Path {
	return path(class,
		cim.Key{Name: "SystemCreationClassName", Value: classComputerSystem},
		cim.Key{Name: "SystemName", Value: m.System},
		cim.Key{Name: "CreationClassName", Value: class},
		cim.Key{Name: key, Value: value})
}

// setHosted sets the keys that hosted has.
func (m *model) setHosted(b *cim.Builder, class, key, value string) {
	b.Set("SystemCreationClassName", classComputerSystem).Set("SystemName", m.System).Set("CreationClassName", class).Set(key, value)
}

func (m *model) volumePath(id pool.VolumeID) *cim.Path {
	return m.hosted(classStorageVolume, "DeviceID", string(id))
}

func (m *model) servicePath(class string) *cim.Path { return m.hosted(class, "Name", class) }

func (m *model) controllerPath(e export.Export) *cim.Path {
	return m.hosted(classController, "DeviceID", string(e.Volume.ID))
}

func poolPath(name string) *cim.Path         { return byInstanceID(classStoragePool, idPool+name) }
func groupPath(id string) *cim.Path          { return byInstanceID(classReplicationGroup, idGroup+id) }
func (m *model) jobPath(id string) *cim.Path { return byInstanceID(classConcreteJob, idJob+id) }

// synced is the path of an association between two elements.
func synced(class string, source, target *cim.Path) *cim.Path {
	return path(class, cim.Key{Name: "SystemElement", Value: source}, cim.Key{Name: "SyncedElement", Value: target})
}

func (m *model) relationshipPath(r replication.Relationship) *cim.Path {
	return synced(classStorageSynced, m.volumePath(r.Source.ID), m.volumePath(r.Target.ID))
}

func (m *model) groupRelationshipPath(g replication.GroupRelationship) *cim.Path {
	return synced(classGroupSynced, groupPath(g.Source), groupPath(g.Target))
}

// localID is what follows the prefix in the InstanceID of a path; ok is false
// where the path has no such InstanceID.
func localID(p *cim.Path, prefix string) (id string, ok bool) {
	s, _ := p.Key("InstanceID").(string)
	return strings.CutPrefix(s, prefix)
}

// names says whether a path, whose class may be a superclass, can name an
// instance with the path own: each of its keys is a key of own with its value.
func names(p, own *cim.Path) bool {
	for _, k := range p.Keys {
		if !cim.Equal(own.Key(k.Name), k.Value) {
			return false
		}
	}
	return len(p.Keys) == len(own.Keys)
}

// volumeAt finds the volume that a path names. The path's class may be any
// superclass of ours; StatusNotFound otherwise.
func (m *model) volumeAt(ctx context.Context, p *cim.Path) (pool.Volume, error) {
	id, _ := p.Key("DeviceID").(string)
	own := m.volumePath(pool.VolumeID(id))
	if id == "" || !m.isAncestor(p.Class, classStorageVolume) || !names(p, own) || !sameNamespace(p) {
		return pool.Volume{}, notFound(p)
	}
	return m.volumeByID(ctx, pool.VolumeID(id))
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

// isAncestor says whether class is the named leaf class or one above it.
func (m *model) isAncestor(class, leaf string) bool {
	return m.Schema.Class(leaf).IsA(class)
}

func sameNamespace(p *cim.Path) bool {
	return p.Namespace == "" || cim.CanonicalNamespace(p.Namespace) == Namespace
}

func refOf(v pool.Volume) replication.VolumeRef { return replication.VolumeRef{Pool: v.Pool, ID: v.ID} }
func exportRef(r replication.VolumeRef) export.VolumeRef {
	return export.VolumeRef{Pool: r.Pool, ID: r.ID}
}
