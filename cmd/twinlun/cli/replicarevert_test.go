package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReplicaRestore(t *testing.T) {
	w := start(t)
	w.sources("db", "log", "web")
	for _, n := range []string{"s1", "s2"} {
		w.must("replica", "create", "--type", "snapshot", "--source", "db", "--name", n)
	}
	w.must("replica", "create", "--type", "clone", "--source", "web", "--name", "c", "--wait", "synchronized")
	w.must("replica", "create", "--type", "snapshot", "--source", "db,log", "--group", "--name", "g")

	shown := w.records("replica", "restore", "s2", "c")
	require.Equal(t, []string{"s2", "c"}, column(shown, "target"))
	require.Equal(t, []string{"Synchronized", "Synchronized"}, column(shown, "state"))
	shown = w.records("replica", "restore", "s1", "--keep", "before", "--force")
	require.Equal(t, []string{"s1", "before"}, column(shown, "target"))
	require.Equal(t, []string{"db", "db"}, column(shown, "source"))
	shown = w.records("replica", "restore", "g", "--keep", "old")
	require.Equal(t, []string{"g", "old_1", "old_2"}, column(shown, "name"))
	require.Contains(t, w.must("replica", "reset", "s1", "g"), "Synchronized")
	require.Equal(t, []string{"s1"}, column(w.records("replica", "reset", "s1"), "target"))

	w.fails(2, "--keep: it is the name", "replica", "restore", "s1", "s2", "--keep", "x")
	w.fails(2, "requires at least 1 arg", "replica", "restore")
	w.fails(3, `there is no replica "none"`, "replica", "restore", "s1", "none")
	w.fails(3, `there is no replica "none"`, "replica", "reset", "none")
	w.fails(1, "RestoreFromReplica returned 5 (Invalid Parameter): KeepName: ", "replica", "restore", "s1", "--keep", "log")
	w.fails(1, "c: ModifyReplicaSynchronization returned 1 (Not Supported): Operation: ", "replica", "reset", "s1", "c")
}

func TestVolumeShrink(t *testing.T) {
	w := start(t)
	w.sources("db")
	w.must("volume", "resize", "db", "--size", "512KiB")
	w.must("volume", "resize", "db", "--size", "256KiB", "--force")
	require.Equal(t, float64(256<<10), w.record("volume", "show", "db")["size"])
	w.must("volume", "resize", "db", "--size", "1MiB", "--force")
	w.must("replica", "create", "--type", "snapshot", "--source", "db", "--name", "s")
	w.fails(1, "ResizeVolume returned 6 (In Use): Size: ", "volume", "resize", "db", "--size", "256KiB", "--force")
}
