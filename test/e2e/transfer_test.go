package e2e

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/test/system"
)

// rawImage writes a sparse image with data at both ends and in random places.
func rawImage(t *testing.T, size int64) string {
	name := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(name)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Truncate(size))
	r, noise := rand.New(rand.NewPCG(uint64(size), 1)), rand.NewChaCha8([32]byte{1})
	p := make([]byte, 300<<10)
	for _, off := range []int64{0, size - 700, r.Int64N(size), r.Int64N(size), r.Int64N(size), 1<<31 - 5000} {
		if off < 0 || off >= size {
			continue
		}
		part := p[:min(int64(len(p)), size-off)]
		_, _ = noise.Read(part)
		_, err := f.WriteAt(part, off)
		require.NoError(t, err)
	}
	return name
}

// allocated is the space that a file takes.
func allocated(t *testing.T, name string) int64 {
	var st syscall.Stat_t
	require.NoError(t, syscall.Stat(name, &st))
	return st.Blocks * 512
}

// TestImportExport has qemu compare an image with the volume that was made of it, and
// with what comes back.
func TestImportExport(t *testing.T) {
	qemu := system.Tool(t, "qemu-img", "qemu-utils")
	system.Tool(t, "iscsi-ls", "libiscsi-bin") // qemu's iSCSI comes with it
	d := system.Start(t)
	for _, size := range []int64{512, 4096, 1000, 1<<20 + 512, 64 << 20, 5<<30 + 3*512} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			image, back, name := rawImage(t, size), filepath.Join(t.TempDir(), "back"), fmt.Sprint("v", size)
			d.Must("volume", "import", image, name)
			d.Must("volume", "expose", name)
			compare := func(a, b string) {
				run(t, qemu, "compare", "-f", "raw", "-F", "raw", a, b)
			}
			compare(image, d.DiskURL(name))
			d.Must("volume", "export", name, back)
			compare(back, d.DiskURL(name))
			compare(image, back)
			require.LessOrEqual(t, allocated(t, back), allocated(t, image)+1<<20, "holes stay holes")
			info, err := os.Stat(back)
			require.NoError(t, err)
			require.Equal(t, (size+511)/512*512, info.Size())
		})
	}
	require.Empty(t, d.Records("replica", "list"))
}

// TestExportOfNothing: what holds nothing is not read, however large it is.
func TestExportOfNothing(t *testing.T) {
	d := system.Start(t)
	d.Must("volume", "create", "huge", "--size", "4TiB")
	back := filepath.Join(t.TempDir(), "back")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, errs, code := d.CLI(ctx, "volume", "export", "huge", back)
	require.Zero(t, code, errs)
	info, err := os.Stat(back)
	require.NoError(t, err)
	require.EqualValues(t, 4<<40, info.Size())
	require.LessOrEqual(t, allocated(t, back), int64(1<<20))
}

// run runs a tool, which must succeed.
func run(t *testing.T, tool string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", tool, args, out)
}

// TestExportThatDoesNotFit: the file that has no room is named, and nothing is left of
// it, of the snapshot, and of the way to it.
func TestExportThatDoesNotFit(t *testing.T) {
	d := system.Start(t)
	d.Must("volume", "import", rawImage(t, 8<<20), "v")
	dir := t.TempDir()
	back := filepath.Join(dir, "back")
	cmd := exec.CommandContext(t.Context(), "bash", "-c", `ulimit -f 100; exec "$@"`, "-", system.Binary(t), "volume", "export", "v", back)
	cmd.Env = append(os.Environ(), "TWINLUN_SERVER="+d.URL(), "TWINLUN_PASSWORD="+d.Password())
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), back+": file too large")
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, list)
	require.Empty(t, d.Records("replica", "list"))
	require.Len(t, d.Records("volume", "list"), 1)
}

// TestInterruptedTransfers: Ctrl-C takes back what a transfer has begun.
func TestInterruptedTransfers(t *testing.T) {
	d := system.Start(t)
	noise := filepath.Join(t.TempDir(), "noise")
	p := make([]byte, 256<<20)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(p)
	require.NoError(t, os.WriteFile(noise, p, 0o600))
	d.Must("volume", "import", noise, "full")
	dir := t.TempDir()
	for _, args := range [][]string{{"import", noise, "half"}, {"export", "full", filepath.Join(dir, "half")}} {
		cmd := exec.CommandContext(t.Context(), system.Binary(t), append([]string{"volume"}, args...)...)
		cmd.Env = append(os.Environ(), "TWINLUN_SERVER="+d.URL(), "TWINLUN_PASSWORD="+d.Password())
		errs, err := cmd.StderrPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(errs)
		var last string
		for lines.Scan() {
			if last = lines.Text(); strings.Contains(last, ": 10 %") {
				require.NoError(t, cmd.Process.Signal(os.Interrupt))
			}
		}
		require.Error(t, cmd.Wait())
		require.Contains(t, last, "interrupted")
		require.Empty(t, d.Records("replica", "list"))
		list := d.Records("volume", "list")
		require.Len(t, list, 1)
		require.Equal(t, "", list[0]["target"], "nobody reaches it")
	}
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, list)
}
