package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/cim/mof"
	"twinlun/schemas"
	"twinlun/wsman/auth"
	"twinlun/wsman/client"
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

// config is that of a daemon on free ports with a data dir that is not there yet.
func config(t testing.TB) Config {
	c := Defaults()
	c.DataDir = filepath.Join(t.TempDir(), "data")
	c.WSMan, c.WSManTLS, c.ISCSI, c.Metrics = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	require.NoError(t, c.Check())
	return c
}

// cheap makes tests fast.
func cheap() auth.HashParams { return auth.HashParams{MemoryKiB: 8, Time: 1, Parallelism: 1} }

// running is a daemon that serves.
type running struct {
	*Daemon
	t            *testing.T
	log, notices *buffer
	cancel       context.CancelFunc
	served       chan error
	stopped      bool
}

// open opens a daemon; its log and notices are kept.
func open(t *testing.T, c Config) (*running, error) {
	r := &running{t: t, log: &buffer{}, notices: &buffer{}, served: make(chan error, 1)}
	log, audit, err := NewLoggers(r.log, "info", "json")
	require.NoError(t, err)
	r.Daemon, err = Open(t.Context(), c, Options{Version: "1.2.3", Log: log, Audit: audit, Notices: r.notices, Users: cheap()})
	return r, err
}

// start opens a daemon and lets it serve until the test ends.
func start(t *testing.T, c Config) *running {
	t.Helper()
	r, err := open(t, c)
	require.NoError(t, err)
	r.serve()
	return r
}

// serve lets an open daemon serve until the test ends.
func (r *running) serve() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.served <- r.Serve(ctx) }()
	r.t.Cleanup(r.stop)
}

// stop ends the daemon as SIGTERM would.
func (r *running) stop() {
	if r.stopped {
		return
	}
	r.stopped = true
	r.cancel()
	require.NoError(r.t, <-r.served)
	require.NoError(r.t, r.Close())
}

func (r *running) password() string {
	b, err := os.ReadFile(filepath.Join(r.cfg.DataDir, passwordFile))
	require.NoError(r.t, err)
	return strings.TrimSpace(string(b))
}

var schema = sync.OnceValues(func() (*cim.Schema, error) { return mof.Load(schemas.Files()) })

// client is a WS-Man client, as admin.
func (r *running) client() *client.Client {
	s, err := schema()
	require.NoError(r.t, err)
	c, err := client.New(client.Config{
		URL: "http://" + r.Addresses().WSMan + "/wsman", User: "admin", Password: r.password(), Schema: s.Class,
		Namespace: "root/cimv2/storage/iscsitarget",
	})
	require.NoError(r.t, err)
	r.t.Cleanup(c.Close)
	return c
}

func (r *running) invoke(c *client.Client, class, method string, in ...cim.Arg) *cim.Reply {
	reply, err := c.Invoke(r.t.Context(), &cim.Call{Path: &cim.Path{Class: class}, Method: method, In: in})
	require.NoError(r.t, err)
	return reply
}

// createVolume makes a volume of 1 MiB and exposes it; the result is its path and
// target.
func (r *running) createVolume(c *client.Client, name string) (*cim.Path, string) {
	made := r.invoke(c, "CIM_StorageConfigurationService", "CreateOrModifyElementFromStoragePool",
		cim.Arg{Name: "ElementName", Value: name}, cim.Arg{Name: "ElementType", Value: 2}, cim.Arg{Name: "Size", Value: 1 << 20})
	p, _ := made.Out.Get("TheElement").(*cim.Path)
	require.NotNil(r.t, p)
	shown := r.invoke(c, "TWINLUN_ControllerConfigurationService", "ExposeVolume", cim.Arg{Name: "Volume", Value: p})
	target, _ := shown.Out.Get("TargetName").(string)
	return p, target
}

// get reads a page of the metrics listener.
func (r *running) get(path string) (int, string) {
	return get(r.t, http.DefaultClient, "http://"+r.Addresses().Metrics+path)
}

func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := c.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

// lines are the records of a JSON log with a message.
func (b *buffer) lines(t *testing.T, msg string) []map[string]any {
	var found []map[string]any
	for line := range strings.Lines(b.String()) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m), line)
		if m[slog.MessageKey] == msg {
			found = append(found, m)
		}
	}
	return found
}
