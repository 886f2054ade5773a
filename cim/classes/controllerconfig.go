package classes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"twinlun/blockdev"
	"twinlun/blockdev/export"
	"twinlun/blockdev/pool"
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
)

func exposeVolume(ctx context.Context, a *args) (*cim.Reply, error) {
	req := export.Request{
		Volume: exportRef(a.volume("Volume")), Initiators: a.texts("InitiatorPortIDs"),
		User: a.text("ChapUser"), Secret: a.text("ChapSecret"), ReadOnly: a.flag("ReadOnly", false),
	}
	if a.err != nil {
		return nil, a.err
	}
	e, err := a.Exports.Expose(ctx, req)
	if err != nil {
		return nil, err
	}
	return done(
		cim.Arg{Name: "ProtocolController", Value: a.controllerPath(e)},
		cim.Arg{Name: "TargetName", Value: e.Target}), nil
}

func hideVolume(ctx context.Context, a *args) (*cim.Reply, error) {
	v, initiators := a.volume("Volume"), a.texts("InitiatorPortIDs")
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
			return nil, errors.Join(err, a.hideAll(ctx, fresh))
		}
		if before != nil {
			fresh = append(fresh, req.Volume)
		}
		made = append(made, a.controllerPath(e))
	}
	return done(cim.Arg{Name: "ProtocolControllers", Value: made}), nil
}

// hideAll takes back what was exposed before a later one failed.
func (a *args) hideAll(ctx context.Context, volumes []export.VolumeRef) error {
	var errs []error
	for _, v := range volumes {
		errs = append(errs, a.Exports.Hide(ctx, v, nil))
	}
	return errors.Join(errs...)
}

// exposures reads and checks the parameters of ExposePaths.
func (a *args) exposures(ctx context.Context) []export.Request {
	volumes := a.logicalUnits(ctx)
	a.checkLUNs(len(volumes))
	a.checkPorts(volumes)
	access := a.list("DeviceAccesses")
	if len(access) != 0 && len(access) != len(volumes) {
		a.fail(replication.KindInvalid, "DeviceAccesses", "there are %d for %d volumes", len(access), len(volumes))
	}
	var requests []export.Request
	for i, v := range volumes {
		r := export.Request{Volume: v, Initiators: a.texts("InitiatorPortIDs")}
		if i < len(access) {
			r.ReadOnly = a.readOnly(fmt.Sprintf("DeviceAccesses[%d]", i), access[i])
		}
		requests = append(requests, r)
	}
	return requests
}

func (a *args) readOnly(param string, access cim.Value) bool {
	switch access {
	case cim.Value(uint64(accessReadWrite)):
		return false
	case cim.Value(uint64(accessReadOnly)):
		return true
	}
	a.fail(replication.KindInvalid, param, "access is 2 (read and write) or 3 (read only)")
	return false
}

// logicalUnits are the volumes that LUNames name by StorageVolume.Name, or that
// ProtocolControllers serve where there are no names.
func (a *args) logicalUnits(ctx context.Context) []export.VolumeRef {
	var volumes []export.VolumeRef
	for i, name := range a.texts("LUNames") {
		v, err := a.volumeByID(ctx, pool.VolumeID(strings.ToLower(name)))
		if err != nil && missing(err) {
			a.fail(invalidLogicalUnit, fmt.Sprintf("LUNames[%d]", i), "no volume has the name %q", name)
		}
		a.failWith("LUNames", err)
		volumes = append(volumes, exportRef(refOf(v)))
	}
	controllers := a.controllers(ctx)
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
	return volumes
}

// controllers are the volumes of the controllers given.
func (a *args) controllers(ctx context.Context) []export.VolumeRef {
	var volumes []export.VolumeRef
	for i, v := range a.list("ProtocolControllers") {
		p, _ := v.(*cim.Path)
		if p == nil || a.err != nil {
			continue
		}
		e, err := a.exportAt(ctx, p)
		if err == nil && !names(p, a.controllerPath(e)) {
			err = notFound(p)
		}
		a.failWith(fmt.Sprintf("ProtocolControllers[%d]", i), err)
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
			a.fail(replication.KindNotSupported, fmt.Sprintf("DeviceNumbers[%d]", i), "%q: each volume is LUN 0 of a target of its own", n)
		}
	}
}

// checkPorts fails unless the target ports that are given are those of the
// volumes.
func (a *args) checkPorts(volumes []export.VolumeRef) {
	for i, port := range a.texts("TargetPortIDs") {
		known := false
		for _, v := range volumes {
			e, err := a.Exports.Export(a.ctx, v)
			known = known || err == nil && (port == portName(e) || port == e.Target)
		}
		if !known {
			a.fail(invalidTargetPort, fmt.Sprintf("TargetPortIDs[%d]", i), "%q is not a target port of the volume: ports come with the volume", port)
		}
	}
}

func hidePaths(ctx context.Context, a *args) (*cim.Reply, error) {
	if len(a.list("ProtocolControllers")) != 1 {
		a.fail(replication.KindInvalid, "ProtocolControllers", "exactly one is needed")
	}
	volumes := a.logicalUnits(ctx)
	a.checkPorts(volumes)
	if a.err != nil {
		return nil, a.err
	}
	for _, v := range volumes {
		err := a.Exports.Hide(ctx, v, a.texts("InitiatorPortIDs"))
		if err != nil && !blockdev.Is(err, blockdev.KindNotFound) {
			return nil, err
		}
	}
	return done(cim.Arg{Name: "ProtocolControllers", Value: a.list("ProtocolControllers")}), nil
}
