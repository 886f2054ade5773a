package xpath

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/wsman/soap"
)

const drive = `<d:Drive xmlns:d="urn:drive" xmlns:o="urn:other" kind="disk"><d:ID>7</d:ID><d:Name> red </d:Name><d:State>2</d:State><d:State>5</d:State><d:State>9</d:State>` +
	`<d:Empty/><d:Inner><d:ID>8</d:ID><d:Part n="1">a</d:Part><d:Part n="2">b</d:Part></d:Inner><o:ID>10</o:ID><u:Odd>x</u:Odd></d:Drive>`

func parsed(t testing.TB, text string) *soap.Element {
	t.Helper()
	e, err := soap.Parse([]byte(text), soap.Limits{Bytes: 64 << 20, Elements: 1 << 20, TextLen: 64 << 20})
	require.NoError(t, err)
	return e
}

// prefixes are those that the expressions of the tests may use.
func prefixes(prefix string) (string, bool) {
	uri, ok := map[string]string{"q": "urn:drive", "r": "urn:other"}[prefix]
	return uri, ok
}

// selected is what an expression selects: elements as their texts, texts in quotes.
func selected(t *testing.T, root *soap.Element, expr string) string {
	t.Helper()
	e, err := Parse(expr, prefixes)
	require.NoError(t, err, expr)
	found, text := e.Select(root)
	var all []string
	for _, el := range found {
		s := node{element: el}.text()
		if text {
			s = `"` + soap.RawText(el) + `"`
		}
		all = append(all, s)
	}
	if len(found) > 0 {
		require.True(t, e.Match(root), expr)
	}
	return strings.Join(all, " ")
}

func TestSelect(t *testing.T) {
	root := parsed(t, drive)
	for expr, want := range map[string]string{
		"State":                           "2 5 9",
		"State[2]":                        "5",
		"State[last()]":                   "9",
		"State[position()<3]":             "2 5",
		"State[4]":                        "",
		"State[1.5]":                      "",
		"State[.='5']":                    "5",
		"State[. = 5]":                    "5",
		"State[.>2][1]":                   "5",
		"State[. > 2 and . < 9 or .='2']": "2 5",
		"State[not(.=5)]":                 "2 9",
		"ID":                              "7 10",
		"q:ID":                            "7",
		"r:ID":                            "10",
		"r:*":                             "10 x",
		"zz:ID":                           "7 10",
		"child::ID[1]":                    "7",
		"u:Odd":                           "x",
		"Inner/ID":                        "8",
		"Inner/*":                         "8 a b",
		"Inner/Part[@n='2']":              "b",
		"Inner/Part[attribute::n = 1]":    "a",
		"Inner/Part[@*]":                  "a b",
		"Inner/Part[@m]":                  "",
		"Inner[Part='b']/ID":              "8",
		"Inner[Part[2]='b'][count(Part)=2]/Part[1]": "a",
		"Inner[Part='c']/ID":                        "",
		"Inner[ID>../ID]":                           "?",
		"/Drive/State[1]":                           "2",
		"/q:Drive/q:ID":                             "7",
		"/r:Drive/ID":                               "",
		"/Drive[@kind='disk']/ID[1]":                "7",
		"../Drive[ID='7']/Empty":                    "",
		"../Drive/State":                            "2 5 9",
		"./State[3]":                                "9",
		"Inner/../State[1]":                         "2",
		"Inner/Part/../ID":                          "8",
		"../..":                                     "",
		"State/text()":                              `"2" "5" "9"`,
		"Name/text()":                               `" red "`,
		"Empty/text()":                              "",
		"ID | Name | ID":                            "7  red  10",
		"State[3]|State[1]":                         "2 9",
		"ID/text()|Name/text()":                     `"7" " red " "10"`,
		"Name[normalize-space()='red']/text()":      `" red "`,
		"*[local-name()='State'][2]":                "5",
		"*[name()='o:ID']":                          "10",
		"*[name(ID)='d:ID']":                        "8ab",
		"*[starts-with(., ' r')]":                   " red ",
		"*[contains(string(.),'a')]":                "8ab",
		"*[string-length(.)=5]":                     " red ",
		"*[number(.)=10]":                           "10",
		"*[boolean(ID)]":                            "8ab",
		"*[ID|Part]":                                "8ab",
		"State[true()][false()]":                    "",
		"State[-1]":                                 "",
		"1":                                         "",
		"'x'":                                       "",
		"ID = 7":                                    "",
		"None":                                      "",
		"Empty/ID":                                  "",
		"ID/text()[1]":                              "?",
	} {
		if want == "?" {
			_, err := Parse(expr, prefixes)
			require.Error(t, err, expr)
			continue
		}
		require.Equal(t, want, selected(t, root, expr), expr)
	}
	for _, whole := range []string{"/", ".", "/Drive", "..", "../Drive", "./.", "/ | ."} {
		e, err := Parse(whole, nil)
		require.NoError(t, err)
		found, text := e.Select(root)
		require.Equal(t, []*soap.Element{root}, found, whole)
		require.False(t, text)
	}
	e, err := Parse("State", nil)
	require.NoError(t, err)
	found, _ := e.Select(nil)
	require.Empty(t, found)
	require.False(t, e.Match(nil))
}

