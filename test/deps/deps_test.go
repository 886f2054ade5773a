package deps

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestImports(t *testing.T) {
	files, err := readModule(os.DirFS("../.."))
	require.NoError(t, err)
	require.Greater(t, len(files), 20, "this is not the module")
	require.Empty(t, check(files))
}

// check gives the violations of the rules, each as path:line: message.
func check(files []source) []string {
	registerers := map[string]bool{}
	for _, f := range files {
		registerers[f.dir()] = registerers[f.dir()] || f.registerer && !f.isTest()
	}
	var out []string
	for _, f := range files {
		for _, line := range f.inits {
			out = append(out, fmt.Sprintf("%s:%d: func init", f.path, line))
		}
		if _, ok := find(layers, f.dir()); !ok {
			out = append(out, fmt.Sprintf("%s:1: no rule for %s", f.path, f.dir()))
			continue
		}
		for _, i := range f.imports {
			if why := refuse(f, i.path, registerers[f.dir()]); why != "" {
				out = append(out, fmt.Sprintf("%s:%d: imports %s: %s", f.path, i.line, i.path, why))
			}
		}
	}
	return out
}

// refuse says why a file may not import a package; empty if it may.
func refuse(f source, imported string, registerer bool) string {
	if own, ok := strings.CutPrefix(imported, module+"/"); ok {
		return refuseOwn(f, own)
	}
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") {
		if f.testing() {
			return ""
		}
		return forbidden[imported]
	}
	return refuseThirdParty(f, imported, registerer)
}

func refuseOwn(f source, imported string) string {
	may, _ := find(layers, f.dir())
	if f.isTest() {
		more, _ := find(testLayers, f.dir())
		may = slices.Concat(may, more)
	}
	if imported == f.dir() || withinAny(imported, may) {
		return ""
	}
	return "not a layer below"
}

func refuseThirdParty(f source, imported string, registerer bool) string {
	if within(f.dir(), "test/...") {
		return ""
	}
	for _, p := range testOnly {
		if under(imported, p) && f.testing() {
			return ""
		}
	}
	for _, p := range thirdParties {
		switch {
		case !under(imported, p.path):
		case f.isTest() && p.path == prometheusClient:
			return ""
		case !withinAny(f.dir(), p.where):
			return "only in " + strings.Join(p.where, ", ") + ": " + p.reason
		case p.path == prometheusClient && !registerer && !within(f.dir(), "cmd/..."):
			return "nothing in the package takes a prometheus.Registerer"
		default:
			return ""
		}
	}
	return "not a third party for this place"
}

// find is what the first rule that fits a folder allows.
func find(rules []rule, dir string) (may []string, ok bool) {
	for _, r := range rules {
		if within(dir, r.dir) {
			return r.may, true
		}
	}
	return nil, false
}

func withinAny(dir string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return within(dir, p) })
}

// within says whether a folder fits a pattern.
func within(dir, pattern string) bool {
	if pattern == "..." {
		return true
	}
	base, deep := strings.CutSuffix(pattern, "/...")
	return dir == base || deep && under(dir, base)
}

// under says whether a path is base or below it.
func under(p, base string) bool { return p == base || strings.HasPrefix(p, base+"/") }

func TestEveryViolationIsFound(t *testing.T) {
	const metrics = "package x\nimport \"github.com/prometheus/client_golang/prometheus\"\n"
	tests := []struct {
		file, text string
		want       string // part of the message; empty: allowed
	}{
		{"blockdev/pool/x.go", `package x; import "twinlun/blockdev/layer"`, ""},
		{"blockdev/pool/x.go", `package x; import "twinlun/replication"`, "blockdev/pool/x.go:1: imports twinlun/replication: not a layer below"},
		{"blockdev/x_test.go", `package x; import "twinlun/replication"`, "not a layer below"},
		{"blockdev/x_test.go", `package blockdev_test; import "twinlun/blockdev"`, ""},
		{"blockdevice/x.go", `package x`, "no rule for blockdevice"},
		{"schemas/x.go", `package x; import "twinlun/cim"`, "not a layer below"},
		{"replication/mirror/x.go", `package x; import "twinlun/blockdev/pool"`, ""},
		{"replication/mirror/x.go", `package x; import "twinlun/blockdev/memdev"`, "not a layer below"},
		{"replication/mirror/x_test.go", `package x; import "twinlun/blockdev/memdev"`, ""},
		{"replication/x.go", `package x; import "twinlun/cim"`, "not a layer below"},
		{"cim/x.go", `package x; import "twinlun/cim/mof"`, "not a layer below"},
		{"cim/mof/x.go", `package x; import "twinlun/cim"`, ""},
		{"cim/mof/x.go", `package x; import "twinlun/schemas"`, "not a layer below"},
		{"cim/mof/x_test.go", `package x; import "twinlun/schemas"`, ""},
		{"cim/query/x.go", `package x; import "twinlun/replication"`, "not a layer below"},
		{"cim/classes/x.go", `package x; import "twinlun/blockdev/export"`, ""},
		{"cim/classes/x.go", `package x; import "twinlun/wsman"`, "not a layer below"},
		{"wsman/server/x.go", `package x; import "twinlun/cim"`, ""},
		{"wsman/server/x.go", `package x; import "twinlun/cim/provider"`, "not a layer below"},
		{"cmd/twinlun/x.go", `package x; import "twinlun/cim/provider"`, ""},
		{"test/e2e/x.go", `package x; import ("twinlun/wsman"; "example.org/any")`, ""},
		{"wsman/soap/x.go", `package x; import "github.com/beevik/etree"`, ""},
		{"wsman/server/x.go", `package x; import "github.com/beevik/etree"`, "only in wsman/soap"},
		{"wsman/x.go", `package x; import "github.com/gorilla/mux"`, "one router"},
		{"replication/store/x.go", `package x; import "go.etcd.io/bbolt"`, ""},
		{"replication/x.go", `package x; import "go.etcd.io/bbolt"`, "the store can be exchanged"},
		{"blockdev/layer/x.go", `package x; import "golang.org/x/sys/unix"`, ""},
		{"replication/x.go", `package x; import "golang.org/x/sys/unix"`, "system calls"},
		{"cim/x.go", `package x; import "github.com/stretchr/testify/require"`, "not a third party"},
		{"cim/x_test.go", `package x; import "github.com/stretchr/testify/require"`, ""},
		{"blockdev/devtest/x.go", `package x; import "github.com/stretchr/testify/require"`, ""},
		{"cmd/twinlun/x.go", `package x; import "github.com/spf13/cobra"`, ""},
		{"cmd/twinlun/x.go", `package x; import "github.com/spf13/cobrax"`, "not a third party"},
		{"wsman/server/x.go", metrics + "func New(r prometheus.Registerer) {}", ""},
		{"wsman/server/x.go", metrics, "takes a prometheus.Registerer"},
		{"cim/x.go", metrics + "func New(r prometheus.Registerer) {}", "only in"},
		{"wsman/x.go", `package x; import "reflect"`, "found out"},
		{"wsman/x.go", `package x; import "unsafe"`, "nothing here"},
		{"wsman/x.go", "package x\nimport \"C\"", "free of C"},
		{"wsman/x.go", "package x\n\nfunc init() {}", "wsman/x.go:3: func init"},
		{"wsman/x.go", "package x\ntype t int\nfunc (t) init() {}", ""},
	}
	for _, tt := range tests {
		files, err := readModule(fstest.MapFS{tt.file: {Data: []byte(tt.text)}})
		require.NoError(t, err)
		got := check(files)
		if tt.want == "" {
			require.Empty(t, got, "%s: %s", tt.file, tt.text)
			continue
		}
		require.Len(t, got, 1, "%s: %s", tt.file, tt.text)
		require.Contains(t, got[0], tt.want)
	}
}

func TestReadModuleSkipsWhatGoSkips(t *testing.T) {
	files, err := readModule(fstest.MapFS{
		"cim/a.go":            {Data: []byte("package cim")},
		"cim/testdata/b.go":   {Data: []byte("not Go")},
		".hidden/c.go":        {Data: []byte("not Go")},
		"_old/d.go":           {Data: []byte("not Go")},
		"cim/notes.txt":       {Data: []byte("not Go")},
		"wsman/server/e.go":   {Data: []byte("package server")},
		"wsman/vendor/x/f.go": {Data: []byte("not Go")},
	})
	require.NoError(t, err)
	require.Len(t, files, 2)
	require.Equal(t, "cim", path.Dir(files[0].path))

	_, err = readModule(fstest.MapFS{"cim/a.go": {Data: []byte("not Go")}})
	require.Error(t, err)
}
