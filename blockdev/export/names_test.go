package export

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/iscsi"
)

func TestTargetName(t *testing.T) {
	id := ref("x").ID
	const tail = "-00000000"
	long := strings.Repeat("n", 199)
	for name, want := range map[string]string{
		"db01":            "db01",
		"DB01":            "db01",
		"a.b_c:d-e":       "a.b_c:d-e",
		"my volume":       "my-volume" + tail,
		"My Volume":       "my-volume" + tail,
		"Größe":           "gr--e" + tail,
		"a/b":             "a-b" + tail,
		"日本":              "--" + tail,
		long:              long,
		long + "o":        strings.Repeat("n", 199-len(tail)) + tail,
		long[:190] + "ö!": strings.Repeat("n", 190) + tail,
	} {
		got := targetName(prefix, name, id)
		require.Equal(t, prefix+":"+want, got, name)
		require.LessOrEqual(t, len(got), maxTargetName)
		require.True(t, iscsi.ValidName(got), got)
	}
}

func FuzzTargetName(f *testing.F) {
	for _, s := range []string{"db01", "My Volume", "日本", "\xff\xfe", strings.Repeat("é", 200), ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := targetName(prefix, name, ref("x").ID)
		if len(got) > maxTargetName || !iscsi.ValidName(got) || strings.ToLower(got) != got {
			t.Fatalf("%q gives %q", name, got)
		}
	})
}

func TestCleanInitiators(t *testing.T) {
	got, err := cleanInitiators("op", []string{"IQN.1994-05.com.Example:B", hostA, "eui.02004567A425678D", hostB, hostA})
	require.NoError(t, err)
	require.Equal(t, []string{"eui.02004567a425678d", hostA, hostB}, got)
	for _, bad := range []string{"", "host", "iqn", "iqn.a b", "iqn.a,b", "iqn." + strings.Repeat("x", 223), "*"} {
		_, err := cleanInitiators("op", []string{hostA, bad})
		requireKind(t, blockdev.KindInvalid, err)
	}
	many := make([]string, maxInitiators+1)
	for i := range many {
		many[i] = hostA + strings.Repeat("1", i%100) + "." + strings.Repeat("2", i/100)
	}
	_, err = cleanInitiators("op", many)
	requireKind(t, blockdev.KindInvalid, err)
}

func TestCheckCredentials(t *testing.T) {
	require.NoError(t, checkCredentials("op", "", ""))
	require.NoError(t, checkCredentials("op", "u", strings.Repeat("s", minSecret)))
	require.NoError(t, checkCredentials("op", "u", strings.Repeat("s", maxSecret)))
	for _, c := range [][2]string{
		{"u", ""}, {"", secret}, {"u", strings.Repeat("s", minSecret-1)},
		{"u", strings.Repeat("s", maxSecret+1)}, {strings.Repeat("u", maxUser+1), secret},
	} {
		requireKind(t, blockdev.KindInvalid, checkCredentials("op", c[0], c[1]))
	}
}

func TestNewRefuses(t *testing.T) {
	good := newRig(t).cfg
	for name, change := range map[string]func(*Config){
		"no store":      func(c *Config) { c.Meta = nil },
		"no pools":      func(c *Config) { c.Pool = nil },
		"no targets":    func(c *Config) { c.Targets = nil },
		"no prefix":     func(c *Config) { c.IQNPrefix = "" },
		"bad prefix":    func(c *Config) { c.IQNPrefix = "dev.twinlun" },
		"spaced prefix": func(c *Config) { c.IQNPrefix = "iqn.2026-11.dev twinlun" },
		"long prefix":   func(c *Config) { c.IQNPrefix = "iqn." + strings.Repeat("x", maxPrefix) },
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			change(&c)
			_, err := New(c)
			requireKind(t, blockdev.KindInvalid, err)
		})
	}
	good.Logger, good.Time, good.IQNPrefix = nil, nil, "IQN.2026-11.Dev.Twinlun"
	x, err := New(good)
	require.NoError(t, err)
	require.Equal(t, prefix, x.cfg.IQNPrefix)
	require.False(t, x.cfg.Time().IsZero())
}
