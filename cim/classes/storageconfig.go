package classes

import (
	"context"
	"errors"
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
		"ResizeVolume":                         resizeVolume,
	}))
}

// createOrModify makes a volume, or gives one another size or name.
func createOrModify(ctx context.Context, a *args) (*cim.Reply, error) {
	a.checkElementType()
	create := a.createVolume
	if a.given("TheElement") {
		create = a.modifyVolume
	}
	v, err := create(ctx)
	if refusal := overLimit(err, a.size()); refusal != nil {
		return refusal, nil
	}
	if err != nil {
		return nil, err
	}
	return done(out("Size", uint64(v.Size)), out("TheElement", a.volumePath(v.ID))), nil
}

// Values of ElementType (CIM 2.49) that mean what volumes are, and the last one
// with a meaning.
const (
	elementVolume     = 2
	elementThinVolume = 5
	elementLast       = 8
	vendorRange       = 0x8000
)

func (a *args) checkElementType() {
	const param = "ElementType"
	switch t := a.number(param); {
	case !a.given(param), t == elementVolume, t == elementThinVolume:
	case t < elementVolume, t > elementLast && t < vendorRange:
		a.fail(replication.KindInvalid, param, "%d is reserved", t)
	default:
		a.fail(replication.KindNotSupported, param, "%d: only storage volumes (%d, and thin ones %d) are made here", t, elementVolume, elementThinVolume)
	}
}

func (a *args) createVolume(ctx context.Context) (pool.Volume, error) {
	a.need("Size", "the size of the new volume")
	spec := pool.Spec{Name: a.text("ElementName"), Size: a.size(), Labels: a.labels(ctx, "Goal")}
	in := a.pool("InPool")
	if in == "" {
		in = a.PoolNames[0]
	}
	if a.err != nil {
		return pool.Volume{}, a.err
	}
	if spec.Name == "" {
		return a.createUnnamed(ctx, in, spec)
	}
	return a.Volumes.CreateVolume(ctx, in, spec)
}

// createUnnamed makes a volume with a name that the system makes up. Another
// request may take the same one first.
func (a *args) createUnnamed(ctx context.Context, in string, spec pool.Spec) (pool.Volume, error) {
	const attempts = 8
	var v pool.Volume
	var err error
	for range attempts {
		if spec.Name, err = a.freeName(ctx); err != nil {
			return pool.Volume{}, err
		}
		v, err = a.Volumes.CreateVolume(ctx, in, spec)
		e, ok := errors.AsType[*replication.Error](err)
		if !ok || e.Param != "ElementName" {
			break
		}
	}
	return v, err
}

// freeName makes up a name that no volume has.
func (a *args) freeName(ctx context.Context) (string, error) {
	taken := map[string]bool{}
	err := a.Volumes.EachVolume(ctx, func(v pool.Volume) error {
		taken[strings.ToLower(v.Name)] = true
		return nil
	})
	n := 1
	for taken[unnamed(n)] {
		n++
	}
	return unnamed(n), err
}

func unnamed(n int) string { return fmt.Sprintf("volume-%d", n) }

func (a *args) modifyVolume(ctx context.Context) (pool.Volume, error) {
	ref, size, labels := a.volume(ctx, "TheElement"), a.size(), a.labels(ctx, "Goal")
	if in := a.pool("InPool"); in != "" && in != ref.Pool {
		a.fail(replication.KindInvalid, "InPool", "the volume is in pool %s", ref.Pool)
	}
	if a.err != nil {
		return pool.Volume{}, a.err
	}
	return a.Volumes.UpdateVolume(ctx, ref, func(v *pool.Volume) error {
		if a.given("Size") {
			v.Size = size
		}
		if a.given("ElementName") {
			v.Name = a.text("ElementName")
		}
		if v.Labels == nil {
			v.Labels = map[string]string{}
		}
		for key, value := range labels {
			v.Labels[key] = value
		}
		return nil
	})
}

// maxSize is more than any volume can have.
const maxSize = 1 << 60

// size is the parameter Size rounded up to whole sectors, 0 for NULL.
func (a *args) size() int64 {
	n := a.number("Size")
	switch {
	case n == 0 && a.given("Size"):
		a.fail(replication.KindInvalid, "Size", "a volume cannot have 0 bytes")
	case n > maxSize:
		a.fail(replication.KindInvalid, "Size", "%d bytes is more than a volume can have", n)
		return 0
	}
	return int64((n + blockdev.SectorSize - 1) / blockdev.SectorSize * blockdev.SectorSize)
}

func resizeVolume(ctx context.Context, a *args) (*cim.Reply, error) {
	a.need("Size", "a size")
	ref, size := a.volume(ctx, "TheElement"), a.size()
	if a.err != nil {
		return nil, a.err
	}
	v, err := a.Volumes.ResizeVolume(ctx, ref, size, a.flag("Force", false))
	if refusal := overLimit(err, size); refusal != nil {
		return refusal, nil
	}
	if err != nil {
		return nil, err
	}
	return done(out("Size", uint64(v.Size))), nil
}

func returnToPool(ctx context.Context, a *args) (*cim.Reply, error) {
	ref := a.volume(ctx, "TheElement")
	if a.err != nil {
		return nil, a.err
	}
	if err := a.Volumes.DeleteVolume(ctx, ref); err != nil {
		return nil, err
	}
	return done(), nil
}
