package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// sources makes volumes.
func (w *world) sources(names ...string) {
	for _, n := range names {
		w.must("volume", "create", n, "--size", "1MiB")
	}
}

func TestReplicaList(t *testing.T) {
	w := start(t)
	w.sources("db", "log")
	made := w.records("replica", "create", "--type", "snapshot", "--source", "db,log", "--name", "z1", "--name", "a1", "--consistent")
	require.Equal(t, []string{"db", "log"}, column(made, "source"), "in the order of the sources")
	require.Equal(t, []string{"z1", "a1"}, column(made, "target"))
	require.Equal(t, []string{"Snapshot", "Snapshot"}, column(made, "type"))

	made = w.records("replica", "create", "--type", "clone", "--source", "db", "--name", "copy", "--wait", "synchronized", "--pool", "default")
	require.Equal(t, []string{"copy"}, column(made, "target"))
	w.must("replica", "create", "--type", "MIRROR", "--source", "db", "--name", "m", "--mode", "sync", "--wait", "Synchronized")
	shown := w.record("replica", "show", "m")
	require.Equal(t, "Mirror", shown["type"])
	require.Equal(t, "Synchronized", shown["state"])
	require.Equal(t, float64(100), shown["percent"])
	require.Equal(t, shown, w.record("replica", "show", shown["id"].(string)))
	require.Equal(t, []string{"a1", "copy", "m", "z1"}, column(w.records("replica", "list"), "target"), "by name")
	require.Contains(t, w.must("replica", "list"), "NAME")
	require.Regexp(t, `(?m)^TARGET +m$`, w.must("replica", "show", "m"))

	w.must("volume", "create", "given", "--size", "2MiB")
	made = w.records("replica", "create", "--type", "8", "--source", "log", "--target", "given", "--no-follow")
	require.Equal(t, []string{"given"}, column(made, "target"))
}

func TestReplicaGroup(t *testing.T) {
	w := start(t)
	w.sources("db", "log")
	made := w.records("replica", "create", "--type", "clone", "--source", "db", "--source", "log", "--group", "--name", "nightly", "--consistent", "--wait", "synchronized")
	require.Equal(t, []string{"nightly_1", "nightly_2"}, column(made, "target"))
	require.Equal(t, []string{"nightly", "nightly"}, column(made, "group"))
	all := w.records("replica", "list")
	require.Len(t, all, 3, "two pairs, and the relationship of the groups")
	require.Equal(t, "nightly", all[2]["name"])
	require.Equal(t, "Clone", w.record("replica", "show", all[2]["id"].(string))["type"])
	groups := w.records("group", "list")
	require.Len(t, groups, 2)
	members := []any{groups[0]["members"], groups[1]["members"]}
	require.Contains(t, members, []any{"db", "log"})
	require.Contains(t, members, []any{"nightly_1", "nightly_2"})
}

func TestReplicaRefuses(t *testing.T) {
	w := start(t)
	w.sources("db", "log")
	create := []string{"replica", "create"}
	for says, c := range map[string]struct {
		code int
		args []string
	}{
		"--type and --source are needed": {2, []string{"--source", "db"}},
		"--type and --source":            {2, []string{"--type", "clone"}},
		`--type: "copy" is none of Mirror, Snapshot, Clone, TokenizedClone`: {2, []string{"--type", "copy", "--source", "db"}},
		`--mode: "fast" is neither`:                                         {2, []string{"--type", "mirror", "--source", "db", "--mode", "fast"}},
		`--wait: "done" is none of`:                                         {2, []string{"--type", "clone", "--source", "db", "--wait", "done"}},
		"has one name":                                                      {2, []string{"--type", "clone", "--source", "db", "--group", "--name", "a,b"}},
		`there is no volume "none"`:                                         {3, []string{"--type", "clone", "--source", "db,none"}},
		`there is no volume "nothing"`:                                      {3, []string{"--type", "clone", "--source", "db", "--target", "nothing"}},
		`there is no pool "p"`:                                              {3, []string{"--type", "clone", "--source", "db", "--pool", "p"}},
		"returned 1 (Not Supported)":                                        {1, []string{"--type", "mirror", "--source", "db", "--mode", "async"}},
		"CreateListReplica returned 5 (Invalid ":                            {1, []string{"--type", "clone", "--source", "db", "--name", "log"}},
	} {
		w.fails(c.code, says, append(create, c.args...)...)
	}
	require.Empty(t, w.records("replica", "list"))
	require.Len(t, w.records("volume", "list"), 2)
}

