package daemon

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/cim/classes"
)

func TestPoolSettings(t *testing.T) {
	for text, want := range map[string]pool.Config{
		"{name: p}":                                 {Checksums: true},
		"{name: p, checksums: false}":               {},
		"{name: p, verify_reads: true}":             {Checksums: true, VerifyReads: true},
		"{name: p, detect_zeros: true}":             {Checksums: true, DetectZeros: true},
		"{name: p, merge_rate: 16MiB}":              {Checksums: true, MergeRate: 16 << 20},
		"{name: p, merge_rate: 0}":                  {Checksums: true, MergeRate: -1},
		"{name: p, reserve: 1GB}":                   {Checksums: true, Reserve: 1e9},
		"{name: p, reserve: 0}":                     {Checksums: true, Reserve: -1},
		"{name: p, max_provisioned: 10TiB}":         {Checksums: true, MaxProvisioned: 10 << 40},
		"{name: p, max_provisioned: 0}":             {Checksums: true},
		"{name: p, max_provisioned: 1099511627776}": {Checksums: true, MaxProvisioned: 1 << 40},
	} {
		c := Defaults()
		c.DataDir = "/d"
		require.NoError(t, c.LoadFile(file(t, "pools: ["+text+"]")), text)
		require.NoError(t, c.Check(), text)
		want.Name, want.Dir = "p", filepath.Join("/d", "pools", "p")
		require.Equal(t, want, c.Pools[0].open(), text)
	}
}

// TestPoolSettingsRefused: the error names the key.
func TestPoolSettingsRefused(t *testing.T) {
	for text, says := range map[string]string{
		"{name: p, merge_rate: fast}":                     `pools[1].merge_rate: "fast"`,
		"{name: p, merge_rate: -1}":                       `pools[1].merge_rate: "-1"`,
		"{name: p, reserve: 5%}":                          `pools[1].reserve: "5%"`,
		"{name: p, max_provisioned: 2EiB}":                `pools[1].max_provisioned: "2EiB"`,
		"{name: p, max_provisioned: 2048PiB}":             `pools[1].max_provisioned: "2048PiB"`,
		"{name: p, verify_reads: true, checksums: false}": "pools[1].verify_reads",
		"{name: p, warn_at: 0}":                           "pools[1].warn_at: 0",
		"{name: p, alarm_at: 100}":                        "pools[1].alarm_at: 100",
		"{name: p, warn_at: 90}":                          "pools[1].warn_at: 90 must be less than alarm_at, which is 90",
		"{name: p, warn_at: x}":                           "line 1",
		"{name: p, detect_zeros: 7}":                      "line 1",
		"{name: p, speed: 7}":                             "line 1",
		"{name: other}":                                   `the name "other" is used twice`,
		"{name: p, path: /d/pools/other}":                 `the path "/d/pools/other" is used twice`,
	} {
		c := Defaults()
		c.DataDir = "/d"
		err := c.LoadFile(file(t, "pools: [{name: other}, "+text+"]"))
		if err == nil {
			err = c.Check()
		}
		require.ErrorContains(t, err, says)
	}
}

func TestPoolLevels(t *testing.T) {
	c := Defaults()
	require.NoError(t, c.LoadFile(file(t, "pools: [{name: a}, {name: b, warn_at: 50, alarm_at: 60}, {name: c, alarm_at: 99}]")))
	require.NoError(t, c.Check())
	require.Equal(t, map[string][]classes.SpaceLevel{
		"a": classes.SpaceLevels(80, 90), "b": classes.SpaceLevels(50, 60), "c": classes.SpaceLevels(80, 99),
	}, c.spaceLevels())
	require.Equal(t, 100, c.spaceLevels()["a"][2].Used, "a full pool is told of in any case")
}
