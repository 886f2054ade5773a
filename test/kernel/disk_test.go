package kernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/test/system"
)

// TestDisk runs testdata/disk.sh: a pool on ext4 and on XFS whose disk stops writing
// from one instant on, as in a power cut, and one whose disk fails to write for a
// moment and then works again. What was acknowledged before the cut is there, with the
// snapshots; and after an error nothing is acknowledged any more, although the kernel
// would: it tells each open file of a lost write once. TWINLUN_DISK_ROUNDS makes more of it.
func TestDisk(t *testing.T) {
	vm := needVM(t)
	program := filepath.Join(t.TempDir(), "disk")
	build := exec.Command("go", "build", "-o", program, "./test/kernel/disk")
	build.Dir, build.Env = system.Root(), append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	rounds := os.Getenv("TWINLUN_DISK_ROUNDS")
	if rounds == "" {
		rounds = "1"
	}
	(&guest{t: t}).run(vm, "testdata/disk.sh", "TWINLUN_VM_FILE="+program, "GUEST_ROUNDS="+rounds)
}
