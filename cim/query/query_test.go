package query

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

func compile(t testing.TB, language, text string) *Select {
	t.Helper()
	s, err := Compile(config(t), cim.Query{Language: language, Text: text})
	require.NoError(t, err, text)
	return s
}

func TestLanguages(t *testing.T) {
	for _, name := range []string{"WQL", "wql", "DMTF:CQL", "dmtf:cql", "CIM:CQL", "cim:cql", "CQL"} {
		require.Equal(t, "T_Pool", compile(t, name, "SELECT * FROM t_pool").Class().Name)
	}
	for _, name := range []string{"", "SQL", "DMTF:FQL", "WQL2"} {
		_, err := Compile(config(t), cim.Query{Language: name, Text: "SELECT * FROM T_Pool"})
		require.Equal(t, cim.StatusQueryLanguageNotSupported, cim.StatusOf(err), name)
	}
}

func TestLimits(t *testing.T) {
	terms := func(n int) string { return strings.Repeat("Blocks=1 OR ", n-1) + "Blocks=1" }
	nested := func(open, end string, n int) string {
		return strings.Repeat(open, n) + "Blocks=1" + strings.Repeat(end, n)
	}
	for name, c := range map[string]struct {
		where string
		want  string // part of the error; empty: served
	}{
		"terms":                    {terms(MaxTerms), ""},
		"too many terms":           {terms(MaxTerms + 1), "terms"},
		"parentheses":              {nested("(", ")", MaxDepth-1), ""},
		"too many parentheses":     {nested("(", ")", MaxDepth), "nested deeper"},
		"far too many parentheses": {nested("(", ")", 20000), "nested deeper"},
		"too many NOT":             {nested("NOT ", "", 15000), "nested deeper"},
		"long path":                {"Anything" + strings.Repeat(".Anything", 2000) + " = 1", "terms"},
		"calls in calls":           {strings.Repeat("UpperCase(", 5000), "nested deeper"},
		"quantified in quantified": {strings.Repeat("ANY a IN Tags SATISFIES (", 2000), "nested deeper"},
		"pattern":                  {"Caption LIKE '" + strings.Repeat("a", MaxPattern) + "'", ""},
		"too much pattern":         {"Caption LIKE '" + strings.Repeat("a", MaxPattern) + "' OR Caption LIKE 'a'", "more than 16384 bytes"},
		"text":                     {"ElementName = '" + strings.Repeat("x", MaxText-100) + "'", ""},
		"too much text":            {"ElementName = '" + strings.Repeat("x", MaxText) + "'", "at most 65536"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(config(t), cim.Query{Language: cim.LanguageCQL, Text: "SELECT * FROM T_Volume WHERE " + c.where})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.Equal(t, cim.StatusInvalidQuery, cim.StatusOf(err))
			require.Less(t, len(err.Error()), 400)
		})
	}
	_, err := Compile(config(t), cim.Query{Language: "WQL", Text: "SELECT " + strings.Repeat("Blocks,", MaxTerms) + "Blocks FROM T_Volume"})
	require.ErrorContains(t, err, "terms")
}

func TestTimeIsAskedOncePerInstance(t *testing.T) {
	asked := 0
	c := config(t)
	c.Time = func() time.Time { asked++; return noon() }
	_, of := sample(t)
	s, err := Compile(c, cim.Query{Language: "CQL", Text: "SELECT * FROM T_Volume WHERE Made <= CurrentDateTime() AND CurrentDateTime() >= Made"})
	require.NoError(t, err)
	require.Zero(t, asked)
	require.True(t, s.Match(of["a"]))
	require.Equal(t, 1, asked)
	require.False(t, s.Match(of["p"]), "of another class")
	require.Equal(t, 1, asked)

	c.Time = nil
	_, err = Compile(c, cim.Query{Language: "CQL", Text: "SELECT * FROM T_Volume WHERE Made = CurrentDateTime()"})
	require.ErrorContains(t, err, "no clock")
}

func TestNeverMatchesOtherClasses(t *testing.T) {
	_, of := sample(t)
	s := compile(t, "WQL", "SELECT * FROM T_Disk")
	require.True(t, s.Match(of["d"]))
	require.False(t, s.Match(of["a"]), "a superclass")
	require.False(t, s.Match(of["p"]))
}

