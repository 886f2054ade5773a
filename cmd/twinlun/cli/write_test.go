package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSet(t *testing.T) {
	w := start(t)
	w.sources("vol1")
	before := w.record("get", "CIM_StorageVolume", "@vol1")
	require.Equal(t, before, w.record("set", "CIM_StorageVolume", "@vol1", "ElementName=vol1"), "what has the value already is no change")
	const shown = `(?m)^ElementName +vol1$`
	require.Regexp(t, shown, w.must("set", "CIM_StorageVolume", "@vol1", "--", "elementname=vol1"))
	require.Regexp(t, shown, w.must("set", "TWINLUN_StorageVolume", "DeviceID="+before["DeviceID"].(string), "SystemCreationClassName="+before["SystemCreationClassName"].(string),
		"SystemName="+before["SystemName"].(string), "CreationClassName="+before["CreationClassName"].(string), "--", "ElementName=vol1"))

	w.fails(1, "DeviceID", "set", "CIM_StorageVolume", "@vol1", "DeviceID=other")
	w.fails(1, "of TWINLUN_StorageVolume cannot be modified", "set", "CIM_StorageVolume", "@vol1", "BlockSize=4096")
	w.fails(1, "of TWINLUN_StorageVolume cannot be modified", "set", "CIM_StorageVolume", "@vol1", "--null", "BlockSize")
	require.Equal(t, before, w.record("get", "CIM_StorageVolume", "@vol1"))
}

func TestSetChanges(t *testing.T) {
	w := start(t)
	w.sources("vol1")
	require.Equal(t, "new name", w.record("set", "CIM_StorageVolume", "@vol1", "ElementName=new name")["ElementName"])
	require.Equal(t, []string{"new name"}, column(w.records("volume", "list"), "name"))
	require.Regexp(t, `(?m)^ElementName +vol1$`, w.must("set", "CIM_StorageVolume", "@new name", "--", "ElementName=vol1"))
}

func TestCreateAndDelete(t *testing.T) {
	w := start(t)
	made := w.record("create", "CIM_StorageSetting", "ElementName=gold")
	id, _ := made["InstanceID"].(string)
	require.NotEmpty(t, id)
	require.Equal(t, "gold", w.record("get", "CIM_StorageSetting", "InstanceID="+id)["ElementName"])
	w.must("delete", "CIM_StorageSetting", "@gold")
	w.fails(3, "", "delete", "CIM_StorageSetting", "InstanceID="+id)
	w.fails(3, "", "get", "CIM_StorageSetting", "InstanceID="+id)
}

func TestSetRefuses(t *testing.T) {
	w := start(t)
	w.sources("vol1")
	w.fails(2, "there is nothing to set", "set", "CIM_StorageVolume", "@vol1")
	w.fails(2, "there is nothing to set", "set", "CIM_ReplicationService")
	w.fails(2, "-- is needed", "set", "CIM_StorageVolume", "DeviceID=x", "ElementName=y")
	w.fails(2, "is not KEY=VALUE", "set", "CIM_StorageVolume", "ElementName=y", "--", "ElementName=x")
	w.fails(2, "is not PROPERTY=VALUE", "set", "CIM_StorageVolume", "@vol1", "Colour=red")
	w.fails(2, "is not PROPERTY=VALUE", "set", "CIM_StorageVolume", "@vol1", "ElementName")
	w.fails(2, `has no property "Colour"`, "set", "CIM_StorageVolume", "@vol1", "--null", "Colour")
	w.fails(2, "BlockSize: ", "set", "CIM_StorageVolume", "@vol1", "BlockSize=big")
	w.fails(3, `there is no class "CIM_Tape"`, "set", "CIM_Tape", "--", "A=b")
	w.fails(3, `there is no CIM_StorageVolume "none"`, "set", "CIM_StorageVolume", "@none", "ElementName=x")
}

func TestCreateAndDeleteRefuse(t *testing.T) {
	w := start(t)
	w.sources("vol1")
	w.fails(3, `there is no class "CIM_Tape"`, "create", "CIM_Tape")
	w.fails(2, "is not PROPERTY=VALUE", "create", "CIM_StorageSetting", "Colour=red")
	w.fails(1, "cannot be created", "create", "CIM_ReplicationService", "Name=x")
	w.fails(2, "", "delete", "CIM_StorageVolume")
	w.fails(3, `there is no CIM_StorageVolume "none"`, "delete", "CIM_StorageVolume", "@none")
	w.fails(3, "", "delete", "CIM_ConcreteJob", "InstanceID=none")
	w.fails(1, "cannot be deleted", "delete", "CIM_StoragePool", "@default")
	require.Equal(t, []string{"default"}, column(w.records("pool", "list"), "name"))
}
