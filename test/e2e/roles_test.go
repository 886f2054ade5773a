package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/test/system"
	"twinlun/wsman"
	"twinlun/wsman/client"
)

// TestRoles adds users while the daemon runs and checks what each may do.
func TestRoles(t *testing.T) {
	l := newLab(t)
	l.volumes(1<<20, "v1")
	sources := l.refs("v1")
	replicate := func(c *client.Client, name string) error {
		_, err := l.d.Invoke(t.Context(), c, "CIM_ReplicationService", createList, arg("SyncType", snapshot), arg("SourceElements", sources), arg("ElementNames", []cim.Value{name}))
		return err
	}
	makeVolume := func(c *client.Client, name string) error {
		_, err := l.d.Invoke(t.Context(), c, "CIM_StorageConfigurationService", "CreateOrModifyElementFromStoragePool", arg("ElementName", name), arg("Size", 1<<20), arg("ElementType", 2))
		return err
	}
	expose := func(c *client.Client, name string) error {
		_, err := l.d.Invoke(t.Context(), c, "TWINLUN_ControllerConfigurationService", "ExposeVolume", arg("Volume", sources[0]))
		return err
	}
	for role, may := range map[string]struct{ replicate, administer bool }{"monitor": {false, false}, "operator": {true, false}, "admin": {true, true}} {
		t.Run(role, func(t *testing.T) {
			c := l.user(t, "user-"+role, role)
			_, err := system.List(t.Context(), c, "CIM_StorageVolume")
			require.NoError(t, err, "everyone may read")
			before := l.in(t).state()
			for name, do := range map[string]struct {
				call func(*client.Client, string) error
				may  bool
			}{"replicate": {replicate, may.replicate}, "volume": {makeVolume, may.administer}, "expose": {expose, may.administer}} {
				err := do.call(c, role+"-"+name)
				if do.may {
					require.NoError(t, err, name)
					continue
				}
				var fault *wsman.Fault
				require.ErrorAs(t, err, &fault, name)
				require.Equal(t, "AccessDenied", fault.Subcode.Local)
			}
			if !may.replicate {
				require.Equal(t, before, l.in(t).state())
			}
			l.twinlun(t, "user", "remove", "user-"+role)
			_, err = system.List(t.Context(), c, "CIM_StorageVolume")
			require.Error(t, err, "a user who is removed is gone at once")
		})
	}
}

// user adds one and returns a client that is it.
func (l *lab) user(t *testing.T, name, role string) *client.Client {
	t.Helper()
	const password = "a long enough password"
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte(password), 0o600))
	l.twinlun(t, "user", "add", name, "--role", role, "--password-file", file)
	c, err := client.New(client.Config{URL: l.d.URL(), User: name, Password: password, Namespace: system.Namespace, Schema: system.Schema(t).Class})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// twinlun runs a command that works on the data dir.
func (l *lab) twinlun(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), system.Binary(t), append(args, "--data-dir", l.d.DataDir)...).CombinedOutput()
	require.NoError(t, err, string(out))
}

// TestNoRoom makes replicas in a pool that has no room for them: code 4, and
// nothing is left behind.
func TestNoRoom(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "small")
	require.NoError(t, os.Mkdir(dir, 0o700))
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=48m", "twinlun-test", dir).CombinedOutput(); err != nil {
		t.Skipf("no small filesystem can be mounted: %v: %s", err, out)
	}
	t.Cleanup(func() { require.NoError(t, exec.Command("umount", dir).Run()) })
	config := filepath.Join(t.TempDir(), "twinlun.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "pools:\n- name: default\n  path: %s\n", dir), 0o600))
	l := newLab(t, "--config", config)
	l.volumes(64<<20, "full1", "full2")
	l.expose("full1", "full2")
	for _, v := range []string{"full1", "full2"} {
		writeDisk(l, v, 14<<20)
	}
	sources := l.refs("full1", "full2")
	before := l.state()
	for method, reply := range map[string]*cim.Reply{
		createList:  l.create(createList, arg("SyncType", clone), arg("SourceElements", sources)),
		createGroup: l.create(createGroup, arg("SyncType", mirror), arg("SourceElements", sources)),
	} {
		require.EqualValues(t, failed, reply.Return, method)
		require.Contains(t, reply.Reason, "TargetPool")
		require.Equal(t, before, l.state(), method)
	}
	l.must(createList, arg("SyncType", snapshot), arg("SourceElements", sources), arg("Consistency", 3))
}
