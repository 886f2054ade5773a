package mof

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/schemas"
)

func loadSchemas(t testing.TB) *cim.Schema {
	t.Helper()
	s, err := Load(schemas.Files())
	require.NoError(t, err)
	return s
}

// signature is the parameters of a method, each with direction and type.
func signature(m *cim.Method) string {
	var lines []string
	for _, p := range m.Params {
		dir := map[[2]bool]string{{true, false}: "in", {false, true}: "out", {true, true}: "inout"}[[2]bool{p.In, p.Out}]
		typ := p.Type.String()
		if p.RefClass != "" {
			typ = p.RefClass + " " + typ
		}
		if p.Array {
			typ += "[]"
		}
		if p.Embedded != "" {
			typ += " of " + p.Embedded
		}
		lines = append(lines, fmt.Sprintf("%s %s %s", dir, p.Name, typ))
	}
	return strings.Join(lines, "\n")
}

func keyNames(c *cim.Class) string {
	names := make([]string, len(c.Keys))
	for i, p := range c.Keys {
		names[i] = p.Name
	}
	return strings.Join(names, " ")
}

// valueNames maps the values of a property or parameter to their names.
func valueNames(t *testing.T, qs cim.Qualifiers) map[string]string {
	t.Helper()
	values, ok := qs.Get("ValueMap")
	require.True(t, ok)
	names, ok := qs.Get("Values")
	require.True(t, ok)
	out := map[string]string{}
	for i, v := range values.Value.([]cim.Value) {
		out[v.(string)] = names.Value.([]cim.Value)[i].(string)
	}
	return out
}

func TestMainMethods(t *testing.T) {
	service := loadSchemas(t).Class("CIM_ReplicationService")
	m := service.Method("CreateListReplica")
	require.Equal(t, cim.Uint32, m.Return)
	require.Equal(t, strings.TrimSpace(`
in ElementNames string[]
in SyncType uint16
in Mode uint16
in SourceElements CIM_LogicalElement ref[]
in SourceAccessPoint CIM_ServiceAccessPoint ref
inout TargetElements CIM_LogicalElement ref[]
in TargetAccessPoint CIM_ServiceAccessPoint ref
in ReplicationSettingData string of CIM_ReplicationSettingData
out Job CIM_ConcreteJob ref
out Synchronizations CIM_Synchronized ref[]
in TargetSettingGoal CIM_SettingData ref
in TargetPool CIM_ResourcePool ref
in WaitForCopyState uint16
in ConnectivityCollection CIM_ConnectivityCollection ref
in Consistency uint16
in Collections CIM_Collection ref[]`), signature(m))
	require.Equal(t, strings.TrimSpace(`
in RelationshipName string
in SyncType uint16
in Mode uint16
inout SourceGroup CIM_ReplicationGroup ref
in SourceElements CIM_LogicalElement ref[]
inout SourceGroupName string
in SourceAccessPoint CIM_ServiceAccessPoint ref
inout TargetGroup CIM_ReplicationGroup ref
inout TargetGroupName string
in TargetElements CIM_LogicalElement ref[]
in TargetElementNames string[]
in TargetAccessPoint CIM_ServiceAccessPoint ref
in Consistency uint16
in ReplicationSettingData string of CIM_ReplicationSettingData
out Job CIM_ConcreteJob ref
out Synchronization CIM_Synchronized ref
in TargetSettingGoal CIM_SettingData ref
in TargetPool CIM_ResourcePool ref
in TargetPools CIM_ResourcePool ref[]
in WaitForCopyState uint16
in ConnectivityCollection CIM_ConnectivityCollection ref
in Collections CIM_Collection ref[]`), signature(service.Method("CreateGroupReplicaFromElements")))

	types := valueNames(t, m.Param("SyncType").Qualifiers)
	require.Equal(t, "Mirror", types["6"])
	require.Equal(t, "Snapshot", types["7"])
	require.Equal(t, "Clone", types["8"])
	require.Equal(t, "Method Parameters Checked - Job Started", valueNames(t, m.Qualifiers)["4096"])
}

