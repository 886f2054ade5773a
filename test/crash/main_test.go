// Package crash kills the built daemon at random moments and checks what it holds
// after the restart.
package crash

import (
	"os"
	"testing"

	"twinlun/test/system"
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }
