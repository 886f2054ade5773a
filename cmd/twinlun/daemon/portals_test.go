package daemon

import (
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPortalAddresses(t *testing.T) {
	prefix := func(s string) net.Addr {
		ip, n, err := net.ParseCIDR(s)
		require.NoError(t, err)
		return &net.IPNet{IP: ip, Mask: n.Mask}
	}
	several := []net.Addr{
		prefix("127.0.0.1/8"), prefix("::1/128"), prefix("fe80::1/64"), prefix("fd00::7/64"), prefix("192.168.1.9/24"),
		prefix("10.0.0.5/24"), prefix("10.0.0.5/32"), prefix("169.254.0.3/16"), &net.UnixAddr{Name: "x"},
	}
	for bound, want := range map[string][]string{
		"10.0.0.5:3260":  {"10.0.0.5:3260"},
		"127.0.0.1:3260": {"127.0.0.1:3260"},
		"[::]:3260":      {"10.0.0.5:3260", "192.168.1.9:3260", "[fd00::7]:3260"},
		"0.0.0.0:3260":   {"10.0.0.5:3260", "192.168.1.9:3260"},
	} {
		got, err := portalAddresses(bound, func() ([]net.Addr, error) { return several, nil })
		require.NoError(t, err)
		require.Equal(t, want, got, bound)
	}
	alone := func() ([]net.Addr, error) { return several[:3], nil }
	for bound, want := range map[string]string{"[::]:1": "[::1]:1", "0.0.0.0:1": "127.0.0.1:1"} {
		got, err := portalAddresses(bound, alone)
		require.NoError(t, err)
		require.Equal(t, []string{want}, got, bound)
	}
	_, err := portalAddresses("[::]:1", func() ([]net.Addr, error) { return nil, errors.New("no netlink") })
	require.ErrorContains(t, err, "no netlink")
}
