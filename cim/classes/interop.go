package classes

import (
	"context"
	"slices"

	"twinlun/cim"
)

// Classes of the interop namespace that paths refer to.
const (
	classProfile       = "TWINLUN_RegisteredProfile"
	classSubProfile    = "TWINLUN_RegisteredSubProfile"
	classObjectManager = "TWINLUN_ObjectManager"
	classNamespace     = "TWINLUN_Namespace"
)

const idProfile = "TWINLUN:profile:"

// interopPath makes a path in the interop namespace; see path.
func interopPath(class string, keys ...cim.Key) *cim.Path {
	p := path(class, keys...)
	p.Namespace = InteropNamespace
	return p
}

// objectManagerPath is the path of the one object manager. Its name differs from
// those of other machines, as CIM wants it.
func (m *model) objectManagerPath() *cim.Path {
	p := m.servicePath(classObjectManager)
	p.Namespace, p.Keys[0].Value = InteropNamespace, m.objectManagerName()
	return p
}

func (m *model) objectManagerName() string { return "twinlun:" + m.System }

// objectManager shows the CIM server.
func objectManager(r *registry) {
	m := r.model
	name := m.objectManagerName()
	s := &source[string]{class: r.class(classObjectManager), space: InteropNamespace, each: only(name), find: always(name)}
	s.fill = func(b *cim.Builder, name string) {
		setHealthy(b)
		m.setHost(b, classObjectManager)
		b.Set("Name", name).Set("ElementName", "Twinlun").Set("Description", "Twinlun "+m.Version+" on "+m.System).
			Set("Started", true).Set("EnabledState", enabled).Set("RequestedState", noChange).
			Set("GatherStatisticalData", false).Set("TimeOfLastStateChange", m.started)
	}
	r.add(s)
}

// hostedObjectManager ties the object manager to the system, which is in the other
// namespace.
func hostedObjectManager(r *registry) {
	m := r.model
	r.add(&association{
		class: r.class("TWINLUN_HostedObjectManager"), near: "Antecedent", far: "Dependent", spaces: []string{InteropNamespace},
		all: func(_ context.Context, yield links) error {
			return yield(link{near: m.systemPath(), far: m.objectManagerPath()})
		},
	})
}

// Values of CIM_Namespace (CIM 2.49).
const (
	classInfoOther = 1 // ClassInfo
	classTypeCIM   = 2 // ClassType
)

// namespaces lists the names of the namespaces.
func namespaces() []string { return []string{InteropNamespace, Namespace} }

func (m *model) namespacePath(name string) *cim.Path {
	return interopPath(classNamespace,
		cim.Key{Name: "SystemCreationClassName", Value: classComputerSystem},
		cim.Key{Name: "SystemName", Value: m.System},
		cim.Key{Name: "ObjectManagerCreationClassName", Value: classObjectManager},
		cim.Key{Name: "ObjectManagerName", Value: m.objectManagerName()},
		cim.Key{Name: "CreationClassName", Value: classNamespace},
		cim.Key{Name: "Name", Value: name})
}

// namespace shows the namespaces.
func namespace(r *registry) {
	m := r.model
	s := &source[string]{
		class: r.class(classNamespace), space: InteropNamespace,
		each: func(_ context.Context, yield func(string) error) error { return inTurn(namespaces(), yield) },
		find: func(_ context.Context, p *cim.Path) (string, error) {
			name, _ := p.Key("Name").(string)
			if !slices.Contains(namespaces(), name) {
				return "", notFound(p)
			}
			return name, nil
		},
	}
	s.fill = func(b *cim.Builder, name string) {
		for _, k := range m.namespacePath(name).Keys {
			b.Set(k.Name, k.Value)
		}
		b.Set("ElementName", name).Set("ClassInfo", classInfoOther).Set("DescriptionOfClassInfo", "CIM 2.49").
			Set("ClassType", classTypeCIM).Set("ClassTypeVersion", "2.49.0")
	}
	r.add(s)
}

// namespaceInManager ties the namespaces to the object manager.
func namespaceInManager(r *registry) {
	m := r.model
	r.add(&association{
		class: r.class("TWINLUN_NamespaceInManager"), near: "Antecedent", far: "Dependent", spaces: []string{InteropNamespace},
		all: func(_ context.Context, yield links) error {
			return inTurn(namespaces(), func(name string) error {
				return yield(link{near: m.objectManagerPath(), far: m.namespacePath(name)})
			})
		},
	})
}
