package cli

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestServerURL(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:5985/wsman": "http://127.0.0.1:5985/wsman",
		"https://storage1:5986":       "https://storage1:5986/wsman",
		"https://[::1]:5986/":         "https://[::1]:5986/wsman",
		"http://h/other":              "http://h/other",
	} {
		u, err := serverURL(text)
		require.NoError(t, err)
		require.Equal(t, want, u.String())
	}
	for _, text := range []string{"", "h", "h:1", "ftp://h/", "http://", "http://:80/", "http://u:p@h/", "http://[::1/"} {
		_, err := serverURL(text)
		require.ErrorContains(t, err, "--server", text)
		require.NotContains(t, err.Error(), "u:p", "no password in messages")
	}
}

func TestIsThisMachine(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "::ffff:127.0.0.1": true, "LOCALHOST": true,
		"10.0.0.1": false, "storage1": false, "localhost.example": false, "0.0.0.0": false, "": false,
	} {
		require.Equal(t, want, isThisMachine(host), host)
	}
}

// Flags are stronger than variables.
func TestWhoAsksWhom(t *testing.T) {
	w := start(t)
	password := os.Getenv("TWINLUN_PASSWORD")
	t.Setenv("TWINLUN_SERVER", "http://127.0.0.1:1")
	w.fails(1, "refused", "volume", "list")
	w.must("volume", "list", "--server", w.url())
	t.Setenv("TWINLUN_SERVER", w.url())

	t.Setenv("TWINLUN_USER", "nobody")
	w.fails(4, "did not accept", "volume", "list")
	w.must("volume", "list", "--user", "admin")
	t.Setenv("TWINLUN_USER", "")
	t.Setenv("TWINLUN_PASSWORD", "wrong")
	w.fails(4, "did not accept", "volume", "list")
	w.must("volume", "list", "--password-file", w.passwordFile())

	secure := "https://" + w.d.Addresses().WSManTLS
	t.Setenv("TWINLUN_PASSWORD", password)
	w.fails(1, "certificate", "volume", "list", "--server", secure)
	w.must("volume", "list", "--server", secure, "--insecure")
	w.must("volume", "list", "--server", secure, "--ca", filepath.Join(w.dir, "tls.crt"))
}

// A password that would be read on the way is warned of, before it is sent.
func TestWarnsOfPlainHTTP(t *testing.T) {
	const warning = "unencrypted; use an https URL"
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nothing is sent
	t.Setenv("TWINLUN_PASSWORD", "secret")
	o := run(ctx, "volume", "list", "--server", "http://192.0.2.1")
	require.Contains(t, o.err, "the password goes to 192.0.2.1 "+warning)
	require.NotContains(t, o.err, "secret")
	require.Equal(t, exitFailed, o.code)
	require.Contains(t, o.err, "interrupted")
	for _, server := range []string{"http://127.0.0.1:1", "http://localhost:1", "https://192.0.2.1"} {
		require.NotContains(t, run(ctx, "volume", "list", "--server", server).err, warning, server)
	}
	t.Setenv("TWINLUN_PASSWORD", "")
	require.NotContains(t, run(ctx, "volume", "list", "--server", "http://192.0.2.1").err, warning)
}