func TestKeysOfServedClasses(t *testing.T) {
	schema := loadSchemas(t)
	tests := map[string]string{
		"CIM_StorageVolume":             "SystemCreationClassName SystemName CreationClassName DeviceID",
		"CIM_ReplicationService":        "Name SystemCreationClassName SystemName CreationClassName",
		"CIM_ComputerSystem":            "Name CreationClassName",
		"CIM_StoragePool":               "InstanceID",
		"CIM_StorageSetting":            "InstanceID",
		"CIM_ConcreteJob":               "InstanceID",
		"CIM_ReplicationGroup":          "InstanceID",
		"CIM_StorageSynchronized":       "SystemElement SyncedElement",
		"CIM_GroupSynchronized":         "SystemElement SyncedElement",
		"CIM_HostedService":             "Antecedent Dependent",
		"CIM_HostedStoragePool":         "GroupComponent PartComponent",
		"CIM_AllocatedFromStoragePool":  "Antecedent Dependent",
		"CIM_OrderedMemberOfCollection": "Collection Member",
		"CIM_OwningJobElement":          "OwningElement OwnedElement",
		"CIM_AffectedJobElement":        "AffectedElement AffectingElement",
		"CIM_ElementCapabilities":       "ManagedElement Capabilities",
		"CIM_StorageHardwareID":         "InstanceID",
		"CIM_iSCSIProtocolEndpoint":     "Name SystemCreationClassName SystemName CreationClassName",
		"CIM_ReplicationSettingData":    "InstanceID",
		"CIM_Error":                     "",
	}
	for name, want := range tests {
		c := schema.Class(name)
		require.NotNil(t, c, name)
		require.Equal(t, want, keyNames(c), name)
	}
}

func TestPropertiesOfServedClasses(t *testing.T) {
	schema := loadSchemas(t)
	volume := schema.Class("cim_storagevolume")
	require.True(t, volume.IsA("CIM_ManagedElement"))
	require.Equal(t, cim.Uint64, volume.Property("BlockSize").Type)
	require.Equal(t, "CIM_StorageExtent", volume.Property("BlockSize").Origin)
	require.True(t, volume.Property("BlockSize").Propagated)
	require.Equal(t, true, volume.Property("CanDelete").Default)
	require.True(t, volume.Property("OperationalStatus").Array)
	require.NotNil(t, volume.Method("RequestStateChange"))

	pair := schema.Class("CIM_StorageSynchronized")
	require.True(t, pair.Association)
	require.Equal(t, "Restored", valueNames(t, pair.Property("CopyState").Qualifiers)["18"])
	require.Equal(t, "CIM_ManagedElement", pair.Property("SystemElement").RefClass)
	require.Equal(t, "CIM_Synchronized", pair.Property("SystemElement").Origin)
	require.False(t, pair.Property("SystemElement").Propagated)
	require.True(t, schema.Class("CIM_Synchronized").Association)

	job := schema.Class("CIM_ConcreteJob")
	require.Equal(t, cim.IntervalValue(5*60*1e9), job.Property("TimeBeforeRemoval").Default)
	require.Equal(t, "CIM_Error", job.Method("GetError").Param("Error").Embedded)
	require.Equal(t, "*", job.Property("JobInParameters").Embedded)
}

func TestOneClassAFile(t *testing.T) {
	names, err := fs.Glob(schemas.Files(), "*_*.mof")
	require.NoError(t, err)
	require.Greater(t, len(names), 80)
	for _, name := range names {
		text, err := fs.ReadFile(schemas.Files(), name)
		require.NoError(t, err)
		decls, err := Parse(name, text)
		require.NoError(t, err)
		require.Len(t, decls, 1, name)
		c, ok := decls[0].(*ClassDecl)
		require.True(t, ok, name)
		require.Equal(t, strings.TrimSuffix(name, ".mof"), c.Name)
	}
}

func TestEveryClassIsDescribed(t *testing.T) {
	for _, c := range loadSchemas(t).Classes() {
		require.NotEmpty(t, c.Qualifiers.Text("Description"), c.Name)
		require.NotEmpty(t, c.Qualifiers.Text("Version"), c.Name)
		for _, m := range c.Methods {
			require.NotEmpty(t, m.Qualifiers.Text("Description"), "%s.%s", c.Name, m.Name)
		}
	}
}

// TestIndexesAreStable checks what instances rely on: a property has the same
// place in a class and in each of its subclasses.
func TestIndexesAreStable(t *testing.T) {
	for _, c := range loadSchemas(t).Classes() {
		for i, p := range c.Properties {
			require.Equal(t, i, p.Index, "%s.%s", c.Name, p.Name)
			require.Same(t, p, c.Property(p.Name))
			if c.Super != nil && i < len(c.Super.Properties) {
				require.True(t, strings.EqualFold(p.Name, c.Super.Properties[i].Name), "%s.%s", c.Name, p.Name)
			}
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load(schemas.Files()); err != nil {
			b.Fatal(err)
		}
	}
}