func TestMatch(t *testing.T) {
	root := parsed(t, drive)
	for expr, want := range map[string]bool{
		"ID='7'": true, "ID='8'": false, "ID=10": true, "ID!=7": true, "Name!=' red '": false, "State>8": true, "State>9": false, "State>=9": true, "State<2": false, "2>=State": true, "9 < State": false,
		"ID='7' and State=5": true, "ID='7' and State=6": false, "ID='9' or State=5": true, "not(ID)": false, "not(None)": true, "1": true, "0": false, "''": false, "'x'": true,
		"ID=Inner/ID": false, "Inner/ID=8": true, "Inner/Part!=Inner/Part": true, "Name!=Name": false, "None!=ID": false, "None=None": false,
		"ID<Inner/ID": true, "ID>Inner/ID": true, "State<=ID": true, "Name<ID": false, "Inner/ID>State[3]": false,
		"ID=true()": true, "None=false()": true, "true()!=false()": true, "true()=1": true, "'1'=1": true, "'x'='x'": true, "'x'<'y'": false, "1<2": true, "2<=2": true, "(1<2)=true()": true,
		"string(1.50)='1.5'": true, "string(-0)='0'": true, "string(number('x'))='NaN'": true, "string(true())='true'": true, "string(false())='false'": true,
		"number(true())=1": true, "number(false())=0": true, "number('1e3')=1000": false, "number('')=0": false, "number('1-1')=0": false,
		"count(State)=3": true, "count(ID|ID)=2": true, "position()=last()": true, "string()=''": false, "contains(Name,'red')": true, "starts-with(None,'')": true,
		"(ID='1' or ID='7') and Name": true, "../Drive[ID='7']": true, "/Other": false,
	} {
		e, err := Parse(expr, prefixes)
		require.NoError(t, err, expr)
		require.Equal(t, want, e.Match(root), expr)
	}
}

func TestSyntaxErrors(t *testing.T) {
	for expr, want := range map[string]string{
		"":                               "character 1: a name is missing before the end",
		"a[":                             "character 3: a name is missing",
		"a[1":                            `character 4: "]" is missing before the end`,
		"a]":                             `character 2: "]" is not expected here`,
		"a b":                            `character 3: "b" is not expected here`,
		"a//b":                           "character 2: // is not understood",
		"//b":                            "character 1: // is not understood",
		"a/":                             "character 3: a name is missing",
		"@kind":                          "character 2: an attribute can only stand in brackets",
		"attribute::k":                   "character 12: an attribute can only stand in brackets",
		"a[/b]":                          "character 3: in brackets paths can only go down",
		"a[../b]":                        "character 3: in brackets paths can only go down",
		"a['x]":                          "character 3: the text in quotes does not end",
		"a[$x]":                          "character 3: '$' is not expected",
		"a[é€]#":                         "character 9: '#' is not expected",
		"fly(a)":                         `character 1: the function "fly" is not known`,
		"count()":                        `character 1: the function "count" does not take 0 arguments`,
		"count(1)":                       `character 1: the function "count" takes a path`,
		"not(a,b)":                       `character 1: the function "not" does not take 2 arguments`,
		"not(a b)":                       `character 7: "," is missing before "b"`,
		"a|1":                            "character 1: only paths can be united by |",
		"a|b/text()":                     "character 1: elements and texts cannot be selected together",
		"a/text()/b":                     `character 9: "/" is not expected here`,
		"-a":                             `character 2: "a" is not a number`,
		"node()":                         `the function "node" is not known`,
		"a/node()":                       `character 3: a name is missing before "node"`,
		"a and":                          "character 6: a name is missing",
		"(a":                             `")" is missing`,
		"a:":                             `character 2: ':' is not expected`,
		"a*2":                            `character 2: "*" is not expected here`,
		strings.Repeat("a", maxLength+1): "longer than 2048 bytes",
		strings.Repeat("a[", 17) + "1" + strings.Repeat("]", 17):   "nested more than 16 deep",
		strings.Repeat("not(", 17) + "1" + strings.Repeat(")", 17): "nested more than 16 deep",
		strings.Repeat("(", 17) + "1" + strings.Repeat(")", 17):    "nested more than 16 deep",
		strings.Repeat("a/", 256) + "a":                            "more than 256 terms",
		strings.Repeat("a or ", 256) + "a":                         "more than 256 terms",
	} {
		_, err := Parse(expr, prefixes)
		require.ErrorContains(t, err, want, expr)
		syntax, ok := err.(*SyntaxError)
		require.True(t, ok, "%T", err)
		require.LessOrEqual(t, syntax.Offset, len(expr))
		require.Less(t, len(err.Error()), 200)
	}
}

