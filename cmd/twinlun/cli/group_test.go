package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGroups(t *testing.T) {
	w := start(t)
	w.sources("a", "b", "c")
	w.must("group", "create", "second", "b", "a")
	w.must("group", "create", "First")
	list := w.records("group", "list")
	require.Equal(t, []string{"First", "second"}, column(list, "name"))
	require.Equal(t, []any{}, list[0]["members"])
	require.Equal(t, []any{"b", "a"}, list[1]["members"], "in the order given")
	require.Regexp(t, `(?m)^second +b, a +`, w.must("group", "list"))

	w.must("group", "add", "second", "c")
	w.must("group", "remove", "SECOND", "b")
	require.Equal(t, []any{"a", "c"}, w.records("group", "list")[1]["members"])
	w.must("group", "delete", "second")
	require.Equal(t, []string{"First"}, column(w.records("group", "list"), "name"))

	w.fails(1, "First", "group", "create", "First")
	w.fails(3, `there is no volume "none"`, "group", "create", "third", "none")
	w.fails(3, `there is no group "none"`, "group", "add", "none", "a")
	w.fails(3, `there is no volume "none"`, "group", "add", "First", "none")
	w.fails(3, `there is no group "none"`, "group", "delete", "none")
	w.fails(1, "RemoveMembers returned 8 (Member not in group)", "group", "remove", "First", "a")
	require.Len(t, w.records("volume", "list"), 3, "members stay")
}
