// Package kernel tries the daemon with the initiator that hosts have: the Linux
// kernel's, driven by open-iscsi in a small guest.
package kernel

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/test/system"
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

const (
	secret   = "correct-horse-battery"
	safeSize = 64 << 20
)

// TestLinuxHost runs testdata/guest.sh: two logins, one with CHAP, a filesystem
// with checksums, a snapshot under load that is a sound filesystem of its
// instant, fio, discard, a resize.
func TestLinuxHost(t *testing.T) {
	vm := needVM(t)
	d := system.Start(t)
	secretFile := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secretFile, []byte(secret), 0o600))
	d.Must("volume", "create", "data", "--size", "192MiB", "--export")
	d.Must("volume", "create", "safe", "--size", fmt.Sprint(safeSize))
	d.Must("volume", "expose", "safe", "--chap", "guest", "--chap-secret-file", secretFile)
	_, port, _ := strings.Cut(d.ISCSI, ":")

	g := &guest{t: t, answers: map[string]func() string{
		"snapshot": func() string {
			d.Must("replica", "create", "--type", "snapshot", "--source", "data", "--name", "point")
			d.Must("volume", "expose", "point")
			return ""
		},
		"allocated": func() string { return fmt.Sprint(volume(t, d, "safe").Get("AllocatedSpace")) },
		"resize": func() string {
			d.Must("volume", "resize", "safe", "--size", fmt.Sprint(2*safeSize))
			return strconv.Itoa(2 * safeSize)
		},
	}}
	g.run(vm, "testdata/guest.sh",
		"GUEST_PORTAL=10.0.2.2:"+port, "GUEST_DATA="+system.IQN("data"), "GUEST_SAFE="+system.IQN("safe"), "GUEST_POINT="+system.IQN("point"),
		"GUEST_USER=guest", "GUEST_SECRET="+secret, fmt.Sprint("GUEST_NAA=", strings.ToLower(volume(t, d, "data").Get("Name").(string))))
	require.Contains(t, d.Must("replica", "show", "point"), "Skewed", "a host wrote to the snapshot: e2fsck replayed its journal")
}

// needVM is the path of vm.sh with all that it needs, or the test is skipped.
func needVM(t *testing.T) string {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	for tool, from := range map[string]string{
		"bash": "bash", "qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "cpio": "cpio", "modprobe": "kmod", "mke2fs": "e2fsprogs",
		"lsblk": "util-linux", "flock": "util-linux", "fio": "fio", "iscsiadm": "open-iscsi", "mkfs.xfs": "xfsprogs", "dmsetup": "dmsetup",
	} {
		system.Tool(t, tool, from)
	}
	vm, err := filepath.Abs("vm.sh")
	require.NoError(t, err)
	if out, err := exec.Command(vm, "build").CombinedOutput(); err != nil {
		msg := fmt.Sprintf("the guest's image cannot be made (%v): %s", err, out)
		if os.Getenv("TWINLUN_REQUIRE_TOOLS") == "1" {
			t.Fatal(msg)
		}
		t.Skip(msg)
	}
	return vm
}

// volume is the instance of a volume.
func volume(t *testing.T, d *system.Daemon, name string) *cim.Instance {
	t.Helper()
	all, err := system.List(t.Context(), d.Client(), "CIM_StorageVolume")
	require.NoError(t, err)
	for _, in := range all {
		if in.Get("ElementName") == cim.Value(name) {
			return in
		}
	}
	require.Fail(t, "no volume "+name)
	return nil
}

// guest is a script that runs in a guest and may ask for something meanwhile: a
// line "ask WORD" on its output, answered by "ok ANSWER" on its input.
type guest struct {
	t       *testing.T
	answers map[string]func() string
}

// run returns when the script has ended well; all else fails the test.
func (g *guest) run(vm, script string, env ...string) {
	g.t.Helper()
	ctx, stop := context.WithCancel(g.t.Context())
	cmd := exec.CommandContext(ctx, vm, "run", script)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	// All of it ends with the test: vm.sh, and the guest that it runs.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	in, err := cmd.StdinPipe()
	require.NoError(g.t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(g.t, err)
	require.NoError(g.t, cmd.Start())
	defer func() { stop(); _ = cmd.Wait() }()
	g.follow(in, out)
	require.NoError(g.t, cmd.Wait(), "the script failed in the guest")
}

// follow logs what the guest prints and answers it.
func (g *guest) follow(in io.Writer, out io.Reader) {
	for s := bufio.NewScanner(out); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		g.t.Log(line)
		word, asked := strings.CutPrefix(line, "ask ")
		if !asked {
			continue
		}
		answer, known := g.answers[word]
		require.True(g.t, known, "the guest asks for %q", word)
		_, err := fmt.Fprintf(in, "ok %s\n", answer())
		require.NoError(g.t, err)
	}
}
