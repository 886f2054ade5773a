package query

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

var update = flag.Bool("update", false, "write testdata/queries.txt anew; read the difference")

const golden = "testdata/queries.txt"

// goldenCase is a query and what becomes of it: the names of the instances that it
// selects, or what is wrong with it and where.
type goldenCase struct {
	language, text, want string
}

// goldenCases reads lines "WQL query" and "CQL query", each with a line "= names" or
// "! error" below. Other lines, which begin with a hash, are kept in place.
func goldenCases(t testing.TB) (cases []goldenCase, lines []string) {
	f, err := os.Open(golden)
	require.NoError(t, err)
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		language, text, _ := strings.Cut(line, " ")
		switch language {
		case "WQL", "CQL":
			cases = append(cases, goldenCase{language: language, text: unescape.Replace(text)})
			lines = append(lines, line)
		case "=", "!":
			cases[len(cases)-1].want = line
		default:
			lines = append(lines, line)
		}
	}
	return cases, lines
}

// unescape is for what does not fit on a line.
var unescape = strings.NewReplacer("<NL>", "\n", "<BAD>", "\xff", "<TAB>", "\t")

func TestGolden(t *testing.T) {
	cases, lines := goldenCases(t)
	require.Greater(t, len(cases), 150)
	if *update {
		rewrite(t, cases, lines)
	}
	for _, c := range cases {
		t.Run(c.language+" "+c.text, func(t *testing.T) {
			require.Equal(t, c.want, c.outcome(t))
		})
	}
}

func rewrite(t *testing.T, cases []goldenCase, lines []string) {
	var b strings.Builder
	at := 0
	for _, line := range lines {
		fmt.Fprintln(&b, line)
		if strings.HasPrefix(line, "WQL ") || strings.HasPrefix(line, "CQL ") {
			cases[at].want = cases[at].outcome(t)
			fmt.Fprintln(&b, cases[at].want)
			at++
		}
	}
	require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
}

func (c goldenCase) outcome(t testing.TB) string {
	s, err := Compile(config(t), cim.Query{Language: c.language, Text: c.text})
	if err != nil {
		e, ok := errors.AsType[*Error](err)
		require.True(t, ok, "%v has no place", err)
		out := fmt.Sprintf("! %d:%d %s", e.Line, e.Column, e.Msg)
		if cim.StatusOf(err) != cim.StatusInvalidQuery {
			out += " (" + cim.StatusOf(err).String() + ")"
		}
		return out
	}
	names, of := sample(t)
	out := []string{"="}
	for _, name := range names {
		if s.Match(of[name]) {
			out = append(out, name)
		}
	}
	return strings.Join(out, " ")
}
