package classes

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// servedClasses are the classes of All, with the superclass that gives them
// their meaning. What the issue asks for must be here.
var servedClasses = []string{
	"ComputerSystem", "HostedService", "StoragePool", "HostedStoragePool", "StorageVolume", "SystemDevice",
	"AllocatedFromStoragePool", "StorageSetting", "StorageConfigurationService", "ReplicationService",
	"ReplicationServiceCapabilities", "ElementCapabilities", "StorageSynchronized", "GroupSynchronized",
	"ReplicationGroup", "HostedCollection", "OrderedMemberOfCollection", "ConcreteJob", "OwningJobElement",
	"AffectedJobElement", "ControllerConfigurationService", "SCSIProtocolController", "ProtocolControllerForUnit",
	"iSCSIProtocolEndpoint", "StorageHardwareID", "ElementSettingData", "ReplicationSettingData",
}

func TestAllServesEachClassOnce(t *testing.T) {
	providers, err := All(testConfig(t, newFake()))
	require.NoError(t, err)
	var names []string
	for _, p := range providers {
		if slices.Contains(interopClasses, strings.TrimPrefix(p.Class(), "TWINLUN_")) {
			continue
		}
		names = append(names, strings.TrimPrefix(p.Class(), "TWINLUN_"))
		class := testSchema(t).Class(p.Class())
		require.NotNil(t, class, p.Class())
		require.False(t, class.Abstract, p.Class())
		require.True(t, class.IsA("CIM_"+strings.TrimPrefix(p.Class(), "TWINLUN_")), p.Class())
		require.Equal(t, []string{Namespace}, p.Namespaces())
	}
	require.ElementsMatch(t, servedClasses, names)
}

func TestAllRefusesHalfAConfig(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"schema":     func(c *Config) { c.Schema = nil },
		"no classes": func(c *Config) { c.Schema = cim.NewSchema(nil) },
		"system":     func(c *Config) { c.System = "" },
		"pools":      func(c *Config) { c.PoolNames = nil },
		"portals":    func(c *Config) { c.Portals = nil },
		"time":       func(c *Config) { c.Time = nil },
		"logger":     func(c *Config) { c.Logger = nil },
		"backend":    func(c *Config) { c.Exports = nil },
	} {
		c := testConfig(t, newFake())
		spoil(&c)
		_, err := All(c)
		require.Error(t, err, name)
	}
}

// Every instance is found by its path, also under the name of each superclass
// and with references by superclasses, and is complete.
func TestInstances(t *testing.T) {
	s := newSystem(t)
	for _, short := range servedClasses {
		t.Run(short, func(t *testing.T) {
			all := s.instances("TWINLUN_" + short)
			require.NotEmpty(t, all)
			seen := map[string]bool{}
			for _, in := range all {
				require.False(t, seen[in.Path.String()], "twice: %s", in.Path)
				seen[in.Path.String()] = true
				require.NotContains(t, in.Path.String(), "\x00")
				checkComplete(t, in)
				checkFound(t, s, in)
			}
			require.Equal(t, pathsOf(all), pathsOf(s.instances("CIM_"+short)), "the standard class shows the same")
		})
	}
}

func checkFound(t *testing.T, s *system, in *cim.Instance) {
	t.Helper()
	for c := in.Class; c != nil; c = c.Super {
		p := &cim.Path{Namespace: strings.ToUpper(Namespace), Class: c.Name}
		for _, k := range slices.Backward(in.Path.Keys) {
			if ref, ok := k.Value.(*cim.Path); ok {
				other := *ref
				other.Class = "CIM_ManagedElement"
				k.Value = &other
			}
			p.Keys = append(p.Keys, k)
		}
		if c != in.Class && dangling(s, in) {
			continue // a reference to what is gone can only be named as it is
		}
		if dangling(s, in) {
			p.Keys = in.Path.Keys
		}
		got, err := s.Get(context.Background(), p)
		require.NoError(t, err, "%s", p)
		require.True(t, cim.Equal(in, got), "%s", p)
	}
}

