package cli

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
		got, err := parseSize(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", " ", "GiB", "-1", "+1", "1.", ".5", "1..5", "1e3", "0x10", "NaN", "Inf", "1_000", "1/2", "10iB", "10KiBB", "10XB", "10E",
		"1025PiB", "99999999999999999999999", strings.Repeat("9", 100), "1 0", "1G iB", "١",
	} {
		_, err := parseSize(text)
		require.Error(t, err, text)
		if strings.TrimSpace(text) != "" {
			require.ErrorContains(t, err, text[:1])
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"10GiB", "1.5T", "512", "NaN", "1e999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseSize(s)
		if err != nil {
			return
		}
		require.LessOrEqual(t, n, uint64(maxSize))
		again, err := parseSize(size(n).String())
		require.NoError(t, err, "what is shown can be read")
		require.InEpsilon(t, float64(n)+1, float64(again)+1, 0.06)
	})
}

func TestSplit(t *testing.T) {
	for word, want := range map[string][]string{
		"":                {""},
		"a":               {"a"},
		"a,b,":            {"a", "b", ""},
		`a\,b,c`:          {`a\,b`, "c"},
		`a\\,b`:           {`a\\`, "b"},
		"{a=1,2;b=3},{c}": {"{a=1,2;b=3}", "{c}"},
		"{{a,b},c},d":     {"{{a,b},c}", "d"},
		"},a":             {"}", "a"},
		`\{a,b`:           {`\{a`, "b"},
		"{a,b":            {"{a,b"},
		`C:\dir,x`:        {`C:\dir`, "x"},
		`a\`:              {`a\`},
	} {
		require.Equal(t, want, split(word, ','), word)
	}
	require.Equal(t, `a,b;{}\C:\dir\`, unescape(`a\,b\;\{\}\\C:\dir\`))
}

// escape is what a user writes for a text.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, ",", `\,`, ";", `\;`, "{", `\{`, "}", `\}`).Replace(s)
}

func FuzzSplit(f *testing.F) {
	f.Add("a", "b,c", ',')
	f.Add(`\`, "{", ';')
	f.Fuzz(func(t *testing.T, a, b string, sep rune) {
		if sep != ',' && sep != ';' {
			sep = ','
		}
		parts := split(escape(a)+string(sep)+escape(b), byte(sep))
		require.Len(t, parts, 2)
		require.Equal(t, []string{a, b}, []string{unescape(parts[0]), unescape(parts[1])})
		require.Equal(t, a, strings.Join(split(a, byte(sep)), string(sep)), "nothing is lost")
	})
}
