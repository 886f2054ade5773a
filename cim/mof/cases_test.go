package mof

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata")

// TestCases reads the files of testdata: cases of a name, a MOF text, and what
// comes of it after ---: the classes, or the faults. All share the qualifiers of
// testdata/qualifiers.mof.
func TestCases(t *testing.T) {
	preludeText, err := os.ReadFile("testdata/qualifiers.mof")
	require.NoError(t, err)
	prelude, err := Parse("qualifiers.mof", preludeText)
	require.NoError(t, err)
	for _, name := range []string{"faults.txt", "classes.txt"} {
		path := filepath.Join("testdata", name)
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		var out strings.Builder
		for _, c := range strings.Split(string(content), "=== ")[1:] {
			title, rest, ok := strings.Cut(c, "\n")
			require.True(t, ok)
			text, want, ok := strings.Cut(rest, "---\n")
			require.True(t, ok, title)
			got := outcome(prelude, text)
			fmt.Fprintf(&out, "=== %s\n%s---\n%s", title, text, got)
			if !*update {
				t.Run(title, func(t *testing.T) { require.Equal(t, want, got) })
			}
		}
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(out.String()), 0o644))
		}
	}
}

// outcome is the dump of the classes of a text, or its faults.
func outcome(prelude []Decl, text string) string {
	decls, err := Parse("x.mof", []byte(text))
	if err != nil {
		return err.Error() + "\n"
	}
	s, err := Link(append(prelude[:len(prelude):len(prelude)], decls...))
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, c := range s.Classes() {
		dumpClass(&b, c)
	}
	return b.String()
}

func dumpClass(b *strings.Builder, c *cim.Class) {
	fmt.Fprintf(b, "class %s", c.Name)
	if c.Super != nil {
		fmt.Fprintf(b, " : %s", c.Super.Name)
	}
	fmt.Fprintf(b, "%s%s\n", dumpFlags(c.Abstract, "abstract", c.Association, "association"), dumpQualifiers(c.Qualifiers))
	for _, p := range c.Properties {
		fmt.Fprintf(b, "  %d %s %s", p.Index, p.Name, dumpType(p.Type, p.RefClass, p.Embedded, p.Array))
		if p.Default != nil {
			fmt.Fprintf(b, " = %s", cim.FormatText(p.Default))
		}
		fmt.Fprintf(b, " of %s%s%s\n", p.Origin, dumpFlags(p.Key, "key", p.Propagated, "propagated"), dumpQualifiers(p.Qualifiers))
	}
	for _, m := range c.Methods {
		fmt.Fprintf(b, "  %s() %s of %s%s%s\n", m.Name, m.Return, m.Origin,
			dumpFlags(m.Static, "static", m.Propagated, "propagated"), dumpQualifiers(m.Qualifiers))
		for _, p := range m.Params {
			fmt.Fprintf(b, "    %s %s%s\n", p.Name, dumpType(p.Type, p.RefClass, p.Embedded, p.Array),
				dumpFlags(p.In, "in", p.Out, "out"))
		}
	}
}

func dumpType(t cim.Type, ref, embedded string, array bool) string {
	s := t.String()
	if ref != "" {
		s += " " + ref
	}
	if embedded != "" {
		s += " <" + embedded + ">"
	}
	if array {
		s += "[]"
	}
	return s
}

func dumpFlags(one bool, oneName string, two bool, twoName string) string {
	s := ""
	if one {
		s += " " + oneName
	}
	if two {
		s += " " + twoName
	}
	return s
}

func dumpQualifiers(qs cim.Qualifiers) string {
	s := ""
	for _, q := range qs {
		s += fmt.Sprintf(" %s(%s)", q.Name, cim.FormatText(q.Value))
	}
	return s
}
