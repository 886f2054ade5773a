package cli

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cmd/twinlun/daemon"
)

// A setting comes from its flag, else from its variable, else from the file, else
// it has its default.
func TestPrecedence(t *testing.T) {
	name := file(t, "data_dir: /file\nwsman: 127.0.0.1:1\niscsi: 127.0.0.1:1\nmetrics: 127.0.0.1:1\nallow_unencrypted: true\n")
	t.Setenv("TWINLUN_WSMAN", "127.0.0.1:2")
	t.Setenv("TWINLUN_ISCSI", "127.0.0.1:2")
	t.Setenv("TWINLUN_ALLOW_UNENCRYPTED", "false")
	c := (&app{}).serveCommand()
	require.NoError(t, c.ParseFlags([]string{"--config", name, "--iscsi", "127.0.0.1:3"}))
	got, err := loadConfig(c, name)
	require.NoError(t, err)
	want := daemon.Defaults()
	want.DataDir, want.WSMan, want.ISCSI, want.Metrics = "/file", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:1"
	require.NoError(t, want.Check())
	require.Equal(t, want, got)

	require.NoError(t, c.ParseFlags([]string{"--allow-unencrypted", "--data-dir", "/flag"}))
	got, err = loadConfig(c, name)
	require.NoError(t, err)
	require.True(t, got.AllowUnencrypted)
	require.Equal(t, "/flag", got.DataDir)
}

// The flags of serve are the settings.
func TestServeFlags(t *testing.T) {
	c := (&app{}).serveCommand()
	for _, name := range daemon.SettingNames() {
		f := c.Flags().Lookup(name)
		require.NotNil(t, f, name)
		require.NotEmpty(t, f.Usage, name)
	}
}

// serving runs the serve command until stop is called, which returns its outcome.
func serving(t *testing.T, args ...string) (log *buffer, stop func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	log = &buffer{}
	done := make(chan int, 1)
	a := &app{Streams: Streams{Err: log, Out: log}, version: "1.2.3", loadSchema: testSchema, hash: cheap()}
	all := append([]string{"serve", "--wsman", "127.0.0.1:0", "--wsman-tls", "off", "--iscsi", "127.0.0.1:0", "--metrics", "off"}, args...)
	go func() { done <- execute(ctx, a, all) }()
	stop = func() int { cancel(); return <-done }
	t.Cleanup(cancel)
	eventually(t, func() bool { return strings.Contains(log.String(), `"msg":"ready"`) || len(done) > 0 })
	return log, stop
}

func TestServe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	log, stop := serving(t, "--data-dir", dir)
	require.Contains(t, log.String(), "twinlun: first start: made the user \"admin\"")
	var line struct{ Service, Address string }
	for text := range strings.Lines(log.String()) {
		if strings.Contains(text, `"service":"wsman"`) {
			require.NoError(t, json.Unmarshal([]byte(text), &line))
		}
	}
	t.Setenv("TWINLUN_SERVER", "http://"+line.Address)
	w := &world{t: t, dir: dir}
	w.must("volume", "create", "v", "--size", "1MiB", "--password-file", w.passwordFile())

	second, stopSecond := serving(t, "--data-dir", dir)
	require.Equal(t, exitFailed, stopSecond())
	require.Contains(t, second.String(), "twinlun: the data dir "+dir+" is in use by another daemon")
	require.Zero(t, stop())
	require.Contains(t, log.String(), `"msg":"audit"`)
	_, err := net.Dial("tcp", line.Address)
	require.Error(t, err, "nothing listens any more")
}

func TestServeRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	dir := filepath.Join(t.TempDir(), "data")
	w := &world{t: t}
	w.fails(1, "wsman: listen tcp "+taken.Addr().String(), "serve", "--data-dir", dir, "--wsman", taken.Addr().String())
	require.NoDirExists(t, dir)
	name := file(t, "speed: fast\n")
	w.fails(2, name, "serve", "--data-dir", dir, "--config", name)
	w.fails(2, "line 1", "serve", "--data-dir", dir, "--config", name)
	require.NoError(t, os.WriteFile(name, []byte("iqn_prefix: none\n"), 0o600))
	w.fails(2, `iqn_prefix: "none"`, "serve", "--config", name)
	t.Setenv("TWINLUN_LOG_LEVEL", "loud")
	w.fails(2, `log_level: "loud"`, "serve", "--data-dir", dir)
	require.NoDirExists(t, dir)
}
