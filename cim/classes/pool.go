package classes

import (
	"context"
	"fmt"

	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication"
)

func storagePool(r *registry) {
	m := r.model
	r.add(&service[pool.Info]{
		source: &source[pool.Info]{class: r.class(classStoragePool), each: eachOf(m.Pools.Pools), find: m.poolAt, same: samePool, fill: m.fillPool},
		model:  m, role: cim.RoleOperator, methods: map[string]method{"Scrub": scrubPool},
	})
}

// samePool sets what all pools have in common.
func samePool(b *cim.Builder) {
	setHealthy(b)
	b.Set("Primordial", false).Set("ResourceType", 19).Set("AllocationUnits", "byte"). // Storage Extent
												Set("ElementsShareSpace", true).Set("Usage", 2) // Unrestricted
}

func (m *model) fillPool(b *cim.Builder, p pool.Info) {
	b.Set("InstanceID", idPool+p.Name).Set("PoolID", p.Name).Set("ElementName", p.Name).Set("Name", p.Name).
		Set("TotalManagedSpace", p.Total).Set("RemainingManagedSpace", room(p)).Set("ReservedSpace", p.Reserve).
		Set("Capacity", p.Total).Set("Reserved", p.Allocated).
		Set("ProvisionedSpace", p.Provisioned).Set("NumberOfVolumes", p.Volumes).
		Set("ThinProvisionMetaDataSpace", p.Metadata).Set("AllocatedSpace", p.Allocated).Set("SharedSpace", p.Shared).Set("ReclaimableSpace", p.Reclaimable+p.Lost).
		Set("LostSpace", p.Lost).Set("DamagedSpace", p.Damaged)
	if levels := m.spaceLevels(p.Name); len(levels) > 0 {
		b.Set("LowSpaceWarningThreshold", 100-levels[0].Used)
	}
	if p.MaxProvisioned > 0 {
		b.Set("ProvisionedLimit", p.MaxProvisioned)
	}
	if p.Damaged > 0 {
		b.Set("OperationalStatus", []uint16{statusDegraded}).Set("HealthState", healthDegraded).
			Set("StatusDescriptions", []string{fmt.Sprintf("%d bytes of its content are damaged", p.Damaged)})
	}
}

// room is the space that volumes can take.
func room(p pool.Info) int64 { return max(0, p.Free-p.Reserve) }

// scrubPool begins to compare a pool with its checksums.
func scrubPool(ctx context.Context, a *args) (*cim.Reply, error) {
	name, _ := localID(a.call.Path, idPool)
	rate := a.number("RateLimit")
	if rate > maxSize {
		return nil, replication.Errorf(replication.KindInvalid, "RateLimit", "%d bytes a second is more than can be limited to", rate)
	}
	id, err := a.Pools.ScrubPool(ctx, name, int64(rate))
	if err != nil {
		return nil, err
	}
	return doneOrStarted(id), nil
}

func (m *model) poolAt(ctx context.Context, p *cim.Path) (pool.Info, error) {
	name, _ := localID(p, idPool)
	pools, err := m.Pools.Pools(ctx)
	if err != nil {
		return pool.Info{}, err
	}
	for _, info := range pools {
		if info.Name == name {
			return info, nil
		}
	}
	return pool.Info{}, notFound(p)
}

func hostedStoragePool(r *registry) {
	m := r.model
	r.add(&association{
		class: r.class("TWINLUN_HostedStoragePool"), near: "GroupComponent", far: "PartComponent",
		all: func(_ context.Context, yield links) error {
			for _, name := range m.PoolNames {
				if err := yield(link{near: m.systemPath(), far: poolPath(name)}); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// allocatedFromStoragePool ties each volume to the pool that it takes space from.
func allocatedFromStoragePool(r *registry) {
	m := r.model
	a := &association{class: r.class("TWINLUN_AllocatedFromStoragePool"), near: "Antecedent", far: "Dependent"}
	give := func(v pool.Volume, yield links) error {
		set := func(b *cim.Builder) { b.Set("SpaceConsumed", v.Allocated) }
		return yield(link{near: poolPath(v.Pool), far: m.volumePath(v.ID), set: set})
	}
	a.all = func(ctx context.Context, yield links) error {
		return m.Volumes.EachVolume(ctx, func(v pool.Volume) error { return give(v, yield) })
	}
	a.of = func(ctx context.Context, object *cim.Path, yield links) error {
		switch object.Class {
		case classStoragePool:
			name, _ := localID(object, idPool)
			return m.Volumes.EachVolume(ctx, func(v pool.Volume) error {
				if v.Pool != name {
					return nil
				}
				return give(v, yield)
			})
		case classStorageVolume:
			v, err := m.volumeAt(ctx, object)
			if err != nil {
				return err
			}
			return give(v, yield)
		}
		return nil
	}
	r.add(a)
}
