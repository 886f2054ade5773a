package classes

import (
	"context"
	"fmt"
	"strings"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication"
)

func storageConfigurationService(r *registry) {
	r.add(newService(r, classStorageConfigSvc, "Volumes", cim.RoleAdmin, map[string]method{
		"CreateOrModifyElementFromStoragePool": createOrModify,
		"ReturnToStoragePool":                  returnToPool,
	}))
}

// Values of ElementType (CIM 2.49) that mean what volumes are.
const (
	elementVolume     = 2
	elementThinVolume = 5
)

// createOrModify makes a volume, or gives one another size or name.
func createOrModify(ctx context.Context, a *args) (*cim.Reply, error) {
	if t := a.number("ElementType"); a.given("ElementType") && t != elementVolume && t != elementThinVolume {
		a.fail(replication.KindNotSupported, "ElementType", "%d: only storage volumes (%d, and thin ones %d) are made here", t, elementVolume, elementThinVolume)
	}
	var v pool.Volume
	var err error
	if a.given("TheElement") {
		v, err = a.modifyVolume(ctx)
	} else {
		v, err = a.createVolume(ctx)
	}
	if err != nil {
		return nil, err
	}
	return done(
		cim.Arg{Name: "Size", Value: uint64(v.Size)},
		cim.Arg{Name: "TheElement", Value: a.volumePath(v.ID)}), nil
}

func (a *args) createVolume(ctx context.Context) (pool.Volume, error) {
	spec := pool.Spec{Name: a.text("ElementName"), Size: a.size(), Labels: a.labels("Goal")}
	in := a.pool("InPool")
	if in == "" {
		in = a.PoolNames[0]
	}
	if spec.Size == 0 {
		a.fail(replication.KindInvalid, "Size", "a new volume needs a size")
	}
	if spec.Name == "" {
		spec.Name = a.freeName(ctx)
	}
	if a.err != nil {
		return pool.Volume{}, a.err
	}
	return a.Volumes.CreateVolume(ctx, in, spec)
}

func (a *args) modifyVolume(ctx context.Context) (pool.Volume, error) {
	if a.given("InPool") {
		a.fail(replication.KindInvalid, "InPool", "shall be NULL when TheElement is given")
	}
	ref, size, labels := a.volume("TheElement"), a.size(), a.labels("Goal")
	if a.err != nil {
		return pool.Volume{}, a.err
	}
	return a.Volumes.UpdateVolume(ctx, ref, func(v *pool.Volume) error {
		if size > 0 {
			v.Size = size
		}
		if a.given("ElementName") {
			v.Name = a.text("ElementName")
		}
		for key, value := range labels {
			v.Labels[key] = value
		}
		return nil
	})
}

// size is the parameter Size rounded up to whole sectors, 0 for NULL.
func (a *args) size() int64 {
	n := a.number("Size")
	const limit = 1 << 60
	if n > limit {
		a.fail(replication.KindInvalid, "Size", "%d bytes is more than a volume can have", n)
		return 0
	}
	return int64((n + blockdev.SectorSize - 1) / blockdev.SectorSize * blockdev.SectorSize)
}

// freeName makes up a name that no volume has.
func (a *args) freeName(ctx context.Context) string {
	taken := map[string]bool{}
	a.failWith("ElementName", a.eachVolume(ctx, func(v pool.Volume) error {
		taken[strings.ToLower(v.Name)] = true
		return nil
	}))
	for n := 1; ; n++ {
		if name := fmt.Sprintf("volume-%d", n); !taken[name] {
			return name
		}
	}
}

func returnToPool(ctx context.Context, a *args) (*cim.Reply, error) {
	ref := a.volume("TheElement")
	if a.err != nil {
		return nil, a.err
	}
	if err := a.Volumes.DeleteVolume(ctx, ref); err != nil {
		return nil, err
	}
	return done(), nil
}
