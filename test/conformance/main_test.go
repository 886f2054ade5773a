package conformance

import (
	"os"
	"testing"
	"time"

	"twinlun/test/system"
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

const (
	waitLimit = 60 * time.Second
	pollEvery = 10 * time.Millisecond
)
