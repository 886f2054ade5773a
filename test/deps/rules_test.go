// Package deps fails when a package imports what it must not: the layers of
// Twinlun know each other in one direction only, and each third party has its
// room.
package deps

// module is the module path of what is checked.
const module = "twinlun"

// rule says what the packages of a folder may import. A folder or package is
// written relative to the module; "x/..." is x and everything below it.
type rule struct {
	dir string
	may []string
}

// layers are the imports within the module. The first row that fits a package
// counts; a package that no row fits is an error, so that a new house is thought
// about. Every row allows the package itself (for its external tests).
var layers = []rule{
	{"schemas", nil},
	{"blockdev/...", []string{"blockdev/..."}},
	{"replication/...", []string{"replication/...", "blockdev", "blockdev/pool"}},
	{"cim", nil},
	{"cim/classes/...", []string{"cim", "cim/classes/...", "cim/provider", "replication/...", "blockdev/..."}},
	{"cim/...", []string{"cim/..."}},
	{"wsman/...", []string{"wsman/...", "cim"}},
	{"cmd/...", []string{"..."}},
	{"test/...", []string{"..."}},
}

// testLayers are what test files of a folder may import beyond layers: real
// parts from below in place of imitations.
var testLayers = []rule{
	{"replication/...", []string{"blockdev/..."}},
	{"cim/...", []string{"cim/...", "schemas", "replication/...", "blockdev/..."}},
	{"wsman/...", []string{"schemas", "cim/..."}},
}

// thirdParties are the modules from outside and where they may be imported. One
// that is not listed may be imported nowhere.
var thirdParties = []struct {
	path   string // import path, or the beginning of one
	where  []string
	reason string
}{
	{"github.com/beevik/etree", []string{"wsman/soap", "wsman/wscim", "wsman/client"}, "XML trees stop at the codec"},
	{"github.com/gorilla/mux", []string{"wsman/server"}, "one router"},
	{"github.com/prometheus/client_golang", []string{"blockdev/...", "replication/...", "wsman/...", "cmd/..."}, "and only with a Registerer"},
	{"github.com/spf13/cobra", []string{"cmd/..."}, "the command line"},
	{"github.com/spf13/pflag", []string{"cmd/..."}, "the command line"},
	{"github.com/schollz/progressbar", []string{"cmd/..."}, "the command line"},
	{"go.yaml.in/yaml", []string{"cmd/..."}, "the configuration file and -o yaml"},
	{"golang.org/x/term", []string{"cmd/..."}, "the command line"},
	{"go.etcd.io/bbolt", []string{"replication/store/..."}, "the store can be exchanged"},
	{"golang.org/x/crypto", []string{"wsman/auth", "cmd/..."}, "hashes of passwords"},
	{"golang.org/x/sys", []string{"blockdev/...", "cmd/..."}, "system calls"},
	{"golang.org/x/time", []string{"blockdev/...", "replication/...", "wsman/..."}, "rate limits"},
	{"golang.org/x/sync", []string{"blockdev/...", "replication/...", "wsman/...", "cmd/..."}, "groups of goroutines"},
}

// testOnly are modules that only test files, the packages of test/, and
// conformance suites (packages whose name ends in "test") may import.
var testOnly = []string{"github.com/stretchr/testify"}

// prometheusClient may only be imported by a package that is given the registry
// that its metrics go to.
const prometheusClient = "github.com/prometheus/client_golang"

// forbidden are parts of the standard library that no package outside of tests
// may import, and why.
var forbidden = map[string]string{
	"C":       "the binary is static and free of C",
	"reflect": "what is done is written down, not found out",
	"unsafe":  "nothing here needs it",
}
