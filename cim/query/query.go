// Package query compiles select statements of WQL, the query language of Windows
// (MS-WMI section 2.2.1), and of CQL (DSP0202 1.0) into filters over instances.
// Everything in a statement is checked against the schema when it is compiled; what
// is not served is refused by its name and place, never left out.
package query

import (
	"strings"
	"time"

	"twinlun/cim"
)

// Limits of a statement. What goes beyond is StatusInvalidQuery.
const (
	MaxText  = 64 << 10 // bytes of text
	MaxTerms = 1000     // names of properties, counting each in a.b.c, and arguments
	MaxDepth = 64       // parentheses and NOT inside one another
	// MaxPattern is in bytes of the patterns of LIKE, all together: a match may take
	// time in proportion to them multiplied with the text.
	MaxPattern = 16 << 10
)

// Config is what statements are compiled with.
type Config struct {
	Schema *cim.Schema
	// Time is what CurrentDateTime() asks, once for each instance. Where it is nil
	// a statement with CurrentDateTime() is refused.
	Time func() time.Time
}

// Select is a compiled select statement. It is a cim.Filter: not changed any more,
// and for any number of goroutines.
type Select struct {
	class  *cim.Class
	list   *selection // nil: *
	where  test       // nil: all
	facts  alternatives
	time   func() time.Time // nil: not asked for
	schema *cim.Schema
}

// Compile checks a statement against the schema. StatusQueryLanguageNotSupported
// for languages other than WQL and CQL. StatusInvalidClass for a class after FROM
// that is not there, as Windows has it. All else is StatusInvalidQuery. Both wrap
// an *Error with the place.
func Compile(c Config, q cim.Query) (*Select, error) {
	d, err := dialectOf(q.Language)
	if err != nil {
		return nil, err
	}
	p := newParser(d, q.Text)
	stmt := p.statement()
	if p.err != nil {
		return nil, p.err
	}
	k := &compiler{Config: c, dialect: d, faults: p.faults, from: stmt.class.text, alias: stmt.alias}
	s := k.statement(stmt)
	if k.err != nil {
		return nil, k.err
	}
	return s, nil
}

// Class is the class that the statement selects from.
func (s *Select) Class() *cim.Class { return s.class }

// Match says whether the statement selects an instance. What is neither true nor
// false, because something in it is NULL, does not match.
func (s *Select) Match(in *cim.Instance) bool {
	if !derives(in.Class, s.class) {
		return false
	}
	if s.where == nil {
		return true
	}
	r := row{in: in}
	if s.time != nil {
		r.now = s.time()
	}
	return s.where(r) == yes
}

// Project is the instance with what the select list names. Keys are shown where
// they are named, as Windows has it; the path stays in any case.
func (s *Select) Project(in *cim.Instance) *cim.Instance {
	if s.list == nil {
		return in
	}
	return s.list.show(in)
}

// derives says whether a class is another one or below it, of the same schema.
func derives(c, from *cim.Class) bool {
	for ; c != nil; c = c.Super {
		if c == from {
			return true
		}
	}
	return false
}

// dialect is what tells the languages apart.
type dialect struct {
	name string
	cql  bool
}

// dialectOf finds a language by its name, regardless of case. "CIM:CQL" is how
// DSP0202 before 1.0 named CQL, and SMI-S still does.
func dialectOf(language string) (dialect, error) {
	switch {
	case strings.EqualFold(language, cim.LanguageWQL):
		return dialect{name: "WQL"}, nil
	case strings.EqualFold(language, cim.LanguageCQL), strings.EqualFold(language, "CIM:CQL"), strings.EqualFold(language, "CQL"):
		return dialect{name: "CQL", cql: true}, nil
	}
	return dialect{}, cim.Errorf(cim.StatusQueryLanguageNotSupported, "the query language %.100q is not served: WQL and DMTF:CQL are", language)
}

// fold says whether texts are compared regardless of case.
func (d dialect) fold() bool { return !d.cql }
