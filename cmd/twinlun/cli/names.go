package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"twinlun/cim"
)

// The classes that commands speak of.
const (
	classVolume       = "CIM_StorageVolume"
	classPool         = "CIM_StoragePool"
	classGroup        = "CIM_ReplicationGroup"
	classJob          = "CIM_ConcreteJob"
	classSynced       = "TWINLUN_StorageSynchronized"
	classGroupSynced  = "TWINLUN_GroupSynchronized"
	classReplication  = "CIM_ReplicationService"
	classStorageConf  = "CIM_StorageConfigurationService"
	classExposureConf = "TWINLUN_ControllerConfigurationService"
	// Those of ours, for the methods that the standard does not have.
	classOwnReplication = "TWINLUN_ReplicationService"
	classOwnStorageConf = "TWINLUN_StorageConfigurationService"
	classController     = "TWINLUN_SCSIProtocolController"
	classEndpoint       = "TWINLUN_iSCSIProtocolEndpoint"
)

// byName orders instances by a property, regardless of case.
func byName(property string) func(a, b *cim.Instance) int {
	return func(a, b *cim.Instance) int {
		x, y := str(a, property), str(b, property)
		return cmp.Or(cmp.Compare(strings.ToLower(x), strings.ToLower(y)), cmp.Compare(x, y), cmp.Compare(a.Path.String(), b.Path.String()))
	}
}

// find is the one instance of a class that has the name in one of some properties.
func (s *session) find(ctx context.Context, class, what, name string, properties ...string) (*cim.Instance, error) {
	all, err := s.list(ctx, class)
	if err != nil {
		return nil, err
	}
	return theOne(all, what, name, properties)
}

// theOne is the only instance that has the name in one of some properties: exactly in
// any, else regardless of case. Volumes in two pools may have one name, and nobody
// knows then which of them is to be deleted.
func theOne(all []*cim.Instance, what, name string, properties []string) (*cim.Instance, error) {
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		switch found := called(all, name, properties, same); len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return nil, usageError{fmt.Errorf("%d %ss are called %q: use the identifier", len(found), what, name)}
		}
	}
	return nil, notFoundError{what, name}
}

// called are the instances that have the name in one of some properties.
func called(all []*cim.Instance, name string, properties []string, same func(a, b string) bool) []*cim.Instance {
	var found []*cim.Instance
	for _, in := range all {
		if slices.ContainsFunc(properties, func(p string) bool {
			v, ok := in.Get(p).(string)
			return ok && same(v, name)
		}) {
			found = append(found, in)
		}
	}
	return found
}

// volumeNaming are the properties that a volume is found by.
func volumeNaming() []string { return []string{"ElementName", "DeviceID", "TargetName"} }

func (s *session) volume(ctx context.Context, name string) (*cim.Instance, error) {
	return s.find(ctx, classVolume, "volume", name, volumeNaming()...)
}

func (s *session) pool(ctx context.Context, name string) (*cim.Instance, error) {
	return s.find(ctx, classPool, "pool", name, "PoolID", "InstanceID")
}

func (s *session) group(ctx context.Context, name string) (*cim.Instance, error) {
	return s.find(ctx, classGroup, "group", name, "ElementName", "InstanceID")
}

// job finds a job by its identifier, with or without what stands before it.
func (s *session) job(ctx context.Context, id string) (*cim.Instance, error) {
	p := &cim.Path{Namespace: namespace, Class: classJob, Keys: []cim.Key{{Name: "InstanceID", Value: jobPrefix + strings.TrimPrefix(id, jobPrefix)}}}
	in, err := s.Get(ctx, p)
	if exitCode(err) == exitNotFound {
		return nil, notFoundError{"job", id}
	}
	return in, err
}

// jobPrefix begins the InstanceID of every job.
const jobPrefix = "TWINLUN:job:"

func shortJobID(in *cim.Instance) string {
	return strings.TrimPrefix(str(in, "InstanceID"), jobPrefix)
}

// volumes finds several volumes with one listing.
func (s *session) volumes(ctx context.Context, names []string) ([]cim.Value, error) {
	all, err := s.list(ctx, classVolume)
	if err != nil {
		return nil, err
	}
	var paths []cim.Value
	for _, name := range names {
		in, err := theOne(all, "volume", name, volumeNaming())
		if err != nil {
			return nil, err
		}
		paths = append(paths, in.Path)
	}
	return paths, nil
}

// str is a string property, "" for NULL.
func str(in *cim.Instance, property string) string {
	v, _ := in.Get(property).(string)
	return v
}

// num is an unsigned property, 0 for NULL.
func num(in *cim.Instance, property string) uint64 {
	v, _ := in.Get(property).(uint64)
	return v
}

// enumeration is a number with the name that the schema gives it.
type enumeration struct {
	number uint64
	name   string
}

func (e enumeration) String() string { return e.name }

// named is a property whose value map names its value; nil for NULL.
func named(in *cim.Instance, property string) any {
	n, ok := in.Get(property).(uint64)
	if !ok {
		return nil
	}
	return enumeration{n, firstOf(valueName(in.Class.Property(property).Qualifiers, n), strconv.FormatUint(n, 10))}
}

// valueName is the name that ValueMap and Values give a number, or "".
func valueName(q cim.Qualifiers, n uint64) string {
	keys, values := texts(q, "ValueMap"), texts(q, "Values")
	for i, k := range keys {
		if k == strconv.FormatUint(n, 10) && i < len(values) {
			return values[i]
		}
	}
	return ""
}

// valueNumber is the number that a value map gives a name, regardless of case,
// or that the name is itself.
func valueNumber(q cim.Qualifiers, name string) (uint64, error) {
	if n, err := strconv.ParseUint(name, 0, 64); err == nil {
		return n, nil
	}
	keys, values := texts(q, "ValueMap"), texts(q, "Values")
	var known []string // without ranges, such as those that are reserved
	for i, v := range values {
		if i >= len(keys) || strings.Contains(keys[i], "..") {
			continue
		}
		if strings.EqualFold(v, name) {
			return strconv.ParseUint(keys[i], 0, 64)
		}
		known = append(known, v)
	}
	return 0, fmt.Errorf("%q is none of %s", name, strings.Join(known, ", "))
}

func texts(q cim.Qualifiers, name string) []string {
	found, _ := q.Get(name)
	list, _ := found.Value.([]cim.Value)
	var out []string
	for _, v := range list {
		s, _ := v.(string)
		out = append(out, s)
	}
	return out
}
