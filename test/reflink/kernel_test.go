package reflink

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool/pooltest"
	"twinlun/test/system"
)

// traced names the folder that TestTraced works in.
const traced = "TWINLUN_TEST_TRACED"

// TestCopiesStayInTheKernel looks at the system calls of a Hydrate and a merge where
// files cannot share blocks: the content of layers is neither read nor written.
func TestCopiesStayInTheKernel(t *testing.T) {
	strace := system.Tool(t, "strace", "strace")
	if out, err := exec.Command(strace, "true").CombinedOutput(); err != nil {
		t.Skipf("no process can be traced here, which containers may forbid (%v): %s", err, out)
	}
	dirs := map[string]func(t *testing.T) string{
		"ext4": func(t *testing.T) string { return filesystems[2].mount(t, 1<<30) },
		"tmpfs": func(t *testing.T) string {
			return attach(t, "tmpfs", "-t", "tmpfs", "none")
		},
	}
	for name, dir := range dirs {
		t.Run(name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "calls")
			c := exec.Command(strace, "-f", "-y", "-o", log, "-e", "trace=read,write,pread64,pwrite64,preadv,pwritev,pwritev2,mmap,sendfile,splice,copy_file_range",
				os.Args[0], "-test.run=^TestTraced$", "-test.v")
			c.Env = append(os.Environ(), traced+"="+filepath.Join(dir(t), "pool"), inside+"=1")
			out, err := c.CombinedOutput()
			require.NoError(t, err, "%s", out)
			moved, through := callsOf(t, log)
			require.Empty(t, through)
			require.Greater(t, moved, int64(12<<20), "a Hydrate and a merge")
		})
	}
}

// TestTraced is what TestCopiesStayInTheKernel runs.
func TestTraced(t *testing.T) {
	dir := os.Getenv(traced)
	if dir == "" {
		t.Skip("it is run by TestCopiesStayInTheKernel")
	}
	l := lay(t, dir, false) // sums are computed in user space
	c := pooltest.Snap(t, l, l.v.ID, "c")
	l.write(20<<20, 2<<20)
	require.NoError(t, l.dev.Flush(t.Context()))
	_, _ = os.Stderr.WriteString("begin copies\n")
	require.NoError(t, l.Hydrate(t.Context(), c.ID, 0, nil)) // then a merge under v is due
	require.NoError(t, l.WaitIdle(t.Context()))
	_, _ = os.Stderr.WriteString("end copies\n")
	l.holds(l.dev, l.want)
}

// onData is a call on a layer's data file.
var onData = regexp.MustCompile(`^\d+ +(?:<\.\.\. )?(\w+)\(.*\.data.*= (\d+)`)

// callsOf gives the bytes that copy_file_range moved between the marks, and the calls
// that moved content through the process.
func callsOf(t *testing.T, log string) (moved int64, through []string) {
	f, err := os.Open(log)
	require.NoError(t, err)
	defer f.Close()
	on, marks := false, 0
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if strings.Contains(line, ` copies\n"`) {
			on = strings.Contains(line, `"begin`)
			marks++
		}
		call := onData.FindStringSubmatch(line)
		switch {
		case !on || call == nil:
		case call[1] == "copy_file_range":
			n, err := strconv.ParseInt(call[2], 10, 64)
			require.NoError(t, err)
			moved += n
		default:
			through = append(through, line)
		}
	}
	require.NoError(t, lines.Err())
	require.Equal(t, 2, marks)
	return moved, through
}
