package daemon

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The example file says what is true: as it is it changes nothing, and with its
// settings switched on it is a configuration.
func TestExampleFile(t *testing.T) {
	text, err := os.ReadFile("../../../packaging/twinlun.yaml")
	require.NoError(t, err)
	c := Defaults()
	require.NoError(t, c.decode(strings.NewReader(string(text))))
	require.Equal(t, Defaults(), c)

	on := regexp.MustCompile(`(?m)^# (([a-z_]+:( .*)?|  - \{.*\}))$`).ReplaceAllString(string(text), "$1")
	require.NoError(t, c.decode(strings.NewReader(on)))
	require.NoError(t, c.Check())
	require.Len(t, c.Pools, 2)
	require.Equal(t, "/etc/twinlun/tls.key", c.TLSKey)
	require.Len(t, c.EventDestinations, 2)
	c.TLSCert, c.TLSKey, c.Pools, c.EventDestinations = "", "", c.Pools[:1], nil
	want := Defaults()
	require.NoError(t, want.Check())
	require.Equal(t, want, c, "what is commented out is the default")
	for _, name := range SettingNames() {
		require.Contains(t, on, "\n"+strings.ReplaceAll(name, "-", "_")+":", "every setting is there")
	}
}
