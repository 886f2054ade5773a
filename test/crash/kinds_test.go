package crash

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/test/system"
	"twinlun/wsman/client"
)

// kind is one sort of request during which the daemon is killed.
type kind struct {
	name   string
	within time.Duration // the kill comes before this has passed
	// request sends it and returns when it is answered.
	request func(ctx context.Context, d *system.Daemon, c *client.Client, paths map[string]*cim.Path, name string) (*cim.Reply, error)
	// check looks at what there is after the restart, when all jobs have ended.
	check func(t *testing.T, d *system.Daemon, name string, content [volumes][]byte)
}

func kinds() []kind {
	return []kind{
		{name: "clone", within: 600 * time.Millisecond, request: list(8), check: checkList(8)},
		{name: "mirror", within: 800 * time.Millisecond, request: list(6), check: checkList(6)},
		{name: "group snapshot", within: 300 * time.Millisecond, request: group(7), check: checkGroup(7)},
		{name: "group clone", within: 600 * time.Millisecond, request: group(8), check: checkGroup(8)},
		{name: "group mirror", within: 800 * time.Millisecond, request: group(6), check: checkGroup(6)},
	}
}

func sources(paths map[string]*cim.Path) []cim.Value {
	var refs []cim.Value
	for i := range volumes {
		refs = append(refs, paths[source(i)])
	}
	return refs
}

func list(syncType int) func(context.Context, *system.Daemon, *client.Client, map[string]*cim.Path, string) (*cim.Reply, error) {
	return func(ctx context.Context, d *system.Daemon, c *client.Client, paths map[string]*cim.Path, name string) (*cim.Reply, error) {
		return d.Invoke(ctx, c, "CIM_ReplicationService", "CreateListReplica",
			system.Arg("SyncType", syncType), system.Arg("SourceElements", sources(paths)), system.Arg("ElementNames", []string{name + "_1", name + "_2"}))
	}
}

func group(syncType int) func(context.Context, *system.Daemon, *client.Client, map[string]*cim.Path, string) (*cim.Reply, error) {
	return func(ctx context.Context, d *system.Daemon, c *client.Client, paths map[string]*cim.Path, name string) (*cim.Reply, error) {
		return d.Invoke(ctx, c, "CIM_ReplicationService", "CreateGroupReplicaFromElements",
			system.Arg("SyncType", syncType), system.Arg("SourceElements", sources(paths)), system.Arg("RelationshipName", name), system.Arg("Consistency", 3))
	}
}

// checkList finds both replicas of a list, or neither.
func checkList(syncType int) func(*testing.T, *system.Daemon, string, [volumes][]byte) {
	return func(t *testing.T, d *system.Daemon, name string, content [volumes][]byte) {
		t.Helper()
		if requireAllOrNothing(t, d, name) {
			checkReplicas(t, d, syncType, name, content)
		}
		require.Empty(t, instances(t, d, "CIM_ReplicationGroup"))
	}
}

// checkGroup finds both groups with their replicas and relationship, or nothing.
func checkGroup(syncType int) func(*testing.T, *system.Daemon, string, [volumes][]byte) {
	return func(t *testing.T, d *system.Daemon, name string, content [volumes][]byte) {
		t.Helper()
		made := requireAllOrNothing(t, d, name)
		want := 0
		if made {
			want = 1
			checkReplicas(t, d, syncType, name, content)
		}
		require.Len(t, instances(t, d, "CIM_GroupSynchronized"), want)
		require.Len(t, instances(t, d, "CIM_ReplicationGroup"), 2*want)
	}
}

func instances(t *testing.T, d *system.Daemon, class string) []*cim.Instance {
	t.Helper()
	all, err := system.List(t.Context(), d.Client(), class)
	require.NoError(t, err)
	return all
}

// requireAllOrNothing says whether the replicas are there, with a relationship
// each, and fails if only some are.
func requireAllOrNothing(t *testing.T, d *system.Daemon, name string) bool {
	t.Helper()
	paths, err := system.Volumes(t.Context(), d.Client())
	require.NoError(t, err)
	made := len(instances(t, d, "CIM_StorageSynchronized"))
	require.Equal(t, volumes+made, len(paths), "volumes and relationships do not match: %v", paths)
	require.Contains(t, []int{0, volumes}, made, "half of %s was made", name)
	return made > 0
}

// checkReplicas compares replicas: a mirror equals its source, a point in time
// holds blocks that its source has had.
func checkReplicas(t *testing.T, d *system.Daemon, syncType int, name string, content [volumes][]byte) {
	t.Helper()
	for _, in := range instances(t, d, "CIM_StorageSynchronized") {
		require.EqualValues(t, 4, in.Get("CopyState"), "%v", in.Path)
	}
	for i := range volumes {
		replica := name + "_" + string(rune('1'+i))
		d.Must("volume", "expose", replica)
		got := read(t, d, replica)
		if syncType == 6 {
			require.True(t, bytes.Equal(content[i], got), "%s differs from its source", replica)
			continue
		}
		_, err := changes(got, i, 0)
		require.NoError(t, err, replica)
	}
}