func TestChild(t *testing.T) {
	root := parsed(t, drive)
	for expr, want := range map[string]struct {
		local    string
		position int
	}{
		"Missing": {"Missing", 0}, "State[7]": {"State", 7}, "./State[7]/text()": {"State", 7}, "/Drive/X": {"X", 0}, "../Drive[ID=7]/X[1]": {"X", 1}, "q:Missing": {"Missing", 0}, "zz:Missing": {"Missing", 0},
	} {
		e, err := Parse(expr, prefixes)
		require.NoError(t, err)
		local, position, ok := e.Child(root)
		require.True(t, ok, expr)
		require.Equal(t, want.local, local, expr)
		require.Equal(t, want.position, position, expr)
	}
	for _, expr := range []string{".", "/", "..", "*", "*[1]", "Inner/X", "/Other/X", "/X", "X[0]", "X[1.5]", "X[-1]", "X[99999999999]", "X['a']", "X[1][2]", "a|b", "1", "text()", "../text()", "r:X"} {
		e, err := Parse(expr, prefixes)
		require.NoError(t, err, expr)
		_, _, ok := e.Child(root)
		require.False(t, ok, expr)
	}
}

// chain is a document of n branches that are three deep.
func chain(t *testing.T, n int) *soap.Element {
	return parsed(t, "<r>"+strings.Repeat("<a><b><c>x</c></b></a>", n)+"</r>")
}

// What an evaluation allocates goes with the sets and values that it makes, so it
// shows the work: in a document four times as large it may be about four times as
// much, and not sixteen times.
func TestNothingIsQuadratic(t *testing.T) {
	small, large := chain(t, 500), chain(t, 2000)
	for _, expr := range []string{
		"a[b[c[.='x']]]", "a=a", "a!=a", "a<a", "a[b|b/c]", "a|a/b|a/b/c", "a/../a/../a/../a/../a/../a", "a/b/c/../../b/../../a[last()]", "a[count(b/c)=1]/b[c]",
		"*[" + strings.Repeat(".='y' or ", 50) + ".='x']", "a[b/c=b/c]/b[c|c]/c[position()=last()]",
	} {
		e, err := Parse(expr, nil)
		require.NoError(t, err)
		work := func(root *soap.Element) float64 {
			return testing.AllocsPerRun(1, func() {
				e.Select(root)
				e.Match(root)
			})
		}
		require.Less(t, work(large), 6*work(small)+100, expr)
	}
}

// Whatever is parsed can be evaluated, and selects elements of the document once
// each.
func FuzzXPath(f *testing.F) {
	for _, seed := range []string{
		"State", "State[2]", "/Drive/State[last()]/text()", "../Drive[ID='7' and not(@x)]", "count(*[name()='x' or contains(.,\"y\")]) >= 2", "a|b|c/d", "q:*[-1.5]", ".", "/", "child::a[attribute::b]",
		"number(string-length(normalize-space(Name))) != position()",
	} {
		f.Add(seed)
	}
	root := parsed(f, drive)
	f.Fuzz(func(t *testing.T, expr string) {
		e, err := Parse(expr, prefixes)
		if err != nil {
			if se, ok := err.(*SyntaxError); !ok || se.Offset < 0 || se.Offset > len(expr) {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		found, _ := e.Select(root)
		seen := map[*soap.Element]bool{}
		for _, el := range found {
			if seen[el] {
				t.Fatalf("%q selects %s twice", expr, el.Tag)
			}
			seen[el] = true
		}
		if len(found) > 0 && !e.Match(root) {
			t.Fatalf("%q selects and does not match", expr)
		}
		e.Child(root)
	})
}
