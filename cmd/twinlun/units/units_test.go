package units

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "1": 1, "512": 512, "512b": 512, "1K": 1 << 10, "1kib": 1 << 10, "1KB": 1000, "10GiB": 10 << 30, "10 GiB": 10 << 30, " 7M ": 7 << 20,
		"1.5G": 3 << 29, "0.3KiB": 307, "2TB": 2e12, "1PiB": 1 << 50, "1024PiB": 1 << 60, "9007199254740993": 9007199254740993,
	} {
		got, err := ParseSize(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", " ", "GiB", "-1", "+1", "1.", ".5", "1..5", "1e3", "0x10", "NaN", "Inf", "1_000", "1/2", "10iB", "10KiBB", "10XB", "10E",
		"1025PiB", "99999999999999999999999", strings.Repeat("9", 100), "1 0", "1G iB", "١", "0.5", "0.0001K",
	} {
		_, err := ParseSize(text)
		require.Error(t, err, text)
		if strings.TrimSpace(text) != "" {
			require.ErrorContains(t, err, text[:1])
		}
	}
}
