package classes

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"twinlun/blockdev/export"
	"twinlun/cim"
	"twinlun/replication"
)

func controllerConfigurationService(r *registry) {
	r.add(newService(r, classControllerConfSvc, "Exposure", cim.RoleAdmin, map[string]method{
		"ExposePaths":  exposePaths,
		"HidePaths":    hidePaths,
		"ExposeVolume": exposeVolume,
		"HideVolume":   hideVolume,
	}))
}

// Return codes of ExposePaths and HidePaths beside the common ones (CIM 2.49).
const (
	invalidLogicalUnit = 4097
	invalidTargetPort  = 4099
	invalidPermission  = 4100 // ExposePaths
)

func exposeVolume(ctx context.Context, a *args) (*cim.Reply, error) {
	req := export.Request{
		Volume: exportRef(a.volume(ctx, "Volume")), Initiators: a.texts("InitiatorPortIDs"),
		User: a.text("ChapUser"), Secret: a.text("ChapSecret"), ReadOnly: a.flag("ReadOnly", false),
	}
	if a.err != nil {
		return nil, a.err
	}
	e, err := a.Exports.Expose(ctx, req)
	if err != nil {
		return nil, err
	}
	return done(out("ProtocolController", a.controllerPath(e.Volume)), out("TargetName", e.Target)), nil
}

func hideVolume(ctx context.Context, a *args) (*cim.Reply, error) {
	v, initiators := a.volume(ctx, "Volume"), a.texts("InitiatorPortIDs")
	if a.err != nil {
		return nil, a.err
	}
	if err := a.Exports.Hide(ctx, exportRef(v), initiators); err != nil {
		return nil, err
	}
	return done(), nil
}

// exposePaths exposes volumes by name. Each volume is LUN 0 of a target of its
// own, so a controller can be given only together with its own volume.
func exposePaths(ctx context.Context, a *args) (*cim.Reply, error) {
	requests := a.exposures(ctx)
	if a.err != nil {
		return nil, a.err
	}
	var made []cim.Value
	var fresh []export.VolumeRef
	for _, req := range requests {
		_, before := a.Exports.Export(ctx, req.Volume)
		e, err := a.Exports.Expose(ctx, req)
		if err != nil {
			a.hideAll(context.WithoutCancel(ctx), fresh)
			return nil, err
		}
		if missing(before) {
			fresh = append(fresh, req.Volume)
		}
		made = append(made, a.controllerPath(e.Volume))
	}
	return done(out("ProtocolControllers", made)), nil
}

// hideAll takes back what was exposed before a later one failed.
func (a *args) hideAll(ctx context.Context, volumes []export.VolumeRef) {
	for _, v := range volumes {
		if err := a.Exports.Hide(ctx, v, nil); err != nil {
			a.Logger.Error("a volume stays exposed", "volume", v.ID, "err", err)
		}
	}
}

// exposures reads and checks the parameters of ExposePaths.
func (a *args) exposures(ctx context.Context) []export.Request {
	volumes, controllers := a.namedUnits(ctx), a.controllers(ctx)
	if len(volumes) == 0 {
		volumes = controllers
	}
	for _, c := range controllers {
		if !slices.Contains(volumes, c) {
			a.fail(replication.KindNotSupported, "ProtocolControllers", "a target has one volume: others cannot be added to it")
		}
	}
	if len(volumes) == 0 {
		a.fail(invalidLogicalUnit, "LUNames", "at least one volume is needed")
	}
	a.checkLUNs(len(volumes))
	a.checkPorts(ctx, volumes)
	access := a.accesses(len(volumes))
	var requests []export.Request
	for i, v := range volumes {
		requests = append(requests, export.Request{Volume: v, Initiators: a.texts("InitiatorPortIDs"), ReadOnly: access[i]})
	}
	return requests
}

