package mof

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestErrorIsTyped(t *testing.T) {
	_, err := Parse("a.mof", []byte("class A {\n  uint8 B\n};"))
	e, ok := errors.AsType[*Error](err)
	require.True(t, ok)
	require.Equal(t, Pos{File: "a.mof", Line: 3, Col: 1}, e.Pos)
	require.Equal(t, `a.mof:3:1: want ";", have "}"`, err.Error())
}

func TestPositionsAfterCommentsAndStrings(t *testing.T) {
	_, err := Parse("a.mof", []byte("/* one\ntwo */ // three\n  [Description(\"x\" \n \"y\")]\n\tclass ?"))
	require.EqualError(t, err, `a.mof:5:8: unexpected character '?'`)
}

func TestParseKeepsWhatIsWritten(t *testing.T) {
	decls, err := Parse("a.mof", []byte(`Qualifier Q : string[] = {"a"}, Scope(class, any), Flavor(Restricted, DisableOverride);
[Q{"x"}] class A : B { [Q] uint8 C[] = {1}; uint32 D(A REF E[]); };`))
	require.NoError(t, err)
	require.Len(t, decls, 2)
	q := decls[0].(*QualifierDecl)
	require.Equal(t, []string{"class", "any"}, q.Scopes)
	require.False(t, q.ToSubclass)
	require.False(t, q.Overridable)
	require.True(t, q.Array)
	require.Equal(t, "a.mof:1:11", q.At().String())
	c := decls[1].(*ClassDecl)
	require.Equal(t, "B", c.Super)
	require.True(t, c.Properties[0].Type.Array)
	require.Nil(t, c.Properties[0].Qualifiers[0].Value)
	require.Equal(t, "A", c.Methods[0].Params[0].Type.RefClass)
}

func TestLoadReadsAllFilesAndJoinsTheirErrors(t *testing.T) {
	fsys := fstest.MapFS{
		"b.mof":      {Data: []byte("class B : A {};")},
		"a.mof":      {Data: []byte("class A {};")},
		"notes.txt":  {Data: []byte("not MOF")},
		"deep/c.mof": {Data: []byte("not MOF")},
	}
	s, err := Load(fsys)
	require.NoError(t, err)
	require.Len(t, s.Classes(), 2)
	require.Equal(t, "A", s.Class("b").Super.Name)

	fsys["c.mof"] = &fstest.MapFile{Data: []byte("class")}
	fsys["d.mof"] = &fstest.MapFile{Data: []byte("?")}
	_, err = Load(fsys)
	require.ErrorContains(t, err, "c.mof:1:6: want the name of a class, have the end of the text")
	require.ErrorContains(t, err, "d.mof:1:1: unexpected character '?'")
}

func TestLoadRefusesNothingAndTooMuch(t *testing.T) {
	_, err := Load(fstest.MapFS{})
	require.EqualError(t, err, "mof: there are no *.mof files")
	_, err = Load(fstest.MapFS{"a.mof": {Data: make([]byte, maxFile+1)}})
	require.ErrorContains(t, err, "a.mof:1:1: the file is larger than")
	_, err = Load(fstest.MapFS{"a.mof": {Mode: fs.ModeDir}})
	require.Error(t, err)
}

// TestLongChains makes sure that depth costs no more than memory.
func TestLongChains(t *testing.T) {
	var b strings.Builder
	const n = 2000
	for i := n; i > 0; i-- {
		fmt.Fprintf(&b, "class A%d : A%d {};\n", i, i-1)
	}
	b.WriteString("class A0 {};\n")
	decls, err := Parse("a.mof", []byte(b.String()))
	require.NoError(t, err)
	s, err := Link(decls)
	require.NoError(t, err)
	require.Len(t, s.Classes(), n+1)
}

func FuzzLoad(f *testing.F) {
	prelude, err := os.ReadFile("testdata/qualifiers.mof")
	require.NoError(f, err)
	for _, name := range []string{"testdata/faults.txt", "testdata/classes.txt"} {
		cases, err := os.ReadFile(name)
		require.NoError(f, err)
		for _, c := range strings.Split(string(cases), "=== ")[1:] {
			_, rest, _ := strings.Cut(c, "\n")
			text, _, _ := strings.Cut(rest, "---\n")
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Load(fstest.MapFS{"q.mof": {Data: prelude}, "x.mof": {Data: []byte(text)}})
		if err != nil {
			checkErrors(t, err)
			return
		}
		for _, c := range s.Classes() {
			for i, p := range c.Properties {
				require.Equal(t, i, p.Index)
				require.Same(t, p, c.Property(p.Name))
			}
		}
	})
}

// checkErrors wants each of the joined errors to be an *Error with a place.
func checkErrors(t *testing.T, err error) {
	t.Helper()
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			checkErrors(t, e)
		}
		return
	}
	e, ok := errors.AsType[*Error](err)
	require.True(t, ok, "%v", err)
	require.Positive(t, e.Line)
	require.Positive(t, e.Col)
}
