package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cmd/twinlun/daemon"
)

func TestVolumes(t *testing.T) {
	w := start(t)
	require.Equal(t, "NAME  SIZE  ALLOCATED  SHARED  POOL  TARGET  HEALTH  ID\n", w.must("volume", "list"))
	require.Equal(t, []map[string]any{}, w.records("volume", "list"), "an empty list is a list")

	made := w.record("volume", "create", "b01", "--size", "1MiB")
	require.Equal(t, "b01", made["name"])
	require.Equal(t, float64(1<<20), made["size"], "programs get the number")
	require.Equal(t, "", made["target"])
	made = w.record("volume", "create", "A01", "--size", "1.5M", "--pool", "default", "--export")
	require.Equal(t, "iqn.2026-11.dev.twinlun:a01", made["target"])
	require.Len(t, made["id"], 32)

	require.Equal(t, []string{"A01", "b01"}, column(w.records("volume", "list"), "name"), "by name")
	lines := strings.Split(w.must("volume", "list"), "\n")
	require.Regexp(t, `^A01 +1\.5 MiB +0 B +0 B +default +iqn\.2026-11\.dev\.twinlun:a01 +OK +[0-9a-f]{32}$`, lines[1])
	require.Regexp(t, `^b01 +1 MiB +0 B +0 B +default +- +OK +[0-9a-f]{32}$`, lines[2])
	for _, name := range []string{"A01", "a01", "iqn.2026-11.dev.twinlun:a01", made["id"].(string)} {
		require.Equal(t, made, w.record("volume", "show", name))
	}
	require.Contains(t, w.must("volume", "show", "b01", "-o", "yaml"), "size: 1048576\n")
	require.Regexp(t, `(?m)^SIZE +1 MiB$`, w.must("volume", "show", "b01"))

	w.must("volume", "resize", "b01", "--size", "2MiB")
	require.Equal(t, float64(2<<20), w.record("volume", "show", "b01")["size"])
	w.must("volume", "create", "c01", "--size", "1MiB")
	w.must("volume", "delete", "b01", "c01")
	require.Equal(t, []string{"A01"}, column(w.records("volume", "list"), "name"))
}

func TestVolumesRefuse(t *testing.T) {
	w := start(t)
	w.must("volume", "create", "a", "--size", "1MiB", "--export")
	w.fails(2, "--size is needed", "volume", "create", "b")
	w.fails(2, `"big" is not a size`, "volume", "create", "b", "--size", "big")
	w.fails(2, "--size is needed", "volume", "resize", "a")
	w.fails(3, `there is no pool "none"`, "volume", "create", "b", "--size", "1M", "--pool", "none")
	w.fails(3, `there is no volume "none"`, "volume", "show", "none")
	w.fails(3, `there is no volume "none"`, "volume", "resize", "none", "--size", "1M")
	w.fails(3, `there is no volume "none"`, "volume", "delete", "a", "none")
	w.fails(1, "a", "volume", "create", "a", "--size", "1MiB")
	w.fails(1, "Size", "volume", "create", "b", "--size", "0")
	w.fails(1, "returned 6 (In Use): Size: volume a is exposed to initiators", "volume", "resize", "a", "--size", "512KiB")
	w.fails(1, "a: ReturnToStoragePool returned 6 (In Use)", "volume", "delete", "a")
	w.fails(2, `"xml" is none of table, json, yaml`, "volume", "create", "b", "--size", "1MiB", "-o", "xml")
	require.Equal(t, []string{"a"}, column(w.records("volume", "list"), "name"), "what is refused does nothing")
}

// Of two volumes with one name none is taken for the other.
func TestVolumesOfOneName(t *testing.T) {
	w := startAt(t, "127.0.0.1:0", daemon.PoolConfig{Name: "fast"}, daemon.PoolConfig{Name: "slow"})
	fast := w.record("volume", "create", "v", "--size", "1MiB", "--pool", "fast")
	slow := w.record("volume", "create", "V", "--size", "2MiB", "--pool", "slow")
	require.Equal(t, fast, w.record("volume", "show", "v"), "exactly this")
	w.must("volume", "create", "v2", "--size", "1MiB", "--pool", "fast")
	w.must("volume", "create", "v2", "--size", "1MiB", "--pool", "slow")
	for _, args := range [][]string{
		{"volume", "show", "v2"}, {"volume", "delete", "v2"}, {"volume", "delete", "v", "v2"}, {"volume", "resize", "v2", "--size", "2MiB"},
		{"volume", "expose", "v2"}, {"volume", "export", "v2", "f"}, {"replica", "create", "--type", "snapshot", "--source", "v2"},
	} {
		w.fails(2, `2 volumes are called "v2": use the identifier`, args...)
	}
	require.ElementsMatch(t, []string{"v", "V", "v2", "v2"}, column(w.records("volume", "list"), "name"), "nothing was deleted")
	w.must("volume", "delete", slow["id"].(string))
	require.Equal(t, fast, w.record("volume", "show", "V"))
}

func TestExpose(t *testing.T) {
	w := start(t)
	w.must("volume", "create", "v", "--size", "1MiB")
	secret := file(t, "secretsecret\n")
	require.Equal(t, "TARGET                     LUN\niqn.2026-11.dev.twinlun:v  0\n",
		w.must("volume", "expose", "v", "--initiator", "iqn.2026-01.test:a", "--initiator", "iqn.2026-01.test:b", "--chap", "u", "--chap-secret-file", secret))
	w.must("volume", "hide", "v", "--initiator", "iqn.2026-01.test:a")
	require.Equal(t, "iqn.2026-11.dev.twinlun:v", w.record("volume", "show", "v")["target"])
	w.must("volume", "hide", "v")
	require.Equal(t, "", w.record("volume", "show", "v")["target"])

	w.fails(2, "go together", "volume", "expose", "v", "--chap", "u")
	w.fails(2, "go together", "volume", "expose", "v", "--chap-secret-file", secret)
	w.fails(2, "no such file", "volume", "expose", "v", "--chap", "u", "--chap-secret-file", "/none")
	w.fails(2, "empty", "volume", "expose", "v", "--chap", "u", "--chap-secret-file", file(t, "\n"))
	w.fails(1, "secret", "volume", "expose", "v", "--chap", "u", "--chap-secret-file", file(t, "short"))
	w.fails(1, "eve", "volume", "expose", "v", "--initiator", "eve")
	w.fails(3, `"none"`, "volume", "expose", "none")
	w.fails(3, `"none"`, "volume", "hide", "none")
	require.Equal(t, "", w.record("volume", "show", "v")["target"])
}

func TestPools(t *testing.T) {
	w := start(t)
	w.must("volume", "create", "v", "--size", "3MiB")
	require.Equal(t, []string{"default"}, column(w.records("pool", "list"), "name"))
	p := w.record("pool", "show", "DEFAULT")
	require.Equal(t, float64(3<<20), p["provisioned"])
	require.Equal(t, float64(1), p["volumes"])
	require.Greater(t, p["free"], 0.0)
	require.Nil(t, p["limit"], "there is none")
	require.Equal(t, "OK", p["health"])
	for _, figure := range []string{"reserve", "allocated", "shared", "reclaimable", "lost", "damaged"} {
		require.GreaterOrEqual(t, p[figure], 0.0, figure)
	}
	require.Regexp(t, `^NAME +TOTAL +FREE +ALLOCATED +PROVISIONED +VOLUMES +HEALTH\ndefault `, w.must("pool", "list"))
	w.fails(3, `there is no pool "none"`, "pool", "show", "none")
}
