package eventing_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/eventing"
)

// Years and months are durations too; a client that wants a very long subscription is
// granted what there is.
func TestExpiresInYears(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"P1Y": 365 * 24 * time.Hour, " P2M ": 60 * 24 * time.Hour, "P1M1DT1S": 31*24*time.Hour + time.Second,
		"P99999Y": math.MaxInt64, "PT3600.000000S": time.Hour,
	} {
		r, err := read(t, subscribeBody(wsman.DeliveryPull, "", `<e:Expires>`+text+`</e:Expires>`), "")
		require.NoError(t, err, text)
		require.Equal(t, want, r.Expires.After, text)
	}
	w := newWorld(t)
	s, err := w.Subscribe(t.Context(), alice, request(wsman.DeliveryPull, func(r *eventing.Request) { r.Expires.After = math.MaxInt64 }))
	require.NoError(t, err)
	require.Equal(t, 30*24*time.Hour, s.Left)
	for _, text := range []string{"P0Y", "P0M", "-P1Y", "P1.5Y", "P", "PT"} {
		_, err := read(t, subscribeBody(wsman.DeliveryPull, "", `<e:Expires>`+text+`</e:Expires>`), "")
		require.ErrorContains(t, err, "neither a positive duration", text)
	}
}
