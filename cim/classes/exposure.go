package classes

import (
	"context"
	"slices"
	"strings"

	"twinlun/blockdev/export"
	"twinlun/cim"
)

// scsiProtocolController shows the target of each exposed volume.
func scsiProtocolController(r *registry) {
	m := r.model
	s := &source[export.Export]{class: r.class(classController), each: eachOf(m.Exports.Exports), find: m.exportAt}
	s.same = func(b *cim.Builder) {
		setHealthy(b)
		m.setHost(b, classController)
		b.Set("NameFormat", controllerISCSIName).Set("MaxUnitsControlled", 1).
			Set("EnabledState", enabled).Set("RequestedState", noChange)
	}
	s.fill = func(b *cim.Builder, e export.Export) {
		b.Set("DeviceID", string(e.Volume.ID)).Set("Name", e.Target).Set("ElementName", e.Target).
			Set("InstallDate", cim.TimeValue(e.Created)).
			Set("TargetName", e.Target).Set("NumberOfSessions", e.Sessions)
		if e.User != "" {
			b.Set("ChapUser", e.User)
		}
		if len(e.Initiators) > 0 {
			b.Set("InitiatorPortIDs", e.Initiators)
		}
	}
	r.add(s)
}

// exportAt finds the exposed volume whose controller a path names.
func (m *model) exportAt(ctx context.Context, p *cim.Path) (export.Export, error) {
	id := m.deviceID(p, classController)
	if id == "" {
		return export.Export{}, notFound(p)
	}
	v, err := m.volumeByID(ctx, id)
	if err != nil {
		return export.Export{}, err
	}
	return m.Exports.Export(ctx, exportRef(refOf(v)))
}

// Values of what is shown of iSCSI (CIM 2.49).
const (
	controllerISCSIName = 3 // SCSIProtocolController.NameFormat
	roleTarget          = 3 // iSCSIProtocolEndpoint.Role
	connectionISCSI     = 7 // SCSIProtocolEndpoint.ConnectionType
	otherIFType         = 1 // ProtocolEndpoint.ProtocolIFType
	hardwareISCSIName   = 5 // StorageHardwareID.IDType
	accessReadWrite     = 2 // DeviceAccess
	accessReadOnly      = 3 // DeviceAccess
	unitActive          = 2 // AccessState
)

func accessOf(e export.Export) int {
	if e.ReadOnly {
		return accessReadOnly
	}
	return accessReadWrite
}

// protocolControllerForUnit ties each target to its volume, which is LUN 0.
func protocolControllerForUnit(r *registry) {
	m := r.model
	a := &association{class: r.class("TWINLUN_ProtocolControllerForUnit"), near: "Antecedent", far: "Dependent"}
	give := func(e export.Export, yield links) error {
		set := func(b *cim.Builder) {
			b.Set("DeviceNumber", "0").Set("DeviceAccess", accessOf(e)).Set("AccessState", unitActive)
		}
		return yield(link{near: m.controllerPath(e.Volume), far: m.volumePath(e.Volume.ID), set: set})
	}
	a.all = func(ctx context.Context, yield links) error {
		return eachOf(m.Exports.Exports)(ctx, func(e export.Export) error { return give(e, yield) })
	}
	a.of = func(ctx context.Context, object *cim.Path, yield links) error {
		id := m.deviceID(object, object.Class)
		if id == "" || object.Class != classController && object.Class != classStorageVolume {
			return nil
		}
		v, err := m.volumeByID(ctx, id)
		if err != nil {
			return err
		}
		e, err := m.Exports.Export(ctx, exportRef(refOf(v)))
		if err != nil {
			return err
		}
		return give(e, yield)
	}
	r.add(a)
}

// portSuffix is what an iSCSI target port's name has behind the name of the
// target: the tag of its portal group, of which there is one (RFC 7143 section
// 4.4.3).
const portSuffix = ",t,0x0001"

// portalGroup is that tag in the form of CIM_iSCSIProtocolEndpoint.Identifier:
// 12 hexadecimal digits.
const portalGroup = "000000000001"

func portName(e export.Export) string { return e.Target + portSuffix }

// iscsiProtocolEndpoint shows the target port of each target.
func iscsiProtocolEndpoint(r *registry) {
	m := r.model
	s := &source[export.Export]{class: r.class(classEndpoint), each: eachOf(m.Exports.Exports)}
	s.find = func(ctx context.Context, p *cim.Path) (export.Export, error) {
		name, _ := p.Key("Name").(string)
		target, ok := strings.CutSuffix(name, portSuffix)
		exports, err := m.Exports.Exports(ctx)
		if i := slices.IndexFunc(exports, func(e export.Export) bool { return ok && e.Target == target }); i >= 0 {
			return exports[i], err
		}
		if err == nil {
			err = notFound(p)
		}
		return export.Export{}, err
	}
	s.same = func(b *cim.Builder) {
		setHealthy(b)
		m.setHost(b, classEndpoint)
		b.Set("NameFormat", "iSCSI Name").
			Set("Identifier", portalGroup).Set("Role", roleTarget).Set("ConnectionType", connectionISCSI).
			Set("ProtocolIFType", otherIFType).Set("OtherTypeDescription", "iSCSI").
			Set("EnabledState", enabled).Set("RequestedState", noChange)
	}
	s.fill = func(b *cim.Builder, e export.Export) {
		b.Set("Name", portName(e)).Set("ElementName", e.Target).
			Set("TargetName", e.Target).Set("PortalAddresses", m.Portals())
	}
	r.add(s)
}

// storageHardwareID shows the initiators that are on the list of some volume.
func storageHardwareID(r *registry) {
	m := r.model
	s := &source[string]{class: r.class("TWINLUN_StorageHardwareID"), each: eachOf(m.initiators)}
	s.find = func(ctx context.Context, p *cim.Path) (string, error) {
		name, ok := localID(p, idHardware)
		known, err := m.initiators(ctx)
		if err == nil && (!ok || !slices.Contains(known, name)) {
			err = notFound(p)
		}
		return name, err
	}
	s.fill = func(b *cim.Builder, name string) {
		b.Set("InstanceID", idHardware+name).Set("ElementName", name).
			Set("StorageID", name).Set("IDType", hardwareISCSIName)
	}
	r.add(s)
}

// initiators lists the names on all lists, each once, in the order of exports.
func (m *model) initiators(ctx context.Context) ([]string, error) {
	var all []string
	seen := map[string]bool{}
	err := eachOf(m.Exports.Exports)(ctx, func(e export.Export) error {
		for _, name := range e.Initiators {
			if !seen[name] {
				seen[name] = true
				all = append(all, name)
			}
		}
		return nil
	})
	return all, err
}
