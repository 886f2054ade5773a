package query

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// modelled is a condition as text, and what it says of an instance by the plainest
// means: nil is neither true nor false.
type modelled struct {
	text string
	says func(*cim.Instance) *bool
}

func saying(b bool) *bool { return &b }

// model makes random conditions.
type model struct {
	*rand.Rand
	cql bool
}

func (m *model) pick(of ...string) string { return of[m.IntN(len(of))] }

func (m *model) condition(depth int) modelled {
	if depth == 0 || m.IntN(4) == 0 {
		return m.predicate()
	}
	a, b := m.condition(depth-1), m.condition(depth-1)
	switch m.IntN(3) {
	case 0:
		return modelled{"NOT (" + a.text + ")", func(in *cim.Instance) *bool {
			if v := a.says(in); v != nil {
				return saying(!*v)
			}
			return nil
		}}
	case 1:
		return modelled{"(" + a.text + ") and (" + b.text + ")", func(in *cim.Instance) *bool { return decide(false, a.says(in), b.says(in)) }}
	}
	return modelled{"(" + a.text + ") OR (" + b.text + ")", func(in *cim.Instance) *bool { return decide(true, a.says(in), b.says(in)) }}
}

// decide is AND or OR by its truth table: one value settles it, whatever the other is.
func decide(settles bool, a, b *bool) *bool {
	switch {
	case a != nil && *a == settles, b != nil && *b == settles:
		return saying(settles)
	case a == nil || b == nil:
		return nil
	}
	return saying(!settles)
}

func (m *model) predicate() modelled {
	switch m.IntN(6) {
	case 0:
		return m.null()
	case 1:
		return m.like()
	case 2:
		return m.text()
	case 3:
		return m.moment()
	case 4:
		return m.truth()
	}
	return m.number()
}

func (m *model) null() modelled {
	name := m.pick("ElementName", "Blocks", "Delta", "Load", "Made", "Primordial", "Tags[0]", "Plan.Step")
	return modelled{name + " is null", func(in *cim.Instance) *bool { return saying(lookUp(in, name) == nil) }}
}

// lookUp finds a value by the few kinds of path that the model uses.
func lookUp(in *cim.Instance, name string) cim.Value {
	switch {
	case name == "Tags[0]":
		if tags, ok := in.Get("Tags").([]cim.Value); ok && len(tags) > 0 {
			return tags[0]
		}
		return nil
	case strings.HasPrefix(name, "Plan."):
		if plan, ok := in.Get("Plan").(*cim.Instance); ok {
			return plan.Get(name[5:])
		}
		return nil
	}
	return in.Get(name)
}

// compared is a comparison of a property with a literal, of which order tells, for a
// value that is not NULL.
func (m *model) compared(name, lit string, order func(cim.Value) int, ops ...string) modelled {
	op := m.pick(ops...)
	return modelled{name + " " + op + " " + lit, func(in *cim.Instance) *bool {
		v := lookUp(in, name)
		if v == nil {
			return nil
		}
		return saying(listed(op, order(v)))
	}}
}

// listed says whether an operator holds of an order.
func listed(op string, order int) bool {
	for _, s := range strings.Fields(map[int]string{-1: "< <= <>", 0: "= <= >=", 1: "> >= <>"}[order]) {
		if s == op {
			return true
		}
	}
	return false
}

var allOperators = []string{"=", "<>", "<", "<=", ">", ">="}

func (m *model) number() modelled {
	name := m.pick("Blocks", "Delta", "Load", "Plan.Step")
	lit := m.pick("0", "1", "2", "0x3", "100")
	if name == "Load" {
		lit = m.pick("0.5", "-1.5", "1e2", "2")
	} else if name == "Delta" {
		lit = m.pick("-1", "-100", "2")
	}
	want, _, err := big.ParseFloat(lit, 0, 200, big.ToNearestEven)
	if err != nil {
		panic(err)
	}
	return m.compared(name, lit, func(v cim.Value) int {
		have, _, err := big.ParseFloat(cim.FormatText(v), 10, 200, big.ToNearestEven)
		if err != nil {
			panic(err)
		}
		return have.Cmp(want)
	}, allOperators...)
}

func (m *model) text() modelled {
	name, lit := m.pick("ElementName", "Tags[0]", "Plan.Text"), m.pick("a", "B", "ab", "AB", "")
	return m.compared(name, "'"+lit+"'", func(v cim.Value) int {
		have, want := v.(string), lit
		if !m.cql {
			have, want = strings.ToUpper(have), strings.ToUpper(want)
		}
		return strings.Compare(have, want)
	}, allOperators...)
}

