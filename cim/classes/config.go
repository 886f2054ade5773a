// Package classes serves the CIM classes of Twinlun: it shows pools, volumes,
// replicas, jobs and exposures as instances and carries out their methods. Each
// class has a file; All lists them; errors.go is the one place where failures
// of the layers below become CIM status or return codes.
package classes

import (
	"log/slog"
	"time"

	"twinlun/cim"
	"twinlun/cim/provider"
)

// Namespace is where the storage classes are served: the one in which Windows
// Server serves its own.
const Namespace = "root/cimv2/storage/iscsitarget"

// InteropNamespace is where profiles and services must be found (SMI-S).
const InteropNamespace = "root/interop"

// Config is what the classes stand on.
type Config struct {
	Schema *cim.Schema
	System string // name of this machine, key of the ComputerSystem
	// Version of the product, for people.
	Version string
	// PoolNames are the names of all pools; the first is the default.
	PoolNames []string
	// Portals tells where the iSCSI portals listen, HOST:PORT.
	Portals func() []string
	Time    func() time.Time
	Logger  *slog.Logger

	Replicator    Replicator
	Relationships Relationships
	Groups        Groups
	Volumes       Volumes
	Pools         Pools
	Jobs          Jobs
	Exports       Exports
}

// model is what all classes share.
type model struct {
	Config
	started time.Time
}

// All makes the provider of each class that is served. It fails where the schema
// lacks one of them.
func All(c Config) ([]provider.Provider, error) {
	m := &model{Config: c, started: c.Time()}
	b := &registry{model: m}
	for _, register := range []func(*registry){
		computerSystem, hostedService,
		storagePool, hostedStoragePool,
		storageVolume, systemDevice, allocatedFromStoragePool, storageSetting,
		storageConfigurationService,
		replicationService, replicationServiceCapabilities, elementCapabilities,
		storageSynchronized, groupSynchronized,
		replicationGroup, hostedCollection, orderedMemberOfCollection,
		concreteJob, owningJobElement, affectedJobElement,
		controllerConfigurationService, scsiProtocolController, protocolControllerForUnit,
		iscsiProtocolEndpoint, storageHardwareID,
	} {
		register(b)
	}
	return b.providers, b.err
}

// registry collects providers and keeps the first error.
type registry struct {
	*model
	providers []provider.Provider
	err       error
}

// class finds a class that the schema must have.
func (r *registry) class(name string) *cim.Class {
	c := r.Schema.Class(name)
	if c == nil && r.err == nil {
		r.err = cim.Errorf(cim.StatusInvalidClass, "the schema has no class %s", name)
	}
	return c
}

func (r *registry) add(p provider.Provider) { r.providers = append(r.providers, p) }
