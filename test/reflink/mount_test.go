package reflink

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/test/system"
)

// filesystem is one that is made in an image.
type filesystem struct {
	name  string
	from  string // Debian package
	make  []string
	share bool // files can share blocks
}

var filesystems = []filesystem{
	{"xfs", "xfsprogs", []string{"-q", "-m", "reflink=1"}, true},
	{"btrfs", "btrfs-progs", []string{"-q"}, true},
	{"ext4", "e2fsprogs", []string{"-q", "-F"}, false},
}

// mount makes a filesystem of size bytes and mounts it until the test ends. The image
// has no name any more then, so that nothing is left of it if the test is killed.
func (f filesystem) mount(t testing.TB, size int64) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	mkfs := system.Tool(t, "mkfs."+f.name, f.from)
	image := filepath.Join(t.TempDir(), "image")
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, size))
	run(t, mkfs, append(f.make, image)...)
	at := attach(t, f.name, "-o", "loop", image)
	require.NoError(t, os.Remove(image))
	return at
}

// attach mounts what the arguments of mount(8) say until the test ends.
func attach(t testing.TB, name string, args ...string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	at := t.TempDir()
	if out, err := exec.Command("mount", append(args, at)...).CombinedOutput(); err != nil {
		t.Skipf("%s cannot be mounted here, which containers may forbid (%v): %s", name, err, out)
	}
	t.Cleanup(func() { run(t, "umount", at) })
	return at
}

func run(t testing.TB, name string, args ...string) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
}
