package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestInvoke(t *testing.T) {
	w := start(t)
	w.sources("vol1", "vol2")
	made := w.record("invoke", "CIM_ReplicationService", "CreateListReplica", "SyncType=8", "SourceElements=@vol1,@vol2", "ElementNames=a\\,1,b", "WaitForCopyState=4")
	require.Contains(t, []any{0.0, 4096.0}, made["ReturnValue"])
	require.Len(t, made["Synchronizations"], 2)
	require.Equal(t, []string{"a,1", "b", "vol1", "vol2"}, column(w.records("volume", "list"), "name"))

	require.Contains(t, w.must("invoke", "cim_replicationservice", "createlistreplica", "synctype=Snapshot", "SourceElements=@VOL1",
		"ReplicationSettingData={ConsistentPointInTime=true;TargetElementSupplier=create NEW}", "ElementNames=s"), "ReturnValue       0\n")
	shown := w.record("replica", "show", "s")
	reply := w.record("invoke", "CIM_ReplicationService", "ModifyReplicaSynchronization", "Operation=Dissolve", "Synchronization=@s")
	require.Equal(t, 0.0, reply["ReturnValue"])
	require.NotContains(t, column(w.records("replica", "list"), "id"), shown["id"])

	o := w.run("invoke", "CIM_ReplicationService", "CreateListReplica", "SyncType=9", "SourceElements=@vol1")
	require.Equal(t, 1, o.code)
	require.Equal(t, "ReturnValue  1\n", o.out, "what a method returned is shown though it failed")
	require.Contains(t, o.err, "SyncType")
}

func TestInvokeRefuses(t *testing.T) {
	w := start(t)
	call := []string{"invoke", "CIM_ReplicationService", "CreateListReplica"}
	for says, c := range map[string]struct {
		code int
		word string
	}{
		`"SyncType" is not PARAMETER=VALUE`:     {2, "SyncType"},
		`no input parameter "Speed"`:            {2, "Speed=1"},
		`no input parameter "Synchronizations"`: {2, "Synchronizations=@x"},
		"SyncType: ":                            {2, "SyncType=Copy"},
		"a reference is written @NAME":          {2, "SourceElements=vol1"},
		`there is no CIM_LogicalElement "none"`: {3, "SourceElements=@none"},
		"has no name here":                      {2, "SourceAccessPoint=@x"},
		"is written {Property=value;...}":       {2, "ReplicationSettingData=x"},
		`is not Property=value`:                 {2, "ReplicationSettingData={Speed=1}"},
		"ConsistentPointInTime: ":               {2, "ReplicationSettingData={ConsistentPointInTime=perhaps}"},
	} {
		w.fails(c.code, says, append(call, c.word)...)
	}
	w.fails(3, `there is no method "CIM_ReplicationService.Fly"`, "invoke", "CIM_ReplicationService", "Fly")
	w.fails(3, `there is no class "CIM_Tape"`, "invoke", "CIM_Tape", "Rewind")
	w.fails(2, "is not KEY=VALUE", "invoke", "CIM_ReplicationService", "CreateGroup", "--key", "Colour=red")
}

func TestGet(t *testing.T) {
	w := start(t)
	w.sources("vol1")
	in := w.record("get", "CIM_StorageVolume", "@vol1")
	require.Equal(t, "vol1", in["ElementName"])
	require.Equal(t, in, w.record("get", "TWINLUN_StorageVolume", "DeviceID="+in["DeviceID"].(string), "SystemCreationClassName="+in["SystemCreationClassName"].(string),
		"SystemName="+in["SystemName"].(string), "CreationClassName="+in["CreationClassName"].(string)))
	require.Equal(t, "default", w.record("get", "CIM_StoragePool", "@default")["PoolID"])
	require.Regexp(t, `(?m)^CreationClassName +TWINLUN_ReplicationService$`, w.must("get", "CIM_ReplicationService"))

	w.must("replica", "create", "--type", "clone", "--source", "vol1", "--name", "c", "--wait", "synchronized")
	sync := w.record("get", "CIM_StorageSynchronized", "@c")
	_, err := time.Parse(time.RFC3339, sync["WhenEstablished"].(string))
	require.NoError(t, err)

	w.fails(3, `there is no class "CIM_Tape"`, "get", "CIM_Tape")
	w.fails(3, `there is no CIM_StorageVolume "none"`, "get", "CIM_StorageVolume", "@none")
	w.fails(3, "", "get", "CIM_ConcreteJob", "InstanceID=none")
	w.fails(2, "is not KEY=VALUE", "get", "CIM_ConcreteJob", "Name=none")
}

