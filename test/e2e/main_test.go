// Package e2e tests the built daemon from outside: through its protocols, with
// clients that are not ours wherever there are some.
package e2e

import (
	"os"
	"testing"

	"twinlun/test/system"
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }
