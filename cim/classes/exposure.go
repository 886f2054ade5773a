package classes

import (
	"context"
	"fmt"

	"twinlun/blockdev/export"
	"twinlun/blockdev/pool"
	"twinlun/cim"
)

func (m *model) eachExport(ctx context.Context, f func(export.Export) error) error {
	exports, err := m.Exports.Exports(ctx)
	if err != nil {
		return err
	}
	for _, e := range exports {
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

// scsiProtocolController shows the target of each exposed volume.
func scsiProtocolController(r *registry) {
	m := r.model
	s := &source[export.Export]{class: r.class(classController), list: m.Exports.Exports, find: m.exportAt}
	s.fill = func(b *cim.Builder, e export.Export) {
		setHealthy(b)
		m.setHosted(b, classController, "DeviceID", string(e.Volume.ID))
		b.Set("Name", e.Target).Set("NameFormat", 3).Set("ElementName", e.Target).Set("MaxUnitsControlled", 1).
			Set("EnabledState", enabled).Set("RequestedState", 5).
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

func (m *model) exportAt(ctx context.Context, p *cim.Path) (export.Export, error) {
	id, _ := p.Key("DeviceID").(string)
	v, err := m.volumeByID(ctx, pool.VolumeID(id))
	if err != nil {
		return export.Export{}, err
	}
	return m.Exports.Export(ctx, exportRef(refOf(v)))
}

// Values of DeviceAccess (CIM 2.49).
const (
	accessReadWrite = 2
	accessReadOnly  = 3
)

// protocolControllerForUnit ties each target to its volume, which is LUN 0.
func protocolControllerForUnit(r *registry) {
	m := r.model
	r.add(&association{
		class: r.class("TWINLUN_ProtocolControllerForUnit"), near: "Antecedent", far: "Dependent",
		all: func(ctx context.Context, yield links) error {
			return m.eachExport(ctx, func(e export.Export) error {
				access := accessReadWrite
				if e.ReadOnly {
					access = accessReadOnly
				}
				set := func(b *cim.Builder) {
					b.Set("DeviceNumber", "0").Set("DeviceAccess", access).Set("AccessState", 2)
				}
				return yield(link{near: m.controllerPath(e), far: m.volumePath(e.Volume.ID), set: set})
			})
		},
	})
}

// iscsiProtocolEndpoint shows the target port of each target. Its name is that
// of an iSCSI target port: the target's name, t, and the portal group's tag.
func iscsiProtocolEndpoint(r *registry) {
	m := r.model
	s := &source[export.Export]{class: r.class(classEndpoint), list: m.Exports.Exports}
	s.find = func(ctx context.Context, p *cim.Path) (export.Export, error) {
		exports, err := m.Exports.Exports(ctx)
		for _, e := range exports {
			if p.Key("Name") == cim.Value(portName(e)) {
				return e, nil
			}
		}
		if err == nil {
			err = notFound(p)
		}
		return export.Export{}, err
	}
	s.fill = func(b *cim.Builder, e export.Export) {
		setHealthy(b)
		m.setHosted(b, classEndpoint, "Name", portName(e))
		b.Set("NameFormat", "iSCSI Name").Set("Identifier", fmt.Sprintf("%#04x", portalGroup)).Set("Role", 3).
			Set("ConnectionType", 7).Set("ProtocolIFType", 1).Set("OtherTypeDescription", "iSCSI").
			Set("EnabledState", enabled).Set("ElementName", e.Target).
			Set("TargetName", e.Target).Set("PortalAddresses", m.Portals())
	}
	r.add(s)
}

// portalGroup is the tag of the one portal group.
const portalGroup = 1

func portName(e export.Export) string { return fmt.Sprintf("%s,t,%#04x", e.Target, portalGroup) }

// storageHardwareID shows the initiators that are on the list of some volume.
func storageHardwareID(r *registry) {
	m := r.model
	s := &source[string]{class: r.class("TWINLUN_StorageHardwareID"), list: m.initiators}
	s.find = func(ctx context.Context, p *cim.Path) (string, error) {
		name, _ := localID(p, idHardware)
		known, err := m.initiators(ctx)
		for _, k := range known {
			if k == name {
				return k, nil
			}
		}
		if err == nil {
			err = notFound(p)
		}
		return "", err
	}
	s.fill = func(b *cim.Builder, name string) {
		b.Set("InstanceID", idHardware+name).Set("StorageID", name).Set("IDType", 5).Set("ElementName", name)
	}
	r.add(s)
}

// initiators lists the names on all lists, each once, in the order of exports.
func (m *model) initiators(ctx context.Context) ([]string, error) {
	var all []string
	seen := map[string]bool{}
	err := m.eachExport(ctx, func(e export.Export) error {
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
