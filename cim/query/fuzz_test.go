package query

import (
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

func FuzzWQL(f *testing.F) { fuzz(f, "WQL") }

func FuzzCQL(f *testing.F) { fuzz(f, "CQL") }

// fuzz compiles any text. Either it is refused with a place in it, or instances can
// be compared and shown; what Keys says is true of those that match.
func fuzz(f *testing.F, language string) {
	cases, _ := goldenCases(f)
	for _, c := range cases {
		f.Add(c.text)
	}
	for _, text := range []string{
		`ASSOCIATORS OF {T_Pool="x"} WHERE Role=Part`, `REFERENCES OF {T_Holds.Whole="T_Pool='a'"}`,
		"SELECT * FROM T_Volume WHERE ElementName LIKE '%[a-f]%[^x]_%'", "SELECT * FROM T_Volume WHERE ElementName LIKE '(a|b*)+[x-z]?.*'",
	} {
		f.Add(text)
	}
	conf := config(f)
	names, of := sample(f)
	f.Fuzz(func(t *testing.T, text string) {
		q := cim.Query{Language: language, Text: text}
		if IsAssociation(q) {
			_, err := ParseAssociation(conf.Schema, text)
			checkError(t, text, err)
			return
		}
		s, err := Compile(conf, q)
		if err != nil {
			require.Nil(t, s)
			checkError(t, text, err)
			return
		}
		for _, name := range names {
			if in := of[name]; s.Match(in) {
				s.Project(in)
				checkKeys(t, s, in)
			}
		}
	})
}

func checkError(t *testing.T, text string, err error) {
	if err == nil {
		return
	}
	e, ok := errors.AsType[*Error](err)
	require.True(t, ok, "%v has no place", err)
	require.True(t, e.Line >= 1 && e.Column >= 1 && e.Column <= utf8.RuneCountInString(text)+1)
	require.Less(t, len(e.Msg), 1000)
}

// checkKeys says whether one of the sets of keys has those of an instance that
// matches, as far as they are exact.
func checkKeys(t *testing.T, s *Select, in *cim.Instance) {
	sets, ok := s.Keys(in.Class)
	for _, set := range sets {
		fits := true
		for _, k := range set.Keys {
			fits = fits && (!set.Exact || cim.Equal(in.Get(k.Name), k.Value))
		}
		if fits {
			return
		}
	}
	require.False(t, ok, "no set of keys fits %s", in.Path)
}
