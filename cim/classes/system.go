package classes

import (
	"context"

	"twinlun/cim"
)

// Values of ManagedSystemElement that several classes show (CIM 2.49).
const (
	statusOK        = 2  // OperationalStatus
	statusError     = 6  // OperationalStatus
	statusInService = 11 // OperationalStatus
	statusCompleted = 17 // OperationalStatus
	statusDegraded  = 3  // OperationalStatus
	healthDegraded  = 10 // HealthState: degraded/warning
	healthOK        = 5  // HealthState
	healthMajor     = 20 // HealthState: major failure
	enabled         = 2  // EnabledState
	noChange        = 5  // RequestedState
	statusDormant   = 15 // OperationalStatus
)

// setHealthy sets what an element shows that works.
func setHealthy(b *cim.Builder) {
	b.Set("OperationalStatus", []uint16{statusOK}).Set("HealthState", healthOK)
}

func computerSystem(r *registry) {
	m := r.model
	s := &source[string]{class: r.class(classComputerSystem), each: only(m.System), find: always(m.System)}
	s.same = func(b *cim.Builder) {
		setHealthy(b)
		b.Set("CreationClassName", classComputerSystem).Set("NameFormat", "Other").Set("Caption", "Twinlun "+m.Version).
			Set("EnabledState", enabled).Set("RequestedState", noChange).
			Set("Dedicated", []uint16{15}). // Block Server
			Set("Roles", []string{"Storage replication endpoint"})
	}
	s.fill = func(b *cim.Builder, name string) { b.Set("Name", name).Set("ElementName", name) }
	r.add(s)
}

// hostedService lists the services of the system.
func hostedService(r *registry) {
	m := r.model
	r.add(&association{
		class: r.class("TWINLUN_HostedService"), near: "Antecedent", far: "Dependent",
		all: func(_ context.Context, yield links) error {
			for _, class := range []string{classReplicationSvc, classStorageConfigSvc, classControllerConfSvc} {
				if err := yield(link{near: m.systemPath(), far: m.servicePath(class)}); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// newService makes a service class: one instance, hosted by the system, with
// methods that need a role.
func newService(r *registry, class, caption string, role cim.Role, methods map[string]method) *service[string] {
	m := r.model
	s := &source[string]{class: r.class(class), each: only(class), find: always(class)}
	s.same = func(b *cim.Builder) {
		setHealthy(b)
		m.setHost(b, class)
		b.Set("ElementName", caption).Set("Started", true).Set("EnabledState", enabled).Set("RequestedState", noChange).
			Set("TimeOfLastStateChange", m.started)
	}
	s.fill = func(b *cim.Builder, name string) { b.Set("Name", name) }
	return &service[string]{source: s, model: m, methods: methods, role: role}
}
