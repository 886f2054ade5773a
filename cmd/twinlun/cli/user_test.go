package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Users are changed in the data dir while the daemon runs, and it knows at once.
func TestUsers(t *testing.T) {
	w := start(t)
	secret := file(t, "first password\nsecond line\n")
	user := func(args ...string) []string { return append([]string{"user", "--data-dir", w.dir}, args...) }
	w.must(user("add", "eva", "--role", "operator", "--password-file", secret)...)
	o := runIn(t.Context(), "from the pipe\n", user("add", "max", "--role", "monitor")...)
	require.Zero(t, o.code, o.err)
	require.Equal(t, []map[string]any{{"name": "admin", "role": "admin"}, {"name": "eva", "role": "operator"}, {"name": "max", "role": "monitor"}},
		w.records(user("list")...))
	require.Regexp(t, `^NAME +ROLE\nadmin +admin\n`, w.must(user("list")...))

	as := func(user, password string) { t.Setenv("TWINLUN_USER", user); t.Setenv("TWINLUN_PASSWORD", password) }
	admin := os.Getenv("TWINLUN_PASSWORD")
	w.sources("db")
	as("max", "from the pipe")
	w.must("volume", "list")
	w.fails(4, "", "replica", "create", "--type", "snapshot", "--source", "db")
	w.fails(4, "", "volume", "create", "v", "--size", "1M")
	as("eva", "first password")
	w.must("replica", "create", "--type", "clone", "--source", "db", "--wait", "synchronized")
	w.fails(4, "", "volume", "delete", "db")

	w.must(user("passwd", "eva", "--password-file", file(t, "other"))...)
	w.fails(4, "did not accept the user or the password", "volume", "list")
	as("eva", "other")
	w.must("volume", "list")
	w.must(user("remove", "eva")...)
	w.fails(4, "did not accept", "volume", "list")
	as("admin", admin)
	require.Len(t, w.records(user("list")...), 2)
}

func TestUsersRefuse(t *testing.T) {
	dir := t.TempDir()
	secret := file(t, "password")
	t.Setenv("TWINLUN_DATA_DIR", dir)
	w := &world{t: t}
	w.must("user", "add", "eva", "--password-file", secret)
	w.fails(1, "EVA: there is such a user", "user", "add", "EVA", "--password-file", secret)
	w.fails(2, `--role: "king"`, "user", "add", "max", "--role", "king", "--password-file", secret)
	w.fails(2, `"max moritz"`, "user", "add", "max moritz", "--password-file", secret)
	w.fails(1, "no such file", "user", "add", "max", "--password-file", "/none")
	w.fails(1, "the first line is empty", "user", "add", "max", "--password-file", file(t, ""))
	w.fails(1, "the first line is empty", "user", "add", "max")
	w.fails(1, "more than", "user", "add", "max", "--password-file", file(t, string(make([]byte, maxPassword+1))))
	w.fails(3, `there is no user "max"`, "user", "remove", "max")
	w.fails(3, `there is no user "max"`, "user", "passwd", "max", "--password-file", secret)
	w.fails(2, `"xml"`, "user", "list", "-o", "xml")
	w.fails(1, "/none", "user", "list", "--data-dir", "/none")
	w.fails(2, "/none.yaml", "user", "list", "--config", "/none.yaml")
	require.Len(t, w.records("user", "list"), 1)

	// The data dir comes from its flag, else its variable, else the file.
	other := filepath.Join(t.TempDir(), "other")
	require.NoError(t, os.Mkdir(other, 0o700))
	require.Empty(t, w.records("user", "list", "--data-dir", other))
	require.NoError(t, os.Unsetenv("TWINLUN_DATA_DIR"))
	require.Empty(t, w.records("user", "list", "--config", file(t, "data_dir: "+other)))
}