// dangling says whether an association refers to what is gone.
func dangling(s *system, in *cim.Instance) bool {
	return slices.ContainsFunc(in.Path.Keys, func(k cim.Key) bool {
		ref, ok := k.Value.(*cim.Path)
		if !ok {
			return false
		}
		_, err := s.Get(context.Background(), ref)
		return err != nil
	})
}

func checkComplete(t *testing.T, in *cim.Instance) {
	t.Helper()
	for _, p := range in.Class.Properties {
		v := in.At(p.Index)
		if p.Key || p.Qualifiers.Flag("Required") {
			require.NotNil(t, v, "%s of %s", p.Name, in.Class.Name)
			require.NotEqual(t, "", v, "%s of %s", p.Name, in.Class.Name)
		}
		list, isList := v.([]cim.Value)
		if !isList {
			list = []cim.Value{v}
		}
		for _, e := range list {
			checkValue(t, in.Class.Name, p, e)
		}
	}
}

// checkValue checks a value against the value map, the length and the class of
// its declaration.
func checkValue(t *testing.T, class string, p *cim.Property, v cim.Value) {
	t.Helper()
	q, _ := p.Qualifiers.Get("MaxLen")
	most, limited := q.Value.(uint64)
	switch x := v.(type) {
	case uint64:
		require.True(t, inValueMap(p, x), "%s of %s is %d, which its value map does not have", p.Name, class, x)
	case string:
		require.True(t, !limited || uint64(len(x)) <= most, "%s of %s is too long", p.Name, class)
	case *cim.Path:
		require.True(t, schemaClass(t, x.Class).IsA(p.RefClass), "%s of %s refers to a %s", p.Name, class, x.Class)
	}
}

func schemaClass(t *testing.T, name string) *cim.Class { return testSchema(t).Class(name) }

// inValueMap leaves reserved and vendor ranges out: we use none.
func inValueMap(p *cim.Property, n uint64) bool {
	q, ok := p.Qualifiers.Get("ValueMap")
	if !ok {
		return true
	}
	list, _ := q.Value.([]cim.Value)
	return slices.Contains(list, cim.Value(strconv.FormatUint(n, 10)))
}

// Every association instance is found from both of its ends, and each end is
// found from the other with every filter that fits.
func TestAssociationsFromBothEnds(t *testing.T) {
	s := newSystem(t)
	for _, short := range servedClasses {
		class := testSchema(t).Class("TWINLUN_" + short)
		if !class.Association {
			continue
		}
		t.Run(short, func(t *testing.T) {
			for _, in := range s.instances(class.Name) {
				near, far := class.Keys[0], class.Keys[1]
				checkEnds(t, s, in, near, far)
				checkEnds(t, s, in, far, near)
			}
		})
	}
}

func checkEnds(t *testing.T, s *system, in *cim.Instance, from, to *cim.Property) {
	t.Helper()
	a, b := in.At(from.Index).(*cim.Path), in.At(to.Index).(*cim.Path)
	if _, err := s.Get(context.Background(), a); err != nil {
		return // gone: there is nothing to ask
	}
	for c := in.Class; c != nil; c = c.Super {
		refs := s.associated(cim.AssociationQuery{Object: a, ResultClass: c.Name, Role: from.Name, References: true})
		require.Contains(t, pathsOf(refs), in.Path.String())
	}
	if _, err := s.Get(context.Background(), b); err != nil {
		return
	}
	for c := testSchema(t).Class(b.Class); c != nil; c = c.Super {
		ends := s.associated(cim.AssociationQuery{
			Object: a, AssociationClass: in.Class.Name, ResultClass: c.Name, Role: from.Name, ResultRole: to.Name,
		})
		require.Contains(t, pathsOf(ends), b.String())
	}
	wrong := s.associated(cim.AssociationQuery{Object: a, AssociationClass: in.Class.Name, Role: to.Name, ResultRole: from.Name})
	require.NotContains(t, pathsOf(wrong), b.String(), "found by the wrong roles")
}