func TestReplicaOperations(t *testing.T) {
	w := start(t)
	w.sources("db")
	for _, n := range []string{"s1", "s2"} {
		w.must("replica", "create", "--type", "snapshot", "--source", "db", "--name", n)
	}
	w.must("replica", "create", "--type", "clone", "--source", "db", "--name", "c", "--wait", "synchronized")
	w.must("replica", "create", "--type", "mirror", "--source", "db", "--name", "m", "--wait", "synchronized")

	w.must("replica", "return", "s1")
	w.must("replica", "dissolve", "s2")
	w.must("replica", "detach", "c")
	require.Equal(t, []string{"m"}, column(w.records("replica", "list"), "target"))
	require.Equal(t, []string{"c", "db", "m", "s2"}, column(w.records("volume", "list"), "name"))

	// What the server does not do yet it says, and the command with it.
	for _, verb := range []string{"restore", "reset"} {
		w.fails(1, "m: ModifyReplicaSynchronization returned 1 (Not Supported)", "replica", verb, "m")
	}
	for _, verb := range []string{"split", "fracture", "resync", "suspend", "resume", "failover", "failback", "reverse", "deactivate", "prepare", "unprepare", "abort"} {
		w.fails(1, "ModifyReplicaSynchronization returned ", "replica", verb, "m")
	}
	w.fails(1, "ModifyReplicaSynchronization returned ", "replica", "mode", "m", "async")
	w.fails(2, `"slow" is neither sync nor async`, "replica", "mode", "m", "slow")
	w.fails(3, `there is no replica "none"`, "replica", "mode", "none", "sync")
	w.fails(3, `there is no replica "none"`, "replica", "detach", "none")
	w.fails(3, `there is no replica "none"`, "replica", "show", "none")
	w.must("replica", "detach", "m", "--force")
	require.Empty(t, w.records("replica", "list"))
}

// A name that two replicas go by names neither of them.
func TestReplicaNameOfSeveral(t *testing.T) {
	w := start(t)
	w.sources("db")
	w.must("replica", "create", "--type", "mirror", "--source", "db", "--group", "--name", "g", "--wait", "synchronized")
	w.must("replica", "create", "--type", "clone", "--source", "db", "--name", "g", "--wait", "synchronized")
	w.fails(2, `2 replicas are called "g": use the identifier`, "replica", "detach", "g")
	require.Len(t, w.records("replica", "show", "g"), 2)
	w.must("replica", "detach", "--force", w.records("replica", "list")[2]["id"].(string))
	require.Equal(t, []string{"g"}, column(w.records("replica", "list"), "target"))
}

// Every verb of the replica command is an operation that the schema names, and the
// other way round, but for those that the command line has no use for.
func TestOperationsAreThoseOfTheSchema(t *testing.T) {
	q := classOf(t, classReplication).Method("ModifyReplicaSynchronization").Param("Operation").Qualifiers
	verbs := map[string]bool{"Reset To Sync": true, "Reset To Async": true}
	for _, o := range operations() {
		_, err := valueNumber(q, o.name)
		require.NoError(t, err)
		verbs[o.name] = true
	}
	var unused []string
	for _, name := range texts(q, "Values") {
		if !verbs[name] {
			unused = append(unused, name)
		}
	}
	require.Equal(t, []string{"Activate Consistency", "AddSyncPair", "Deactivate Consistency", "RemoveSyncPair", "Reset to Adaptive",
		"Reset to Active", "DMTF Reserved", "Vendor Specific"}, unused)
}
