package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// file writes a configuration file.
func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "twinlun.yaml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func TestLoadFile(t *testing.T) {
	c := Defaults()
	require.NoError(t, c.LoadFile(file(t, `
data_dir: /srv/twinlun
wsman: "off"
iscsi: 10.0.0.1:3260
allow_unencrypted: true
pools:
  - {name: fast, path: /fast}
  - {name: slow, path: /slow}
`)))
	require.Equal(t, "/srv/twinlun", c.DataDir)
	require.Equal(t, Off, c.WSMan)
	require.Equal(t, ":5986", c.WSManTLS, "what the file does not name stays")
	require.True(t, c.AllowUnencrypted)
	require.Equal(t, []PoolConfig{{Name: "fast", Path: "/fast"}, {Name: "slow", Path: "/slow"}}, c.Pools)
	require.NoError(t, c.Check())
}

func TestLoadFileOfNothing(t *testing.T) {
	for _, text := range []string{"", "\n# nothing\n", "---\n"} {
		c := Defaults()
		require.NoError(t, c.LoadFile(file(t, text)), "%q", text)
		require.Equal(t, Defaults(), c)
	}
	c := Defaults()
	require.ErrorIs(t, c.LoadFile(filepath.Join(t.TempDir(), "none.yaml")), os.ErrNotExist, "a file that was named must be there")
}

// What is wrong with a file is told with its name and the line.
func TestLoadFileRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"wsman: :1\nwsmann: :2\n":                "line 2",
		"allow_unencrypted: perhaps\n":           "line 1",
		"pools:\n  - name: p\n    where: /srv\n": "line 3",
		"wsman: [":                               "line 1",
		"just words":                             "line 1",
		"wsman: :1\n---\nwsman: :2\n":            "more than one YAML document",
		strings.Repeat("#", maxConfigFile+1):     "larger than",
	} {
		c := Defaults()
		name := file(t, text)
		err := c.LoadFile(name)
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, name)
	}
}

func TestLoadEnv(t *testing.T) {
	env := map[string]string{"TWINLUN_DATA_DIR": "/d", "TWINLUN_WSMAN_TLS": "off", "TWINLUN_ALLOW_UNENCRYPTED": "1", "TWINLUN_OTHER": "x"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	c := Defaults()
	require.NoError(t, c.LoadEnv(lookup))
	want := Defaults()
	want.DataDir, want.WSManTLS, want.AllowUnencrypted = "/d", Off, true
	require.Equal(t, want, c)

	env["TWINLUN_ALLOW_UNENCRYPTED"] = "perhaps"
	require.ErrorContains(t, c.LoadEnv(lookup), "TWINLUN_ALLOW_UNENCRYPTED")
}

// Each name sets a setting of its own, which the file knows too.
func TestSet(t *testing.T) {
	for _, name := range SettingNames() {
		c, value := Config{}, "true"
		require.NoError(t, c.Set(name, value), name)
		require.NotEqual(t, Config{}, c, name)
		kind := "str"
		if name == "allow-unencrypted" {
			kind = "bool"
		}
		fromFile := Config{}
		require.NoError(t, fromFile.LoadFile(file(t, strings.ReplaceAll(name, "-", "_")+": !!"+kind+" true\n")), name)
		require.Equal(t, c, fromFile, name)
	}
	c := Config{}
	require.ErrorContains(t, c.Set("speed", "1"), `"speed"`)
}

func TestCheckRefuses(t *testing.T) {
	for says, change := range map[string]func(*Config){
		"data_dir":                     func(c *Config) { c.DataDir = "" },
		`wsman: "5985"`:                func(c *Config) { c.WSMan = "5985" },
		`wsman_tls: ":http"`:           func(c *Config) { c.WSManTLS = ":http" },
		`iscsi: "h:65536"`:             func(c *Config) { c.ISCSI = "h:65536" },
		`metrics: ""`:                  func(c *Config) { c.Metrics = "" },
		"iqn_prefix":                   func(c *Config) { c.IQNPrefix = "iqn.2026-11.dev.twinlun:x" },
		`iqn_prefix: "iqn.2026-13.a"`:  func(c *Config) { c.IQNPrefix = "iqn.2026-13.a" },
		`iqn_prefix: "iqn.2026-11.A"`:  func(c *Config) { c.IQNPrefix = "iqn.2026-11.A" },
		`iqn_prefix: "iqn.2026-11.a."`: func(c *Config) { c.IQNPrefix = "iqn.2026-11.a." },
		"tls_cert and tls_key":         func(c *Config) { c.TLSKey = "key.pem" },
		"log_level":                    func(c *Config) { c.LogLevel = "loud" },
		"log_format":                   func(c *Config) { c.LogFormat = "xml" },
		`pools[0]: ""`:                 func(c *Config) { c.Pools = []PoolConfig{{Name: "", Path: "/p"}} },
		`pools[0]: "a/b"`:              func(c *Config) { c.Pools = []PoolConfig{{Name: "a/b", Path: "/p"}} },
		`path "p" is not absolute`:     func(c *Config) { c.Pools = []PoolConfig{{Name: "p", Path: "p"}} },
		`pools[1]: the name "P"`:       func(c *Config) { c.Pools = []PoolConfig{{Name: "p", Path: "/p"}, {Name: "P", Path: "/q"}} },
		`pools[1]: the path "/p/."`:    func(c *Config) { c.Pools = []PoolConfig{{Name: "p", Path: "/p"}, {Name: "q", Path: "/p/."}} },
	} {
		c := Defaults()
		change(&c)
		require.ErrorContains(t, c.Check(), says)
	}
}

func TestCheckCompletes(t *testing.T) {
	t.Chdir(t.TempDir())
	c := Defaults()
	c.DataDir = "data"
	require.NoError(t, c.Check())
	require.True(t, filepath.IsAbs(c.DataDir))
	require.Equal(t, []PoolConfig{{Name: "default", Path: filepath.Join(c.DataDir, "pools", "default")}}, c.Pools)
}

func FuzzConfigFile(f *testing.F) {
	f.Add("wsman: :1\n")
	f.Add("pools: [{name: a, path: /a}]\n")
	f.Add("pools: [{name: a, merge_rate: 1MiB, reserve: 0, max_provisioned: 1T, warn_at: 50, alarm_at: 60, checksums: false}]\n")
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		c := Defaults()
		if c.decode(strings.NewReader(text)) != nil || c.Check() != nil {
			return
		}
		require.NotEmpty(t, c.Pools)
		require.True(t, filepath.IsAbs(c.DataDir))
	})
}
