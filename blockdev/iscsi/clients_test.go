package iscsi

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/memdev"
	"twinlun/blockdev/scsi"
)

// requireTool finds a program of somebody else's. Where TWINLUN_REQUIRE_TOOLS is
// 1 it must be there; elsewhere the test is skipped.
func requireTool(t *testing.T, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("TWINLUN_REQUIRE_TOOLS") == "1" {
		t.Fatalf("%s is missing: install the Debian package %s", name, debianPackage)
	}
	t.Skipf("%s is missing (Debian package %s)", name, debianPackage)
	return ""
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v\n%s", name, args, out)
	return string(out)
}

func realDisk(t testing.TB, size int64) Target {
	t.Helper()
	u, err := scsi.NewUnit(scsi.Config{Device: memdev.New(size), ID: "602544c0000000000000000000000001"})
	require.NoError(t, err)
	return oneDisk(u)
}

// Initiators that nobody here wrote: libiscsi's tools and QEMU.
func TestLibiscsiTools(t *testing.T) {
	ls := requireTool(t, "iscsi-ls", "libiscsi-bin")
	inq := requireTool(t, "iscsi-inq", "libiscsi-bin")
	capacity := requireTool(t, "iscsi-readcapacity16", "libiscsi-bin")
	h := start(t, Config{}, realDisk(t, 64<<20))
	url := "iscsi://" + h.addr + "/" + testTarget + "/0"
	out := run(t, ls, "-s", "iscsi://"+h.addr+"/")
	require.Contains(t, out, "Target:"+testTarget+" Portal:"+h.addr+",1")
	require.Contains(t, out, "Lun:0    Type:DIRECT_ACCESS")
	require.Contains(t, run(t, inq, url), "Peripheral Device Type:DIRECT_ACCESS")
	require.Contains(t, run(t, capacity, url), "Total size:67108864")
}

func TestLibiscsiCHAP(t *testing.T) {
	inq := requireTool(t, "iscsi-inq", "libiscsi-bin")
	target := realDisk(t, 1<<20)
	target.CHAP = &testCHAP
	h := start(t, Config{}, target)
	at := "@" + h.addr + "/" + testTarget + "/0"
	mutual := "?target_user=array&target_password=" + testCHAP.MutualSecret
	run(t, inq, "iscsi://host%"+testCHAP.Secret+at)
	run(t, inq, "iscsi://host%"+testCHAP.Secret+at+mutual)
	for _, url := range []string{
		"iscsi://host%wrong-secret-0" + at, "iscsi://" + at[1:], "iscsi://host%" + testCHAP.Secret + at + mutual + "x",
	} {
		require.Error(t, exec.Command(inq, url).Run(), url)
	}
}

func TestQEMU(t *testing.T) {
	img := requireTool(t, "qemu-img", "qemu-utils")
	qio := requireTool(t, "qemu-io", "qemu-utils")
	h := start(t, Config{}, realDisk(t, 16<<20))
	url := "iscsi://" + h.addr + "/" + testTarget + "/0"
	if out, err := exec.Command(img, "info", url).CombinedOutput(); err != nil {
		if os.Getenv("TWINLUN_REQUIRE_TOOLS") == "1" {
			t.Fatalf("qemu-img cannot do iSCSI: install the Debian package qemu-block-extra\n%s", out)
		}
		t.Skipf("qemu-img cannot do iSCSI (Debian package qemu-block-extra): %s", out)
	}
	src := filepath.Join(t.TempDir(), "src.img")
	require.NoError(t, os.WriteFile(src, fill(make([]byte, 16<<20), 9), 0o600))
	run(t, img, "convert", "-n", "-W", "-m", "16", "-f", "raw", "-O", "raw", src, url)
	require.Contains(t, run(t, img, "compare", "-f", "raw", "-F", "raw", src, url), "Images are identical.")
	out := run(t, qio, "-f", "raw", "-c", "write -P 7 5555k 3M", "-c", "flush", "-c", "read -P 7 5555k 3M", url)
	require.NotContains(t, out, "failed")
}
