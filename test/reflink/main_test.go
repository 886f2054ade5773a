// Package reflink tests, on real filesystems in loop-mounted images, what the copies of
// a pool share and where they are made. It needs root.
package reflink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
)

// inside says that the process has mounts of its own.
const inside = "TWINLUN_TEST_OWN_MOUNTS"

// TestMain runs the tests in a process whose mounts nobody else sees. They are gone with
// the process, however it ends, and the loop devices with them.
func TestMain(m *testing.M) {
	if os.Geteuid() != 0 || os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	os.Exit(again())
}

// again runs this program once more, with a folder for what it makes. A signal that
// ends tests ends the child; what it leaves is removed here.
func again() int {
	dir, err := os.MkdirTemp("", "twinlun-reflink")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := exec.CommandContext(ctx, os.Args[0], os.Args[1:]...)
	c.Env = append(os.Environ(), inside+"=1", "TMPDIR="+dir)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err = c.Run()
	if errors.Is(err, syscall.EPERM) {
		fmt.Fprintln(os.Stderr, "nothing can be mounted here, so nothing of this package is tested:", err)
		return 0
	}
	if c.ProcessState == nil {
		fmt.Fprintln(os.Stderr, "the tests need mounts of their own:", err)
		return 1
	}
	if code := c.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}
