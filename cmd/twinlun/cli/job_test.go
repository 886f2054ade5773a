package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestJobs(t *testing.T) {
	w := start(t)
	require.Empty(t, w.records("job", "list"))
	w.sources("a", "b")
	for _, n := range []string{"a", "b"} {
		o := w.run("replica", "create", "--type", "clone", "--source", n, "--name", n+"2")
		require.Zero(t, o.code, o.err)
		require.Contains(t, o.err, ": 100 %\n", "the job was followed to its end")
	}
	list := w.records("job", "list")
	require.Len(t, list, 2)
	var before time.Time
	for _, j := range list {
		require.Equal(t, "Completed", j["state"])
		require.Equal(t, float64(100), j["percent"])
		require.Equal(t, "admin", j["owner"])
		require.IsType(t, 0.0, j["elapsed"], "seconds")
		at, err := time.Parse(time.RFC3339, j["submitted"].(string))
		require.NoError(t, err)
		require.False(t, at.Before(before), "the oldest first")
		before = at
	}
	id, _ := list[0]["id"].(string)
	require.Equal(t, list[0], w.record("job", "show", id))
	require.Equal(t, list[0], w.record("job", "show", jobPrefix+id))
	require.Regexp(t, `(?m)^SUBMITTED +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`, w.must("job", "show", id))
	w.must("job", "watch", id)
	w.fails(1, "RequestStateChange returned", "job", "cancel", id)
	for _, verb := range []string{"show", "watch", "cancel"} {
		w.fails(3, `there is no job "none"`, "job", verb, "none")
	}
}