func TestEnumerate(t *testing.T) {
	w := start(t)
	w.sources("vol1", "vol2")
	require.Len(t, w.records("enumerate", "CIM_StorageVolume"), 2)
	out := w.must("enumerate", "CIM_StorageVolume")
	require.Regexp(t, `(?s)ElementName +vol1\n.*\n\n.*ElementName +vol2\n`, out)
	require.Equal(t, "[]\n", w.must("enumerate", "CIM_ReplicationGroup", "-o", "yaml"))
	w.fails(3, "CIM_Tape", "enumerate", "CIM_Tape")
}

func TestEnumerateSome(t *testing.T) {
	w := start(t)
	w.sources("vol1", "vol2")
	for _, language := range []string{"wql", "CQL"} {
		got := w.records("enumerate", "--language", language, "--query", "select ElementName, BlockSize from CIM_StorageVolume where ElementName = 'vol2'")
		require.Equal(t, []map[string]any{{"ElementName": "vol2", "BlockSize": 512.0}}, got)
	}
	require.Equal(t, []map[string]any{{"ElementName": "vol1"}, {"ElementName": "vol2"}}, w.records("enumerate", "CIM_StorageVolume", "--properties", "elementname"))
	require.Len(t, w.records("enumerate", "CIM_StorageVolume", "--shallow"), 0, "they are of a subclass")
	require.Len(t, w.records("enumerate", "TWINLUN_StorageVolume", "--shallow"), 2)
	require.Len(t, w.records("enumerate", "--shallow", "--query", "select * from CIM_StorageVolume"), 0)

	w.fails(1, "ElementNam", "enumerate", "--query", "select ElementNam from CIM_StorageVolume")
	w.fails(3, "CIM_Tape", "enumerate", "--query", "select * from CIM_Tape")
	w.fails(3, "CIM_Tape", "enumerate", "CIM_Tape", "--properties", "Name")
	w.fails(2, "either a class or --query", "enumerate")
	w.fails(2, "either a class or --query", "enumerate", "CIM_StorageVolume", "--query", "select * from CIM_StorageVolume")
	w.fails(2, "the query says", "enumerate", "--query", "select * from CIM_StorageVolume", "--properties", "Name")
	w.fails(2, `no property "Colour"`, "enumerate", "CIM_StorageVolume", "--properties", "Name,Colour")
	w.fails(2, `"sql"`, "enumerate", "--language", "sql", "--query", "select 1")
}

func TestClass(t *testing.T) {
	w := start(t)
	out := w.must("class", "TWINLUN_StoragePool")
	require.Contains(t, out, "class TWINLUN_StoragePool : CIM_StoragePool {\n")
	require.Contains(t, out, "  [key] string InstanceID\n")
	out = w.must("class", "CIM_ReplicationService")
	require.Contains(t, out, "[in]      CIM_LogicalElement REF SourceElements[]\n")
	require.Contains(t, out, "[in, out] CIM_LogicalElement REF TargetElements[]\n")
	require.Contains(t, out, "[out]     CIM_ConcreteJob REF Job\n")
	names := column(w.records("class", "CIM_ReplicationService"), "name")
	require.Contains(t, names, "CreateListReplica")
	require.Contains(t, names, "SystemName")
	w.fails(3, "CIM_Tape", "class", "CIM_Tape")
}