func (m *model) moment() modelled {
	at := noon().Add(time.Duration(m.IntN(3)-1) * time.Hour)
	return m.compared("Made", "'"+at.Format("20060102150405.000000")+"+000'", func(v cim.Value) int {
		return v.(cim.DateTime).Time.Compare(at)
	}, allOperators...)
}

func (m *model) truth() modelled {
	lit := m.pick("TRUE", "false")
	return m.compared("Primordial", lit, func(v cim.Value) int {
		if v.(bool) == strings.EqualFold(lit, "true") {
			return 0
		}
		return 1
	}, "=", "<>")
}

func (m *model) like() modelled {
	pattern := ""
	for range m.IntN(5) {
		pattern += m.pick("%", "_", "a", "B", "[ab]", "[^a]")
	}
	text := pattern
	if m.cql {
		text = strings.NewReplacer("%", ".*", "_", ".").Replace(pattern)
	}
	return modelled{"ElementName LIKE '" + text + "'", func(in *cim.Instance) *bool {
		s, ok := in.Get("ElementName").(string)
		if !ok {
			return nil
		}
		if m.cql {
			return saying(naiveLike(pattern, s))
		}
		return saying(naiveLike(strings.ToUpper(pattern), strings.ToUpper(s)))
	}}
}

// naiveLike tries everything.
func naiveLike(p, s string) bool {
	switch {
	case p == "":
		return s == ""
	case p[0] == '%':
		return naiveLike(p[1:], s) || s != "" && naiveLike(p, s[1:])
	case s == "":
		return false
	case p[0] == '[':
		end := strings.IndexByte(p, ']')
		set, except := strings.CutPrefix(p[1:end], "^")
		return strings.Contains(set, s[:1]) != except && naiveLike(p[end+1:], s[1:])
	}
	return (p[0] == '_' || p[0] == s[0]) && naiveLike(p[1:], s[1:])
}

func (m *model) instance(mk maker) *cim.Instance {
	v := values{"CreationClassName": "T_Volume", "DeviceID": "x"}
	maybe := func(name string, value cim.Value) {
		if m.IntN(4) > 0 {
			v[name] = value
		}
	}
	plan := mk.instance("T_Plan", values{"Text": m.pick("a", "AB"), "Step": m.IntN(3)})
	maybe("ElementName", m.pick("", "a", "A", "b", "ab", "AB", "ba", "aab", "bab"))
	maybe("Blocks", uint64(m.IntN(4)))
	maybe("Delta", m.IntN(4)-2)
	maybe("Load", []float64{0.5, -1.5, 100, 2, 3}[m.IntN(5)])
	maybe("Made", noon().Add(time.Duration(m.IntN(3)-1)*time.Hour))
	maybe("Primordial", m.IntN(2) == 0)
	maybe("Tags", [][]string{{}, {"a"}, {"AB", "x"}}[m.IntN(3)])
	maybe("Plan", plan)
	return mk.instance("T_Volume", v)
}

// shownValues is an instance, for whoever has to find out what is wrong.
func shownValues(in *cim.Instance) (out []string) {
	for i, p := range in.Class.Properties {
		out = append(out, fmt.Sprintf("%s=%v", p.Name, cim.FormatText(in.At(i))))
	}
	return out
}

// Random conditions in both languages say of random instances what the model says.
func TestAgainstModel(t *testing.T) {
	const rounds, instances = 600, 30
	mk := maker{t, schema(t)}
	for _, language := range []string{cim.LanguageWQL, cim.LanguageCQL} {
		m := &model{rand.New(rand.NewPCG(7, 11)), language == cim.LanguageCQL}
		pool := make([]*cim.Instance, instances)
		for i := range pool {
			pool[i] = m.instance(mk)
		}
		matched := 0
		for range rounds {
			c := m.condition(4)
			s, err := Compile(config(t), cim.Query{Language: language, Text: "SELECT * FROM T_Volume WHERE " + c.text})
			require.NoError(t, err, c.text)
			for _, in := range pool {
				want := c.says(in)
				if want != nil && *want {
					matched++
				}
				if s.Match(in) != (want != nil && *want) {
					require.Fail(t, "not as the model says", "%s: %s\n%v", language, c.text, shownValues(in))
				}
			}
		}
		require.Greater(t, matched, rounds, "nearly nothing matched")
	}
}