// Whatever is asked for, without any filter nothing fails and nothing comes
// twice.
func TestAssociatedWithEverything(t *testing.T) {
	s := newSystem(t)
	for _, short := range servedClasses {
		for _, in := range s.instances("TWINLUN_" + short) {
			for _, references := range []bool{false, true} {
				paths := pathsOf(s.associated(cim.AssociationQuery{Object: in.Path, References: references}))
				slices.Sort(paths)
				require.Len(t, slices.Compact(slices.Clone(paths)), len(paths))
			}
		}
	}
}

// An object can go between the moment the Broker sees it and the moment an
// association looks for it.
func TestObjectsThatGo(t *testing.T) {
	s := newSystem(t)
	providers, err := All(testConfig(t, s.fake))
	require.NoError(t, err)
	var objects []*cim.Path
	for _, class := range []string{classStorageVolume, classReplicationGroup, classConcreteJob, classController, classStoragePool} {
		objects = append(objects, s.instances(class)[0].Path)
	}
	f := s.fake
	f.volumes, f.groups, f.jobs, f.exports, f.pools = nil, nil, nil, nil, nil
	for _, p := range providers {
		a, ok := p.(interface {
			References(ctx context.Context, object *cim.Path, role string, yield cim.Yield) error
		})
		if !ok {
			continue
		}
		for _, o := range objects {
			err := a.References(context.Background(), o, "", func(*cim.Instance) error { return nil })
			require.NoError(t, err, "%s of %s", p.Class(), o)
		}
	}
}

func TestNotThere(t *testing.T) {
	s := newSystem(t)
	for _, short := range servedClasses {
		in := s.instances("TWINLUN_" + short)[0]
		for i := range in.Path.Keys {
			p := *in.Path
			p.Keys = slices.Clone(p.Keys)
			switch ref := p.Keys[i].Value.(type) {
			case string:
				p.Keys[i].Value = "x" + ref
			case *cim.Path:
				other := *ref
				other.Keys = slices.Clone(ref.Keys)
				last := len(other.Keys) - 1
				other.Keys[last].Value = other.Keys[last].Value.(string) + "x"
				p.Keys[i].Value = &other
			}
			_, err := s.Get(context.Background(), &p)
			require.Error(t, err, "%s", &p)
			require.Equal(t, cim.StatusNotFound, cim.StatusOf(err), "%s", &p)
		}
	}
}

// What a class cannot read is an error of all of its instances, without detail.
func TestBackendsThatFail(t *testing.T) {
	for method, class := range map[string]string{
		"EachVolume": classStorageVolume, "Exports": classController, "Pools": classStoragePool, "EachJob": classConcreteJob,
		"EachGroup": classReplicationGroup, "EachRelationship": classStorageSynced, "EachGroupRelationship": classGroupSynced,
	} {
		s := newSystem(t)
		s.fails = map[string]error{method: errSecret}
		err := s.Enumerate(context.Background(), Namespace, class, cim.EnumerateOptions{}, func(*cim.Instance) error { return nil })
		require.ErrorIs(t, err, errSecret, class)
		require.Equal(t, "internal error", err.Error())
	}
}

// Lookups of one object must not go through all of them.
func TestLookupsAreDirect(t *testing.T) {
	lists := []string{"EachVolume", "EachRelationship", "EachGroupRelationship", "EachGroup", "EachJob", "Exports"}
	for _, class := range []string{
		classStorageVolume, classStorageSynced, classReplicationGroup, classConcreteJob, classController, classGroupSynced,
		"TWINLUN_SystemDevice", "TWINLUN_AllocatedFromStoragePool", "TWINLUN_HostedCollection",
		"TWINLUN_OwningJobElement", "TWINLUN_AffectedJobElement", "TWINLUN_ProtocolControllerForUnit", "TWINLUN_OrderedMemberOfCollection",
	} {
		s := newSystem(t)
		p := s.instances(class)[0].Path
		s.calls = nil
		_, err := s.Get(context.Background(), p)
		require.NoError(t, err)
		for _, l := range lists {
			require.Zero(t, s.calls[l], "%s for one %s", l, class)
		}
	}
	s := newSystem(t)
	s.associated(cim.AssociationQuery{Object: s.vol(1)})
	for _, l := range lists {
		require.Zero(t, s.calls[l], "%s for what is associated with a volume", l)
	}
}
