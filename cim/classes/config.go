// Package classes serves the CIM classes of Twinlun: it shows pools, volumes,
// replicas, jobs and exposures as instances and carries out their methods. Each
// class has a file; All lists them; errors.go is the one place where failures
// of the layers below become CIM status or return codes.
package classes

import (
	"errors"
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

// Config is what the classes stand on. All of it but Version is needed.
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
	// Space are the alarm levels of pools by name, in ascending order of Used. A pool
	// without has 80 % Degraded/Warning, 90 % Major, 100 % Critical.
	Space map[string][]SpaceLevel

	Replicator    Replicator
	Relationships Relationships
	Groups        Groups
	Volumes       Volumes
	Pools         Pools
	Jobs          Jobs
	Exports       Exports
	Editor        Editor
	Settings      Settings
}

// model is what all classes share.
type model struct {
	Config
	started time.Time
}

// check fails where something is missing that the classes cannot do without.
func (c Config) check() error {
	switch {
	case c.Schema == nil, c.Portals == nil, c.Time == nil, c.Logger == nil:
		return errors.New("classes: Schema, Portals, Time and Logger are needed")
	case c.System == "", len(c.PoolNames) == 0:
		return errors.New("classes: the system needs a name and at least one pool")
	case c.Replicator == nil, c.Relationships == nil, c.Groups == nil, c.Volumes == nil, c.Pools == nil, c.Jobs == nil, c.Exports == nil,
		c.Editor == nil, c.Settings == nil:
		return errors.New("classes: a backend is missing")
	}
	return nil
}

// All makes the provider of each class that is served. It fails where the schema
// lacks one of them, or the Config something.
func All(c Config) ([]provider.Provider, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	m := &model{Config: c, started: c.Time()}
	b := &registry{model: m}
	for _, register := range []func(*registry){
		computerSystem, hostedService,
		storagePool, hostedStoragePool,
		storageVolume, systemDevice, allocatedFromStoragePool, storageSetting, elementSettingData,
		storageConfigurationService,
		replicationService, replicationServiceCapabilities, elementCapabilities, replicationSettingData,
		storageSynchronized, groupSynchronized,
		replicationGroup, hostedCollection, orderedMemberOfCollection,
		concreteJob, owningJobElement, affectedJobElement,
		controllerConfigurationService, scsiProtocolController, protocolControllerForUnit,
		iscsiProtocolEndpoint, storageHardwareID,
		registeredProfile, registeredSubProfile, elementConformsToProfile, subProfileRequiresProfile,
		objectManager, hostedObjectManager, namespace, namespaceInManager,
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
