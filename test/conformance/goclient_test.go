package conformance

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/test/system"
)

// TestGoClient runs a program with a Go library that is not ours. The library is no
// part of the product's module: where the proxy does not have it the test is skipped
// and says so.
func TestGoClient(t *testing.T) {
	program := filepath.Join(t.TempDir(), "goclient")
	if out, err := inGoClient(t, "mod", "download"); err != nil {
		t.Skipf("github.com/masterzen/winrm cannot be had from the module proxy: %s", out)
	}
	out, err := inGoClient(t, "build", "-o", program, ".")
	require.NoError(t, err, string(out))
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
	out, err = cmd.Output()
	require.NoError(t, err, errs.String())
	answers := strings.Split(strings.TrimSpace(string(out)), "\n")
	wanted := []string{"<wsmid:ProductVersion>", ">TWINLUN_ReplicationService<", ">v0<", "ReturnValue>0<", "DestinationUnreachable"}
	require.Len(t, answers, len(wanted))
	for i, want := range wanted {
		require.Contains(t, answers[i], want)
		require.Equal(t, i == len(wanted)-1, strings.Contains(answers[i], "<s:Fault>"), "only the last is a fault: %s", answers[i])
	}
}

// inGoClient runs the go command in the module of the program.
func inGoClient(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), system.Tool(t, "go", "golang-go"), args...)
	cmd.Dir = "goclient"
	return cmd.CombinedOutput()
}
