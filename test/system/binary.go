package system

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// built is the binary, made once for a test process. With the race detector on
// in the test it is on in the binary too.
var built = sync.OnceValues(build)

func build() (string, error) {
	if bin := os.Getenv("TWINLUN_BINARY"); bin != "" {
		return filepath.Abs(bin)
	}
	dir, err := os.MkdirTemp("", "twinlun-test-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "twinlun")
	args := []string{"build", "-o", bin}
	if raceEnabled {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./cmd/twinlun")...)
	cmd.Dir = Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
}

// Binary is the path of the built daemon: TWINLUN_BINARY, or made now.
func Binary(t testing.TB) string {
	t.Helper()
	bin, err := built()
	require.NoError(t, err)
	return bin
}

// Main runs the tests of a package and removes the binary afterwards.
func Main(m *testing.M) int {
	code := m.Run()
	if bin, err := built(); err == nil && os.Getenv("TWINLUN_BINARY") == "" {
		_ = os.RemoveAll(filepath.Dir(bin))
	}
	return code
}

// Root is the folder of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Tool is the path of a third-party program. Where it is missing the test is
// skipped and says so, or fails with TWINLUN_REQUIRE_TOOLS=1, as in `make test`.
func Tool(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	msg := fmt.Sprintf("%s is missing: apt-get install %s", name, debianPackage)
	if os.Getenv("TWINLUN_REQUIRE_TOOLS") == "1" {
		t.Fatal(msg)
	}
	t.Skip(msg)
	return ""
}
