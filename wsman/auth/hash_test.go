package auth

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHashRoundTrip(t *testing.T) {
	h, err := newHash(rand.NewChaCha8([32]byte{7}), cheap(), "påss")
	require.NoError(t, err)
	back, err := parseHash(h.String())
	require.NoError(t, err)
	require.Equal(t, h, back)
	require.True(t, back.matches("påss"))
	require.False(t, back.matches("pass"))
}

// The vectors of RFC 9106 have a secret and associated data, which the PHC
// format has no place for; this one was made with the reference command line:
// echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1
func TestHashOfReferenceTool(t *testing.T) {
	h, err := parseHash("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	require.NoError(t, err)
	require.True(t, h.matches("password"))
	require.False(t, h.matches("Password"))
}

func TestParseHashRefuses(t *testing.T) {
	good := "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	_, err := parseHash(good)
	require.NoError(t, err)
	change := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for name, s := range map[string]string{
		"empty":            "",
		"other algorithm":  change("argon2id", "argon2i"),
		"other version":    change("v=19", "v=16"),
		"too much memory":  change("m=64", "m=999999999"),
		"too little":       change("m=64", "m=1"),
		"negative":         change("m=64", "m=-64"),
		"many passes":      change("t=1", "t=1000"),
		"no passes":        change("t=1", "t=0"),
		"no threads":       change("p=1", "p=0"),
		"many threads":     change("p=1", "p=255"),
		"overflow":         change("p=1", "p=257"),
		"trailing":         change("p=1", "p=1,x=2"),
		"short salt":       change("$AAAAAAAAAAAAAAAAAAAAAA$", "$AAAA$"),
		"salt not base64":  change("$AAAAAAAAAAAAAAAAAAAAAA$", "$*AAAAAAAAAAAAAAAAAAAAA$"),
		"short key":        good[:60],
		"one field more":   good + "$",
		"longer than real": good + strings.Repeat("A", 300),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseHash(s)
			require.Error(t, err)
		})
	}
}

func BenchmarkHashDefault(b *testing.B) {
	h, err := newHash(rand.NewChaCha8([32]byte{7}), DefaultHashParams(), "password")
	require.NoError(b, err)
	for b.Loop() {
		h.matches("password")
	}
}
