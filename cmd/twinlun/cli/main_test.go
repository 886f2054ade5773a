package cli

import (
	"os"
	"testing"
	"time"
)

// TestMain lets all tests show points in time in UTC, wherever they run. It is set
// before anything runs that asks for the time.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}
