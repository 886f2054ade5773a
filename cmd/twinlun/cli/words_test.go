package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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
