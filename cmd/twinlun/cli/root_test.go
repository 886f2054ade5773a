package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman/client"
)

// What makes no sense as a command line is exit code 2, before anything else is
// looked at.
func TestUsage(t *testing.T) {
	for _, line := range []string{
		"nonsense", "--nonsense", "volume", "volume nonsense", "volume create", "volume create a b --size 1M", "volume list a",
		"volume show", "volume list --nonsense", "volume delete", "volume import f", "volume export v", "volume expose", "volume hide",
		"replica", "replica nonsense", "replica create a", "replica show", "replica split", "replica detach a b", "replica mode a",
		"group", "group create", "group add g", "group remove g", "group list a", "group delete", "job", "job show", "job watch", "job cancel",
		"job list a", "pool", "pool show", "pool list a", "get", "enumerate", "enumerate a b", "invoke", "invoke CIM_ReplicationService", "class",
		"user", "user add", "user nonsense", "user list a", "version a", "completion", "completion tcsh", "serve a", "serve --nonsense",
		"serve --wsman nowhere", "serve --config /none.yaml", "serve --log-level loud", "serve --allow-unencrypted=perhaps",
		"watch a", "watch --query q --class c", "volume list -o xml", "volume list --server storage1", "volume list --server ftp://h/", "volume list --server https://u:p@h/",
		"volume list --password-file /none", "volume list --ca /none", "volume list --ca /dev/null",
	} {
		o := run(t.Context(), strings.Fields(line)...)
		require.Equal(t, exitUsage, o.code, "%s: %s", line, o.err)
		require.True(t, strings.HasPrefix(o.err, "twinlun: "), "%s: %s", line, o.err)
		require.Empty(t, o.out, line)
	}
}

func TestHelpVersionCompletion(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}, {"help"}, {"volume", "--help"}, {"help", "replica", "create"}} {
		o := run(t.Context(), args...)
		require.Zero(t, o.code, o.err)
		require.Contains(t, o.out, "Usage:")
	}
	o := run(t.Context(), "version")
	require.Regexp(t, `^twinlun 1\.2\.3 \(go1\.`, o.out)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		o := run(t.Context(), "completion", shell)
		require.Zero(t, o.code)
		require.Contains(t, o.out, "twinlun")
	}
}

// Every command that DESIGN names is there, and says what it does.
func TestCommands(t *testing.T) {
	root := newRoot(&app{})
	for _, line := range []string{
		"serve", "user add", "user list", "user remove", "user passwd", "version", "completion",
		"volume create", "volume list", "volume show", "volume resize", "volume delete", "volume import", "volume export", "volume expose", "volume hide",
		"replica create", "replica list", "replica show", "replica split", "replica fracture", "replica resync", "replica restore",
		"replica suspend", "replica resume", "replica detach", "replica dissolve", "replica failover", "replica failback", "replica reverse",
		"replica activate", "replica deactivate", "replica prepare", "replica unprepare", "replica abort", "replica return", "replica reset", "replica mode",
		"group create", "group add", "group remove", "group list", "group delete", "job list", "job show", "job watch", "job cancel",
		"pool list", "pool show", "get", "enumerate", "invoke", "class",
	} {
		c, rest, err := root.Find(strings.Fields(line))
		require.NoError(t, err, line)
		require.Empty(t, rest, line)
		require.NotEmpty(t, c.Short, line)
		remote := !strings.HasPrefix(line, "user") && line != "serve" && line != "version" && line != "completion"
		for _, flag := range []string{"server", "user", "password-file", "ca", "insecure"} {
			require.Equal(t, remote, c.InheritedFlags().Lookup(flag) != nil || c.PersistentFlags().Lookup(flag) != nil ||
				flag == "password-file" && c.Flags().Lookup(flag) != nil && remote, "%s --%s", line, flag)
		}
	}
	checkTree(t, root)
}

// checkTree checks that no command lets wrong arguments pass.
func checkTree(t *testing.T, c *cobra.Command) {
	require.NotNil(t, c.Args, c.CommandPath())
	require.NotNil(t, c.RunE, c.CommandPath())
	for _, child := range c.Commands() {
		checkTree(t, child)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		says string
	}{
		{nil, 0, ""},
		{errors.New("x"), 1, "x"},
		{fmt.Errorf("a: %w", usageError{errors.New("x")}), 2, "a: x"},
		{fmt.Errorf("a: %w", notFoundError{"volume", "v"}), 3, `a: there is no volume "v"`},
		{fmt.Errorf("a: %w", cim.Errorf(cim.StatusNotFound, "gone")), 3, "a: gone"},
		{cim.Errorf(cim.StatusInvalidClass, "no class"), 3, "no class"},
		{cim.Errorf(cim.StatusAccessDenied, "no"), 4, "no"},
		{cim.Errorf(cim.StatusInvalidParameter, "bad"), 1, "bad"},
		{client.ErrUnauthorized, 4, "did not accept the user or the password"},
		{&client.HTTPError{Status: 403}, 4, "use an https URL"},
		{&client.HTTPError{Status: 429}, 1, "too many have failed"},
		{&client.HTTPError{Status: 502}, 1, "502"},
		{&fs.PathError{Op: "open", Path: "/x", Err: fs.ErrPermission}, 4, "/x"},
		{fmt.Errorf("post: %w", context.Canceled), 1, "interrupted; what the server has begun may go on"},
		{returnError{method: "M", code: 5, meaning: "Invalid Parameter", reason: "Size: too small"}, 1, "M returned 5 (Invalid Parameter): Size: too small"},
		{returnError{method: "M", code: 99}, 1, "M returned 99"},
	} {
		require.Equal(t, c.code, exitCode(c.err), "%v", c.err)
		if c.err != nil {
			require.Contains(t, message(c.err), c.says)
		}
	}
}
