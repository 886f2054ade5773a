package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stopped is the data dir of a daemon with a volume and a snapshot of it, as a power cut
// would leave it once all sums have been made.
func stopped(t *testing.T) string {
	t.Helper()
	w := start(t)
	w.sources("db")
	w.must("replica", "create", "--type", "snapshot", "--source", "db")
	w.fails(1, "stop the daemon first", "pool", "check", "--data-dir", w.dir)
	w.fails(1, "stop the daemon first", "pool", "scrub", "--data-dir", w.dir)
	w.scrubs()
	dir, n := "", 0
	require.Eventually(t, func() bool {
		n++
		dir = filepath.Join(t.TempDir(), fmt.Sprint(n))
		require.NoError(t, os.CopyFS(dir, os.DirFS(w.dir)))
		return strings.Contains(run(t.Context(), "pool", "check", "--data-dir", dir).err, "3 layers (0 without sums)")
	}, time.Minute, 10*time.Millisecond)
	return dir
}

func TestPoolCheckAndScrub(t *testing.T) {
	dir := stopped(t)
	w := &world{t: t}
	folder := filepath.Join(dir, "pools", "default")
	data := []string{"--data-dir", dir}
	check := func(args ...string) []string { return append(append([]string{"pool", "check"}, data...), args...) }
	scrub := func(args ...string) []string { return append(append([]string{"pool", "scrub"}, data...), args...) }
	require.Empty(t, w.must(check()...))
	require.Empty(t, w.must(scrub("--rate", "1GiB")...))
	w.fails(3, `there is no pool "x"`, check("--pool", "x")...)
	w.fails(3, `there is no pool "x"`, scrub("--pool", "x")...)
	w.fails(2, "--server", check("--server", "http://x/wsman")...)
	w.fails(2, "--rate", scrub("--rate", "fast")...)
	w.fails(2, "--no-follow", scrub("--no-follow")...)
	w.fails(2, "--pool", scrub("x", "--pool", "y")...)
	w.fails(2, "--server", scrub("--server", "http://x/wsman")...)
	w.fails(2, "xml", check("-o", "xml")...)
	w.fails(1, "no such file", "pool", "check", "--data-dir", filepath.Join(dir, "none"))

	stranger := strings.Repeat("0a", 16) + ".data"
	require.NoError(t, os.WriteFile(filepath.Join(folder, stranger), []byte("x"), 0o600))
	o := run(t.Context(), check()...)
	require.Equal(t, exitFailed, o.code)
	require.Contains(t, o.out, stranger)
	require.FileExists(t, filepath.Join(folder, stranger), "nothing is changed without --repair")
	require.Contains(t, w.must(check("--repair", "--pool", "default")...), "true")
	require.Contains(t, w.must(check()...), "lost/"+stranger)
	require.FileExists(t, filepath.Join(folder, "lost", stranger))
	w.must(check("--purge")...)
	require.NoFileExists(t, filepath.Join(folder, "lost", stranger))
	require.Empty(t, w.must(check()...))

	sums, err := filepath.Glob(filepath.Join(folder, "*.sum"))
	require.NoError(t, err)
	require.Len(t, sums, 1)
	f, err := os.OpenFile(strings.TrimSuffix(sums[0], ".sum")+".data", os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("changed"), 8192)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Empty(t, w.must(check()...), "check reads no content")
	o = run(t.Context(), scrub("-o", "json")...)
	require.Equal(t, exitFailed, o.code)
	require.Contains(t, o.out, `"offset": 8192`)
	require.Contains(t, o.err, "4096 bytes damaged")

	require.NoError(t, os.Rename(folder, folder+"x"))
	w.fails(1, "its folder is not there", check()...)
	w.fails(1, "its folder is not there", scrub()...)
	require.NoDirExists(t, folder)
}

// scrubs has the running daemon scrub.
func (w *world) scrubs() {
	w.t.Helper()
	for _, args := range [][]string{{"default"}, {"default", "--rate", "1GiB"}, {"--pool", "Default"}, {}} {
		o := run(w.t.Context(), append([]string{"pool", "scrub", "-o", "json"}, args...)...)
		require.Equal(w.t, 0, o.code, o.err)
		var jobs []struct{ Name, State, Result string }
		require.NoError(w.t, json.Unmarshal([]byte(o.out), &jobs), o.out)
		require.Len(w.t, jobs, 1)
		require.Equal(w.t, "Scrub pool default", jobs[0].Name)
		require.Equal(w.t, "Completed", jobs[0].State)
		require.Contains(w.t, jobs[0].Result, "0 bytes damaged")
	}
	w.must("pool", "scrub", "default", "--no-follow", "--rate", "1")
	w.fails(3, `there is no pool "x"`, "pool", "scrub", "x")
	w.fails(2, "--rate", "pool", "scrub", "--rate", "-1")
}
