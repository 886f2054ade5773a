package classes

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/cim/provider"
)

// providerOf finds who serves a class.
func (s *system) providerOf(class string) provider.Provider {
	all, err := All(s.m.Config)
	require.NoError(s.t, err)
	for _, p := range all {
		if p.Class() == class {
			return p
		}
	}
	require.Fail(s.t, "nobody serves "+class)
	return nil
}

// One key is enough where all instances share the others.
func TestFindByOneKey(t *testing.T) {
	s := newSystem(t)
	for class, name := range map[string]string{
		classStorageVolume: "DeviceID", classController: "DeviceID", classConcreteJob: "InstanceID", classReplicationGroup: "InstanceID",
		classStoragePool: "InstanceID", classReplicationSvc: "Name", classComputerSystem: "Name",
	} {
		f := s.providerOf(class).(provider.Finder)
		for _, want := range s.instances(class) {
			found := s.find(f, cim.Key{Name: name, Value: want.Get(name)})
			require.Len(t, found, 1, class)
			require.True(t, want.Path.Equal(found[0].Path), "%s", want.Path)
		}
		require.Empty(t, s.find(f, cim.Key{Name: name, Value: "nobody"}), class)
	}
	f := s.providerOf(classStorageVolume).(provider.Finder)
	id := s.instances(classStorageVolume)[0].Get("DeviceID")
	require.Empty(t, s.find(f, cim.Key{Name: "DeviceID", Value: id}, cim.Key{Name: "SystemName", Value: "another"}))
	ok, err := f.Find(context.Background(), Namespace, []cim.Key{{Name: "SystemName", Value: s.m.System}}, nil)
	require.NoError(t, err)
	require.False(t, ok, "it takes all of them")
	ok, err = s.providerOf(classStorageSynced).(provider.Finder).Find(context.Background(), Namespace, []cim.Key{{Name: "SystemElement", Value: s.vol(1)}}, nil)
	require.NoError(t, err)
	require.False(t, ok)
	s.fails = map[string]error{"Volume": errSecret}
	_, err = f.Find(context.Background(), Namespace, []cim.Key{{Name: "DeviceID", Value: id}}, nil)
	require.ErrorIs(t, err, errSecret)
}

func (s *system) find(f provider.Finder, keys ...cim.Key) (found []*cim.Instance) {
	ok, err := f.Find(context.Background(), Namespace, keys, func(in *cim.Instance) error {
		found = append(found, in)
		return nil
	})
	require.NoError(s.t, err)
	require.True(s.t, ok)
	return found
}

func TestCount(t *testing.T) {
	s := newSystem(t)
	for _, class := range []string{classStorageVolume, classConcreteJob, classController, classReplicationGroup, classStorageSynced, classReplicationSvc} {
		n, err := s.providerOf(class).(provider.Counter).Count(context.Background(), Namespace)
		require.NoError(t, err)
		require.Equal(t, len(s.instances(class)), n, class)
	}
	s.fails = map[string]error{"EachGroup": errSecret}
	_, err := s.providerOf(classReplicationGroup).(provider.Counter).Count(context.Background(), Namespace)
	require.ErrorIs(t, err, errSecret)
}

// What all instances share is set once and stays as it is when one of them changes.
func TestInstancesDoNotShareTheirValues(t *testing.T) {
	s := newSystem(t)
	a := s.instances(classStorageVolume)[0]
	require.NoError(t, a.Set("BlockSize", 4096))
	require.Equal(t, uint64(512), s.instances(classStorageVolume)[0].Get("BlockSize"))
}

// An enumeration that is abandoned, or whose reader fails, gives back his error.
func TestEnumerationStops(t *testing.T) {
	s := newSystem(t)
	stop := errors.New("stop")
	seen := 0
	err := s.Enumerate(context.Background(), Namespace, classStorageVolume, cim.EnumerateOptions{}, func(*cim.Instance) error { seen++; return stop })
	require.ErrorIs(t, err, stop)
	ctx, cancel := context.WithCancel(context.Background())
	err = s.Enumerate(ctx, Namespace, classStorageVolume, cim.EnumerateOptions{}, func(*cim.Instance) error { seen++; cancel(); return nil })
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 2, seen)
}

// A volume is shown as it is when its turn comes, not when the list began.
func TestVolumesAreShownInTurn(t *testing.T) {
	s := newSystem(t)
	n := 0
	err := s.providerOf(classStorageVolume).(provider.Enumerator).Enumerate(context.Background(), Namespace, func(in *cim.Instance) error {
		if n++; n == 1 {
			s.exports = s.exports[:1]
		}
		if in.Get("DeviceID") == string(volumeIDOf(2)) {
			require.Nil(t, in.Get("TargetName"))
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, len(s.volumes), n)
}
