package daemon

import (
	"crypto/x509"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman/client"
)

// The first start makes a user with a secret password, and a certificate, and
// says so once.
func TestFirstStart(t *testing.T) {
	c := config(t)
	r := start(t, c)
	require.Contains(t, r.notices.String(), `the user "admin"`)
	require.Contains(t, r.notices.String(), filepath.Join(c.DataDir, passwordFile))
	for name, mode := range map[string]fs.FileMode{".": 0o700, passwordFile: 0o600, "tls.key": 0o600, "users.json": 0o600, "twinlun.db": 0o600} {
		info, err := os.Stat(filepath.Join(c.DataDir, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), name)
	}
	first := r.password()
	require.Greater(t, len(first), 20)
	_, err := r.client().Identify(t.Context())
	require.NoError(t, err)
	r.stop()

	again := start(t, c)
	require.Empty(t, again.notices.String())
	require.Equal(t, first, again.password())
}

// Who deletes all users is not given a new one.
func TestNoSecondAdmin(t *testing.T) {
	c := config(t)
	r := start(t, c)
	require.NoError(t, r.users.Remove("admin"))
	r.stop()
	require.Empty(t, start(t, c).notices.String())
}

func TestSecondDaemonIsRefused(t *testing.T) {
	c := config(t)
	r := start(t, c)
	_, err := open(t, c)
	require.ErrorContains(t, err, c.DataDir)
	require.ErrorContains(t, err, "in use by another daemon")
	_, err = r.client().Get(t.Context(), &cim.Path{Class: "CIM_ReplicationService"})
	require.NoError(t, err, "the first one is not disturbed")
}

// A port in use stops the start before the disk is touched, and the other ports
// are free again.
func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := config(t)
	c.WSMan, c.Metrics = free.Addr().String(), taken.Addr().String()
	require.NoError(t, free.Close())
	_, err = open(t, c)
	require.ErrorContains(t, err, "metrics: ")
	require.ErrorContains(t, err, "address already in use")
	require.NoDirExists(t, c.DataDir)
	free, err = net.Listen("tcp", c.WSMan)
	require.NoError(t, err)
	require.NoError(t, free.Close())
}

// Nobody but the daemon's user reads anything in the data dir, whatever the umask.
func TestModes(t *testing.T) {
	r := start(t, config(t))
	c := r.client()
	r.createVolume(c, "v")
	files := 0
	require.NoError(t, filepath.WalkDir(r.cfg.DataDir, func(name string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		} else {
			files++
		}
		require.Equal(t, want, info.Mode().Perm(), name)
		return nil
	}))
	require.Greater(t, files, 5, "the volume's, too")
}

// A start that fails late leaves nothing open: the next one succeeds.
func TestFailedStartClosesAll(t *testing.T) {
	c := config(t)
	bad := c
	blocked := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(blocked, nil, 0o600))
	bad.Pools = append(bad.Pools[:1:1], PoolConfig{Name: "other", Path: filepath.Join(blocked, "pool")})
	_, err := open(t, bad)
	require.ErrorContains(t, err, "pool other")
	start(t, c)
}

func TestEverythingOff(t *testing.T) {
	c := config(t)
	c.WSMan, c.WSManTLS, c.ISCSI, c.Metrics = Off, Off, Off, Off
	r := start(t, c)
	require.Equal(t, Addresses{}, r.Addresses())
	require.Nil(t, r.portals())
}

// The endpoint over TLS shows the certificate in the data dir, and the portal that
// CIM tells is the one that listens.
func TestTLSAndPortals(t *testing.T) {
	r := start(t, config(t))
	pem, err := os.ReadFile(filepath.Join(r.cfg.DataDir, "tls.crt"))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	s, err := schema()
	require.NoError(t, err)
	c, err := client.New(client.Config{
		URL: "https://" + r.Addresses().WSManTLS + "/wsman", User: "admin", Password: r.password(), RootCAs: roots,
		Schema: s.Class, Namespace: "root/cimv2/storage/iscsitarget",
	})
	require.NoError(t, err)
	defer c.Close()
	r.createVolume(r.client(), "v")
	var portals cim.Value
	require.NoError(t, c.Enumerate(t.Context(), "", "TWINLUN_iSCSIProtocolEndpoint", func(in *cim.Instance) error {
		portals = in.Get("PortalAddresses")
		return nil
	}))
	require.Equal(t, []cim.Value{r.Addresses().ISCSI}, portals)
}

func TestOwnCertificate(t *testing.T) {
	c := config(t)
	start(t, c).stop()
	c.TLSCert, c.TLSKey = filepath.Join(c.DataDir, "tls.crt"), filepath.Join(c.DataDir, "users.json")
	_, err := open(t, c)
	require.ErrorContains(t, err, "tls_cert, tls_key: ")
	c.TLSKey = filepath.Join(c.DataDir, "tls.key")
	start(t, c)
}

// A key without its certificate is what a crash at the first start leaves.
func TestCertificateIsMadeWhole(t *testing.T) {
	c := config(t)
	require.NoError(t, os.MkdirAll(c.DataDir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(c.DataDir, "tls.key"), []byte("half"), 0o600))
	start(t, c)
	info, err := os.Stat(c.DataDir)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
}
