package classes

import (
	"context"

	"twinlun/blockdev/pool"
	"twinlun/cim"
)

func storagePool(r *registry) {
	m := r.model
	r.add(&source[pool.Info]{
		class: r.class(classStoragePool), each: eachOf(m.Pools.Pools), find: m.poolAt,
		fill: func(b *cim.Builder, p pool.Info) {
			setHealthy(b)
			b.Set("InstanceID", idPool+p.Name).Set("PoolID", p.Name).Set("ElementName", p.Name).Set("Name", p.Name).
				Set("Primordial", false).Set("ResourceType", 19). // Storage Extent
				Set("TotalManagedSpace", p.Total).Set("RemainingManagedSpace", p.Free).
				Set("Capacity", p.Total).Set("Reserved", p.Allocated).Set("AllocationUnits", "byte").
				Set("ElementsShareSpace", true).Set("Usage", 2). // Unrestricted
				Set("ProvisionedSpace", p.Provisioned).Set("NumberOfVolumes", p.Volumes)
		},
	})
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
