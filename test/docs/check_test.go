// Package docs fails when a table of the documents names a test, a decision or a
// file that is not there, or says that something is done without naming a test.
package docs

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

var (
	// A test is written as `folder.TestName`, or `folder.TestName/case` for one row of
	// its table.
	testName = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]*)(?:/([^`]+))?`")
	decision = regexp.MustCompile(`decision "([^"]+)"`)
	link     = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	title    = regexp.MustCompile(`(?m)^\*\*[0-9-]+: (.+?)\.?\*\*`)
)

// titles are those of the paragraphs of decisions.md.
func titles(text string) map[string]bool {
	all := map[string]bool{}
	for _, m := range title.FindAllStringSubmatch(text, -1) {
		all[m[1]] = true
	}
	return all
}

// checker knows what documents may name.
type checker struct {
	tests     map[string]words // by folder.TestName
	decisions map[string]bool
	files     fs.FS
}

// check gives the mistakes of a document, each as name:line: message.
func (c checker) check(name, text string) (mistakes []string) {
	columns := 0
	number := 0
	for line := range strings.Lines(text) {
		number++
		say := func(format string, args ...any) {
			mistakes = append(mistakes, fmt.Sprintf("%s:%d: %s", name, number, fmt.Sprintf(format, args...)))
		}
		c.names(line, say)
		cells := row(line)
		switch {
		case cells == nil:
			columns = 0
		case columns == 0:
			columns = len(cells)
		case len(cells) != columns:
			say("%d cells in a table of %d columns", len(cells), columns)
		case claims(cells) && !testName.MatchString(cells[len(cells)-1]):
			say("no test is named")
		}
	}
	return mistakes
}

// names looks for what a line names.
func (c checker) names(line string, say func(string, ...any)) {
	for _, m := range testName.FindAllStringSubmatch(line, -1) {
		literals, ok := c.tests[m[1]+"."+m[2]]
		switch {
		case !ok:
			say("there is no test %s in %s", m[2], m[1])
		case m[3] != "" && !literals[m[3]]:
			say("the test %s of %s has no case %q", m[2], m[1], m[3])
		}
	}
	for _, m := range decision.FindAllStringSubmatch(line, -1) {
		if !c.decisions[m[1]] {
			say("there is no decision %q", m[1])
		}
	}
	for _, m := range link.FindAllStringSubmatch(line, -1) {
		if _, err := fs.Stat(c.files, path.Join("docs", m[1])); err != nil {
			say("%v", err)
		}
	}
}

// row are the cells of a line of a table; nil for other lines.
func row(line string) []string {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "|") || !strings.HasSuffix(line, "|") {
		return nil
	}
	cells := strings.Split(strings.ReplaceAll(line[1:len(line)-1], `\|`, "\x00"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

// claims says whether a row says that something is done: a cell of it begins with
// "yes".
func claims(cells []string) bool {
	for _, c := range cells {
		if strings.HasPrefix(c, "yes") {
			return true
		}
	}
	return false
}

func TestEveryMistakeIsFound(t *testing.T) {
	files := fstest.MapFS{
		"docs/other.md": {Data: []byte("x")},
		"a/b/b_test.go": {Data: []byte("package b\n\nimport \"testing\"\n\nfunc TestIt(*testing.T) { _ = \"one case\" }\nfunc (x) TestMethod() {}\nfunc helper() {}\n")},
	}
	tests, err := findTests(files)
	require.NoError(t, err)
	require.Len(t, tests, 1)
	c := checker{tests: tests, files: files, decisions: titles("**2026-01-02: a thing is so.** Because.\nand\n**2026-01-03: what\n")}
	require.Equal(t, map[string]bool{"a thing is so": true}, c.decisions)
	for text, want := range map[string]string{
		"`a/b.TestIt` and `a/b.TestIt/one case`, see [it](other.md#there), decision \"a thing is so\"": "",
		"`a/b.TestNot`":         "doc:1: there is no test TestNot in a/b",
		"\n`a.TestIt`":          "doc:2: there is no test TestIt in a",
		"`a/b.TestMethod`":      "doc:1: there is no test TestMethod in a/b",
		"`a/b.TestIt/two`":      `doc:1: the test TestIt of a/b has no case "two"`,
		`decision "what"`:       `doc:1: there is no decision "what"`,
		"[x](none.md)":          "doc:1: open docs/none.md: file does not exist",
		"[x](https://none.md/)": "",
		"| a | b |\n|---|---|\n| yes | `a/b.TestIt` |":         "",
		"| a | b |\n|---|---|\n| yes, with limits | |":         "doc:3: no test is named",
		"| a | b |\n|---|---|\n| no: why \\| not | |":          "",
		"| a | b |\n|---|---|\n| no |":                         "doc:3: 1 cells in a table of 2 columns",
		"| a | b |\n|---|---|\n| x | y |\n\n| a |\n|---|\n|b|": "",
	} {
		mistakes := c.check("doc", text)
		if want == "" {
			require.Empty(t, mistakes, text)
			continue
		}
		require.Equal(t, []string{want}, mistakes, text)
	}
}