// accesses says of each volume whether initiators may only read it.
func (a *args) accesses(volumes int) []bool {
	const param = "DeviceAccesses"
	list, readOnly := a.list(param), make([]bool, volumes)
	if len(list) != 0 && len(list) != volumes {
		a.fail(replication.KindInvalid, param, "there are %d for %d volumes", len(list), volumes)
		return readOnly
	}
	for i, v := range list {
		n, _ := v.(uint64)
		readOnly[i] = n == accessReadOnly
		if n != accessReadOnly && n != accessReadWrite {
			a.fail(invalidPermission, entry(param, i), "access is 2 (read and write) or 3 (read only)")
		}
	}
	return readOnly
}

// namedUnits are the volumes that LUNames name by StorageVolume.Name.
func (a *args) namedUnits(ctx context.Context) []export.VolumeRef {
	var volumes []export.VolumeRef
	for i, name := range a.texts("LUNames") {
		v, err := a.volumeByID(ctx, volumeNamed(name))
		if missing(err) {
			a.fail(invalidLogicalUnit, entry("LUNames", i), "no volume has the name %q", name)
		}
		a.failWith(entry("LUNames", i), err)
		volumes = append(volumes, exportRef(refOf(v)))
	}
	return volumes
}

// controllers are the volumes of the controllers given.
func (a *args) controllers(ctx context.Context) []export.VolumeRef {
	var volumes []export.VolumeRef
	for i, v := range a.list("ProtocolControllers") {
		param := entry("ProtocolControllers", i)
		p, ok := v.(*cim.Path)
		if !ok {
			a.fail(replication.KindInvalid, param, "a reference to a controller is needed")
			continue
		}
		e, err := a.exportAt(ctx, p)
		a.failWith(param, err)
		volumes = append(volumes, e.Volume)
	}
	return volumes
}

// checkLUNs fails unless all device numbers that are given are 0.
func (a *args) checkLUNs(volumes int) {
	numbers := a.texts("DeviceNumbers")
	if len(numbers) != 0 && len(numbers) != volumes {
		a.fail(replication.KindInvalid, "DeviceNumbers", "there are %d for %d volumes", len(numbers), volumes)
	}
	for i, n := range numbers {
		if lun, err := strconv.ParseUint(n, 16, 64); n != "" && (err != nil || lun != 0) {
			a.fail(replication.KindNotSupported, entry("DeviceNumbers", i), "%q: each volume is LUN 0 of a target of its own", n)
		}
	}
}

// checkPorts fails unless the target ports that are given are those of the
// volumes.
func (a *args) checkPorts(ctx context.Context, volumes []export.VolumeRef) {
	for i, port := range a.texts("TargetPortIDs") {
		isPort := func(v export.VolumeRef) bool {
			e, err := a.Exports.Export(ctx, v)
			return err == nil && (port == portName(e) || port == e.Target)
		}
		if !slices.ContainsFunc(volumes, isPort) {
			a.fail(invalidTargetPort, entry("TargetPortIDs", i), "%q is not a target port of the volume: ports come with the volume", port)
		}
	}
}

// hidePaths takes initiators away from controllers, or with none given hides
// their volumes. The controllers that still stand are returned.
func hidePaths(ctx context.Context, a *args) (*cim.Reply, error) {
	volumes := a.controllers(ctx)
	if len(volumes) == 0 {
		a.fail(replication.KindInvalid, "ProtocolControllers", "at least one is needed")
	}
	named := a.namedUnits(ctx)
	for i, v := range named {
		if !slices.Contains(volumes, v) {
			a.fail(invalidLogicalUnit, entry("LUNames", i), "the volume is not that of a controller given")
		}
	}
	hidden := volumes
	if len(named) > 0 {
		hidden = named
	}
	a.checkPorts(ctx, volumes)
	if a.err != nil {
		return nil, a.err
	}
	var errs []error
	var standing []cim.Value
	for _, v := range hidden {
		if err := a.Exports.Hide(ctx, v, a.texts("InitiatorPortIDs")); err != nil && !missing(err) {
			errs = append(errs, err)
		}
	}
	for _, v := range volumes {
		if _, err := a.Exports.Export(ctx, v); err == nil {
			standing = append(standing, a.controllerPath(v))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return done(out("ProtocolControllers", standing)), nil
}
