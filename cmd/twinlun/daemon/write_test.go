package daemon

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/cim/classes"
)

// What clients have named, made and deleted over WS-Management is so after a restart.
func TestWritesOutliveTheDaemon(t *testing.T) {
	c := config(t)
	r := start(t, c)
	ws, ctx := r.client(), context.Background()
	volume, _ := r.createVolume(ws, "db")
	in, err := ws.Modify(ctx, volume, []cim.PropertyValue{{Name: "ElementName", Value: "base"}})
	require.NoError(t, err)
	require.Equal(t, "base", in.Get("ElementName"))
	made := r.invoke(ws, "TWINLUN_ReplicationService", "CreateGroup", cim.Arg{Name: "GroupName", Value: "g"})
	group := made.Out.Get("ReplicationGroup").(*cim.Path)
	_, err = ws.Modify(ctx, group, []cim.PropertyValue{{Name: "ElementName", Value: "hourly"}, {Name: "DeleteOnEmptyElement", Value: true}})
	require.NoError(t, err)
	create := func(class, name string, more ...cim.PropertyValue) *cim.Path {
		p, err := ws.Create(ctx, classes.Namespace, class, append(more, cim.PropertyValue{Name: "ElementName", Value: name}))
		require.NoError(t, err)
		return p
	}
	gold := create("TWINLUN_StorageSetting", "Gold")
	gone := create("TWINLUN_StorageSetting", "Tin")
	nightly := create("TWINLUN_ReplicationSettingData", "Nightly", cim.PropertyValue{Name: "CopyPriority", Value: uint64(1)})
	require.NoError(t, ws.Delete(ctx, gone))
	require.Equal(t, cim.StatusNotSupported, cim.StatusOf(ws.Delete(ctx, volume)))
	r.stop()

	r = start(t, c)
	ws = r.client()
	for p, want := range map[*cim.Path]string{volume: "base", group: "hourly", gold: "Gold", nightly: "Nightly"} {
		in, err := ws.Get(ctx, p)
		require.NoError(t, err)
		require.Equal(t, want, in.Get("ElementName"))
	}
	in, err = ws.Get(ctx, nightly)
	require.NoError(t, err)
	require.Equal(t, uint64(1), in.Get("CopyPriority"))
	_, err = ws.Get(ctx, gone)
	require.Equal(t, cim.StatusNotFound, cim.StatusOf(err))
}

// A client that begins in root/interop finds the replication service.
func TestDiscovery(t *testing.T) {
	r := start(t, config(t))
	ws, ctx := r.client(), context.Background()
	var array *cim.Instance
	require.NoError(t, ws.Enumerate(ctx, classes.InteropNamespace, "CIM_RegisteredProfile", func(in *cim.Instance) error {
		if in.Get("RegisteredName") == cim.Value("Array") {
			array = in
		}
		return nil
	}))
	require.NotNil(t, array)
	next := func(p *cim.Path, association, result string) *cim.Instance {
		var found *cim.Instance
		err := ws.Associators(ctx, cim.AssociationQuery{Object: p, AssociationClass: association, ResultClass: result}, func(in *cim.Instance) error {
			require.Nil(t, found)
			found = in
			return nil
		})
		require.NoError(t, err)
		require.NotNil(t, found, "%s of %s", result, p)
		return found
	}
	system := next(array.Path, "CIM_ElementConformsToProfile", "CIM_ComputerSystem")
	require.Equal(t, classes.Namespace, system.Path.Namespace)
	service := next(system.Path, "CIM_HostedService", "CIM_ReplicationService")
	require.Equal(t, "TWINLUN_ReplicationService", service.Class.Name)
}