// shown lists what an instance shows, with what its embedded instances show.
func shown(in *cim.Instance) string {
	var names []string
	for i, p := range in.Class.Properties {
		if in.Hidden(i) {
			continue
		}
		name := p.Name
		if inner, ok := in.At(i).(*cim.Instance); ok {
			name += "(" + shown(inner) + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func TestProject(t *testing.T) {
	_, of := sample(t)
	for text, want := range map[string]string{
		"WQL SELECT deviceid, BLOCKS FROM T_Volume":                                    "DeviceID Blocks",
		"WQL SELECT DeviceID, DeviceID FROM T_Element":                                 "",
		"WQL SELECT Caption FROM T_Element":                                            "Caption",
		"WQL SELECT __PATH FROM T_Volume":                                              "",
		"WQL SELECT Plan.Step FROM T_Volume":                                           "Plan(Step)",
		"WQL SELECT Plan.Step, Plan.Inner.Depth, Tags FROM T_Volume":                   "Tags Plan(Step Inner(Depth))",
		"WQL SELECT Plan.Step, Plan FROM T_Volume":                                     "Plan(Text Step Inner(Text Step Inner Depth))",
		"CQL SELECT Plan.Inner.*, Plan.Text FROM T_Volume":                             "Plan(Text Inner(Text Step Inner Depth))",
		"CQL SELECT Plan.T_Deep::Depth FROM T_Volume":                                  "Plan()",
		"CQL SELECT Plan.Inner.T_Deep::Depth, Plan.Inner.T_Pool::Number FROM T_Volume": "Plan(Inner(Depth))",
		"CQL SELECT T_Disk::Speed, Blocks FROM T_Volume":                               "Blocks",
		"CQL SELECT v.Blocks FROM T_Volume v":                                          "Blocks",
	} {
		language, text, _ := strings.Cut(text, " ")
		s, err := Compile(config(t), cim.Query{Language: language, Text: text})
		if want == "" && err != nil {
			require.ErrorContains(t, err, "no property", text)
			continue
		}
		require.NoError(t, err, text)
		before := shown(of["a"])
		out := s.Project(of["a"])
		require.Equal(t, want, shown(out), text)
		require.Same(t, of["a"].Path, out.Path, "the path stays")
		require.Equal(t, before, shown(of["a"]), "the instance is not changed")
		require.Equal(t, of["a"].Get("Blocks"), out.Get("Blocks"))
	}
	disk := compile(t, "CQL", "SELECT T_Disk::Speed FROM T_Volume").Project(of["d"])
	require.Equal(t, "Speed", shown(disk))
	require.Same(t, of["d"], compile(t, "WQL", "SELECT * FROM T_Volume").Project(of["d"]))
	require.Same(t, of["d"], compile(t, "CQL", "SELECT Blocks, T_Volume.* FROM T_Volume").Project(of["d"]))
}

// What an instance hides already stays hidden.
func TestProjectKeepsHidden(t *testing.T) {
	_, of := sample(t)
	step := make([]bool, 20)
	step[of["a"].Class.Property("Blocks").Index] = true
	half := of["a"].Only(step)
	require.Equal(t, "Blocks", shown(compile(t, "WQL", "SELECT Blocks, DeviceID, Plan.Step FROM T_Volume").Project(half)))
}

// The places of properties, which compiled conditions use, are the same in all
// subclasses.
func TestSubclassesKeepPlaces(t *testing.T) {
	for _, c := range schema(t).Classes() {
		if c.Super == nil {
			continue
		}
		for i, p := range c.Super.Properties {
			require.Equal(t, p.Name, c.Properties[i].Name, c.Name)
		}
	}
}

func TestMatchFromManyGoroutines(t *testing.T) {
	_, of := sample(t)
	s := compile(t, "CQL", "SELECT DeviceID, Plan.Step FROM T_Volume WHERE ANY Tags LIKE 'r.*' AND Made < CurrentDateTime()")
	done := make(chan bool)
	for range 8 {
		go func() {
			ok := true
			for range 100 {
				ok = ok && s.Match(of["a"]) && !s.Match(of["b"]) && shown(s.Project(of["a"])) == "DeviceID Plan(Step)"
			}
			done <- ok
		}()
	}
	for range 8 {
		require.True(t, <-done)
	}
}
