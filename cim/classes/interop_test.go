package classes

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// interopClasses are the classes of All that are in the interop namespace.
var interopClasses = []string{
	"RegisteredProfile", "RegisteredSubProfile", "ElementConformsToProfile", "SubProfileRequiresProfile",
	"ObjectManager", "HostedObjectManager", "Namespace", "NamespaceInManager",
}

// in lists the instances of a class in a namespace.
func (s *system) in(ns, class string) []*cim.Instance {
	var all []*cim.Instance
	err := s.Enumerate(context.Background(), ns, class, cim.EnumerateOptions{}, func(in *cim.Instance) error {
		all = append(all, in)
		return nil
	})
	require.NoError(s.t, err)
	return all
}

func TestInteropInstances(t *testing.T) {
	s := newSystem(t)
	for _, short := range interopClasses {
		t.Run(short, func(t *testing.T) {
			all := s.in(InteropNamespace, "TWINLUN_"+short)
			require.NotEmpty(t, all)
			for _, in := range all {
				require.Equal(t, InteropNamespace, in.Path.Namespace)
				checkComplete(t, in)
				for c := in.Class; c != nil; c = c.Super {
					p := *in.Path
					p.Class = c.Name
					got, err := s.Get(context.Background(), &p)
					require.NoError(t, err, "%s", &p)
					require.True(t, cim.Equal(in, got), "%s", &p)
				}
				for i := range in.Path.Keys {
					absent := *in.Path
					absent.Keys = slices.Clone(absent.Keys)
					if text, ok := absent.Keys[i].Value.(string); ok {
						absent.Keys[i].Value = text + "x"
						_, err := s.Get(context.Background(), &absent)
						require.Equal(t, cim.StatusNotFound, cim.StatusOf(err), "%s", &absent)
					}
				}
				if in.Class.Association {
					checkInteropEnds(t, s, in)
				}
			}
		})
	}
}

// checkInteropEnds goes from each end of an association to the other, if the class is
// served where the end is.
func checkInteropEnds(t *testing.T, s *system, in *cim.Instance) {
	t.Helper()
	for i, from := range in.Class.Keys {
		near, far := in.At(from.Index).(*cim.Path), in.At(in.Class.Keys[1-i].Index).(*cim.Path)
		for _, end := range []*cim.Path{near, far} {
			_, err := s.Get(context.Background(), end)
			require.NoError(t, err, "%s", end)
		}
		if near.Namespace != InteropNamespace {
			continue
		}
		q := cim.AssociationQuery{Object: near, AssociationClass: in.Class.Name, Role: from.Name}
		require.Contains(t, pathsOf(s.associated(q)), far.String())
		q.References = true
		require.Contains(t, pathsOf(s.associated(q)), in.Path.String())
	}
}

// sole is the only instance of a list.
func sole(t *testing.T, all []*cim.Instance) *cim.Instance {
	t.Helper()
	require.Len(t, all, 1, "%v", pathsOf(all))
	return all[0]
}

// A manager that knows nothing but the interop namespace finds its way to the
// replication service, and from there back.
func TestFromProfileToService(t *testing.T) {
	s := newSystem(t)
	var array *cim.Instance
	for _, p := range s.in(InteropNamespace, "CIM_RegisteredProfile") {
		if p.Get("RegisteredName") == cim.Value("Array") && p.Get("RegisteredOrganization") == cim.Value(uint64(11)) {
			array = p
		}
	}
	require.NotNil(t, array)
	computer := sole(t, s.associated(cim.AssociationQuery{Object: array.Path, AssociationClass: "CIM_ElementConformsToProfile", ResultRole: "ManagedElement"}))
	require.True(t, computer.Class.IsA("CIM_ComputerSystem"))
	require.Equal(t, Namespace, computer.Path.Namespace)
	service := sole(t, s.associated(cim.AssociationQuery{Object: computer.Path, AssociationClass: "CIM_HostedService", ResultClass: "CIM_ReplicationService"}))

	sub := sole(t, s.associated(cim.AssociationQuery{Object: service.Path, AssociationClass: "CIM_ElementConformsToProfile", Role: "ManagedElement"}))
	require.Equal(t, "Replication Services", sub.Get("RegisteredName"))
	require.Equal(t, InteropNamespace, sub.Path.Namespace)
	scope := sole(t, s.associated(cim.AssociationQuery{Object: sub.Path, AssociationClass: "CIM_ReferencedProfile", ResultRole: "Antecedent"}))
	require.Equal(t, array.Path, scope.Path)
	parts := s.associated(cim.AssociationQuery{Object: array.Path, AssociationClass: "CIM_SubProfileRequiresProfile", ResultClass: "CIM_RegisteredSubProfile"})
	require.Len(t, parts, 3)
}

// Every profile that has instances of its own leads to some, and every one that is a
// part leads to what it is a part of.
func TestProfilesAreTrue(t *testing.T) {
	s := newSystem(t)
	for _, p := range profiles() {
		ends := s.associated(cim.AssociationQuery{Object: p.path(), AssociationClass: "CIM_ElementConformsToProfile"})
		require.Equal(t, p.central == nil, len(ends) == 0, p.name)
		scopes := s.associated(cim.AssociationQuery{Object: p.path(), AssociationClass: "CIM_ReferencedProfile", Role: "Dependent"})
		require.Equal(t, p.partOfOther(), len(scopes) == 1, p.name)
	}
}

// The namespaces listed are those that are there, and the server is found from the
// system that hosts it.
func TestNamespaces(t *testing.T) {
	s := newSystem(t)
	om := sole(t, s.in(InteropNamespace, "CIM_ObjectManager"))
	var names []string
	for _, n := range s.associated(cim.AssociationQuery{Object: om.Path, AssociationClass: "CIM_NamespaceInManager"}) {
		name := n.Get("Name").(string)
		names = append(names, name)
		_, err := s.Class(name, "CIM_ManagedElement")
		require.NoError(t, err)
	}
	require.ElementsMatch(t, []string{Namespace, InteropNamespace}, names)
	host := sole(t, s.associated(cim.AssociationQuery{Object: om.Path, AssociationClass: "CIM_HostedService"}))
	require.Equal(t, s.m.systemPath().String(), host.Path.String())
	require.Empty(t, s.in(Namespace, "CIM_ObjectManager"))
	require.Empty(t, s.in(InteropNamespace, "CIM_StorageVolume"))
}
