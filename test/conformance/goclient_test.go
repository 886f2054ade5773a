package conformance

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/test/system"
)

// TestGoClient runs a program with a Go library that is not ours. Where the library
// cannot be had the test is skipped and says so, or fails as other clients do.
func TestGoClient(t *testing.T) {
	program := filepath.Join(t.TempDir(), "goclient")
	build := exec.CommandContext(t.Context(), system.Tool(t, "go", "golang-go"), "build", "-o", program, ".")
	build.Dir = "goclient"
	if out, err := build.CombinedOutput(); err != nil {
		require.Empty(t, os.Getenv("TWINLUN_REQUIRE_TOOLS"), string(out))
		t.Skipf("github.com/masterzen/winrm cannot be built: %s", out)
	}
	d := system.Start(t)
	reply, err := d.Invoke(t.Context(), d.Client(), "CIM_StorageConfigurationService", "CreateOrModifyElementFromStoragePool",
		system.Arg("ElementName", "v0"), system.Arg("Size", 1<<20), system.Arg("ElementType", 2))
	require.NoError(t, err)
	require.EqualValues(t, 0, reply.Return)

	host, port, err := net.SplitHostPort(d.TLS)
	require.NoError(t, err)
	ctx, stop := context.WithTimeout(t.Context(), waitLimit)
	defer stop()
	cmd := exec.CommandContext(ctx, program, host, port, "admin", filepath.Join(d.DataDir, "tls.crt"))
	cmd.Stdin = strings.NewReader(d.Password() + "\n")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(t, err, errs.String())
	answers := strings.Split(strings.TrimSpace(string(out)), "\n")
	wanted := []string{"<wsmid:ProductVersion>", ">TWINLUN_ReplicationService<", ">v0<", "ReturnValue>0<", "DestinationUnreachable"}
	require.Len(t, answers, len(wanted))
	for i, want := range wanted {
		require.Contains(t, answers[i], want)
		require.Equal(t, i == len(wanted)-1, strings.Contains(answers[i], "<s:Fault>"), "only the last is a fault: %s", answers[i])
	}
}
