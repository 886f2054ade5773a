package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/cmd/twinlun/daemon"
	"twinlun/wsman/auth"
)

// buffer is a bytes.Buffer for many goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// outcome is what a command printed and its exit code.
type outcome struct {
	out, err string
	code     int
}

// run runs a command line.
func run(ctx context.Context, args ...string) outcome { return runIn(ctx, "", args...) }

func runIn(ctx context.Context, in string, args ...string) outcome {
	var out, errs buffer
	a := &app{Streams: Streams{In: strings.NewReader(in), Out: &out, Err: &errs}, version: "1.2.3", loadSchema: testSchema, hash: cheap()}
	code := execute(ctx, a, args)
	return outcome{out.String(), errs.String(), code}
}

// cheap makes tests fast.
func cheap() auth.HashParams { return auth.HashParams{MemoryKiB: 8, Time: 1, Parallelism: 1} }

// world is a daemon that commands work on.
type world struct {
	t   *testing.T
	d   *daemon.Daemon
	dir string
}

// start runs a daemon on an empty data dir; the environment tells commands where
// it is and who asks.
func start(t *testing.T) *world {
	t.Helper()
	return startAt(t, "127.0.0.1:0")
}

// startAt listens for iSCSI at an address.
func startAt(t *testing.T, iscsi string, pools ...daemon.PoolConfig) *world {
	t.Helper()
	c := daemon.Defaults()
	c.DataDir, c.Pools = filepath.Join(t.TempDir(), "data"), pools
	c.WSMan, c.WSManTLS, c.ISCSI, c.Metrics = "127.0.0.1:0", "127.0.0.1:0", iscsi, daemon.Off
	require.NoError(t, c.Check())
	log := slog.New(slog.DiscardHandler)
	d, err := daemon.Open(t.Context(), c, daemon.Options{Version: "1.2.3", Log: log, Audit: log, Notices: &buffer{}, Users: cheap()})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- d.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
		require.NoError(t, d.Close())
	})
	w := &world{t: t, d: d, dir: c.DataDir}
	password, err := os.ReadFile(w.passwordFile())
	require.NoError(t, err)
	t.Setenv("TWINLUN_SERVER", w.url())
	t.Setenv("TWINLUN_PASSWORD", strings.TrimSpace(string(password)))
	return w
}

func (w *world) url() string          { return "http://" + w.d.Addresses().WSMan + "/wsman" }
func (w *world) passwordFile() string { return filepath.Join(w.dir, "initial-admin-password") }

func (w *world) run(args ...string) outcome { return run(w.t.Context(), args...) }

// must runs a command that must succeed and returns what it printed.
func (w *world) must(args ...string) string {
	w.t.Helper()
	o := w.run(args...)
	require.Zero(w.t, o.code, "twinlun %s: %s", strings.Join(args, " "), o.err)
	return o.out
}

// fails runs a command that must end with a code and say something.
func (w *world) fails(code int, says string, args ...string) {
	w.t.Helper()
	o := w.run(args...)
	require.Equal(w.t, code, o.code, "twinlun %s: %s%s", strings.Join(args, " "), o.out, o.err)
	require.Contains(w.t, o.err, says, strings.Join(args, " "))
	require.True(w.t, strings.HasPrefix(lastLine(o.err), "twinlun: "), o.err)
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// records runs a command that lists.
func (w *world) records(args ...string) []map[string]any {
	w.t.Helper()
	var list []map[string]any
	require.NoError(w.t, json.Unmarshal([]byte(w.must(append(args, "-o", "json")...)), &list))
	return list
}

// record runs a command that shows one object.
func (w *world) record(args ...string) map[string]any {
	w.t.Helper()
	var r map[string]any
	require.NoError(w.t, json.Unmarshal([]byte(w.must(append(args, "-o", "json")...)), &r))
	return r
}

// column are the values of one field, as text.
func column(list []map[string]any, field string) []string {
	var all []string
	for _, r := range list {
		s, _ := r[field].(string)
		all = append(all, s)
	}
	return all
}

// file writes a file and returns its name.
func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

var testSchema = sync.OnceValues(loadSchema)

func classOf(t testing.TB, name string) *cim.Class {
	s, err := testSchema()
	require.NoError(t, err)
	c := s.Class(name)
	require.NotNil(t, c, name)
	return c
}

// eventually waits for something that the daemon does in the background.
func eventually(t *testing.T, f func() bool) {
	t.Helper()
	require.Eventually(t, f, time.Minute, 5*time.Millisecond)
}
