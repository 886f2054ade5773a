package query

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWildcard(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"%", "", true}, {"%%%", "abc", true}, {"_", "", false}, {"_", "é", true},
		{"a%", "A", true}, {"a%", "ba", false}, {"%a", "bA", true}, {"%a%", "xay", true}, {"%a%b%", "xbya", false},
		{"%ab", "aab", true}, {"%ab%", "aaxab", true}, {"a_c", "abc", true}, {"a_c", "ac", false}, {"%_%", "", false},
		{"[a-c]x", "Bx", true}, {"[a-c]x", "dx", false}, {"[^a-c]x", "Dx", true}, {"[^a-c]x", "Bx", false}, {"[^a-c]", "", false},
		{"[a-]", "-", true}, {"[-a]", "-", true}, {"[^]", "^", true}, {"[a^]", "^", true}, {"[%]", "%", true}, {"[%]", "x", false},
		{"[_]", "_", true}, {"[_]", "a", false}, {"[[]", "[", true}, {"]", "]", true}, {"Ä%", "ätsch", true}, {"k", "\u212a", true},
		{"[à-é]", "É", true}, {"%x%x%x", "xxx", true}, {"%x%x%x", "xx", false},
	} {
		match, err := wildcard(c.pattern)
		require.NoError(t, err, c.pattern)
		require.Equal(t, c.want, match(c.text), "%q of %q", c.pattern, c.text)
	}
}

func TestExpression(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {".", "é", true}, {".*", "a\nb", true}, {"a", "A", false}, {"ab*c", "ac", true},
		{"ab*c", "abbc", true}, {"ab+c", "ac", false}, {"ab?c", "abbc", false}, {"a|bc", "bc", true}, {"a|bc", "abc", false},
		{`a\.b`, "axb", false}, {`a\.b`, "a.b", true}, {`\d`, "d", true}, {`\d`, "1", false}, {"[]a]", "]", true}, {"[^]a]", "b", true},
		{"[a-c]+", "abc", true}, {"[^a-c]", "b", false}, {"[.]", "x", false}, {`[\]`, `\`, true}, {"^a$", "a", true}, {"(ab)*", "abab", true},
		{"a%", "abc", false}, {"[[:alpha:]]", ":]", true}, {"[&&a]", "&", true},
	} {
		match, err := expression(c.pattern)
		require.NoError(t, err, c.pattern)
		require.Equal(t, c.want, match(c.text), "%q of %q", c.pattern, c.text)
	}
	for _, pattern := range []string{"*", "a**", "a+?", "a{2}", "}", "(", ")", "[", "[]", "[^]", "[z-a]", `a\`, "a^b", "a$b", "|*"} {
		_, err := expression(pattern)
		require.Error(t, err, pattern)
	}
}

// The hardest patterns of 10,000 characters end, on texts that nearly match: were
// the work more than pattern times text the test would not.
func TestLikeIsNotExponential(t *testing.T) {
	const n = 10000
	text := strings.Repeat("a", n/20)
	for name, pattern := range map[string]string{
		"many %":     strings.Repeat("%a", n/2) + "b",
		"% and _":    strings.Repeat("%_", n/2) + "b",
		"one long":   "%" + strings.Repeat("a", n/40) + "b",
		"sets":       strings.Repeat("%[a-b]", n/6) + "c",
		"only %":     strings.Repeat("%", n) + "b",
		"wide set":   "%[" + strings.Repeat("x", n) + "]",
		"% at end":   strings.Repeat("a%", n/2),
		"half of it": strings.Repeat("%a", n/25) + "%b",
	} {
		match, err := wildcard(pattern)
		require.NoError(t, err)
		require.False(t, match(text), name)
	}
	for name, pattern := range map[string]string{
		"stars":        strings.Repeat("a*", n/2) + "b",
		"any":          strings.Repeat(".*", n/2) + "b",
		"optional":     strings.Repeat("a?", n/2) + "b",
		"nested":       strings.Repeat("(", 400) + "a" + strings.Repeat("*)", 400) + "b",
		"alternatives": strings.Repeat("(a|aa)", n/6) + "b",
	} {
		match, err := expression(pattern)
		require.NoError(t, err, name)
		require.False(t, match(text[:60]), name)
	}
	_, err := expression(strings.Repeat("(", n) + "a" + strings.Repeat("*)", n))
	require.ErrorContains(t, err, "not a regular expression")
}
