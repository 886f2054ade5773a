package query

import (
	"strings"
	"unicode"

	"twinlun/cim"
)

// maxAlternatives is how many sets of keys a statement is followed into.
const maxAlternatives = 128

// fact is a property that a condition says to be equal to a value.
type fact struct {
	name  string
	value cim.Value
	exact bool // an instance has just this value, not one that only compares as equal
}

// alternatives are sets of facts of which one holds wherever the condition is true;
// nil where nothing is known.
type alternatives [][]fact

// KeySet is values of keys that all instances have which a statement can select,
// but for those of its other KeySets.
type KeySet struct {
	// Keys are declared names in the order of the class, with coerced values: some
	// of the keys of the class, or all.
	Keys []cim.Key
	// Exact says that a selected instance has these values. Otherwise it may have
	// others that compare as equal: texts in another case, references in other words.
	Exact bool
}

// Keys tells which keys of a class, that the statement selects from or one below
// it, are fixed. ok is false where the statement may select an instance whatever its
// keys are. It is for finding candidates: Match decides.
func (s *Select) Keys(class *cim.Class) (sets []KeySet, ok bool) {
	for _, facts := range s.facts {
		set := KeySet{Exact: true}
		for _, k := range class.Keys {
			f := find(facts, k.Name)
			if f == nil {
				continue
			}
			v, err := cim.Coerce(s.canonical(k, f), k.Type, false, false)
			if err != nil {
				return nil, false
			}
			set.Keys = append(set.Keys, cim.Key{Name: k.Name, Value: v})
			set.Exact = set.Exact && f.exact
		}
		if len(set.Keys) == 0 {
			return nil, false
		}
		sets = append(sets, set)
	}
	return sets, s.facts != nil
}

// canonical writes the name of a class as the schema does, which is how instances
// are most likely to have it in their keys.
func (s *Select) canonical(k *cim.Property, f *fact) cim.Value {
	if text, ok := f.value.(string); ok && !f.exact && strings.HasSuffix(k.Name, "CreationClassName") {
		if c := s.schema.Class(text); c != nil {
			return c.Name
		}
	}
	return f.value
}

func find(facts []fact, name string) *fact {
	for i := range facts {
		if sameName(facts[i].name, name) {
			return &facts[i]
		}
	}
	return nil
}

// keyNames are the keys of a class and of all below it, in lower case.
func keyNames(s *cim.Schema, class *cim.Class) map[string]bool {
	names := map[string]bool{}
	for _, c := range s.Classes() {
		if !derives(c, class) {
			continue
		}
		for _, k := range c.Keys {
			names[strings.ToLower(k.Name)] = true
		}
	}
	return names
}

// fact is what a comparison with a constant says.
func (c *compiler) fact(op operator, a *source, v cim.Value) alternatives {
	if op != equal || a.root == nil || !c.keys[strings.ToLower(a.root.Name)] {
		return nil
	}
	return alternatives{{{name: a.root.Name, value: v, exact: c.exact(v)}}}
}

func (c *compiler) exact(v cim.Value) bool {
	switch x := v.(type) {
	case string:
		return !c.fold() || strings.IndexFunc(x, unicode.IsLetter) < 0
	case *cim.Path:
		return false
	}
	return true
}

// both is what terms with AND between them say. Where that would be too much it is
// what some of them say.
func both(terms []alternatives) alternatives {
	var out alternatives
	for _, t := range terms {
		switch {
		case t == nil:
		case out == nil:
			out = t
		case len(out)*len(t) <= maxAlternatives:
			out = product(out, t)
		}
	}
	return out
}

func product(a, b alternatives) alternatives {
	var out alternatives
	for _, x := range a {
		for _, y := range b {
			out = append(out, merge(x, y))
		}
	}
	return out
}

// merge joins facts. Of two about one property the first stays: whatever the other
// says, both must hold.
func merge(a, b []fact) []fact {
	out := a[:len(a):len(a)]
	for _, f := range b {
		if find(out, f.name) == nil {
			out = append(out, f)
		}
	}
	return out
}

// either is what terms with OR between them say: nothing, where one says nothing.
func either(terms []alternatives) alternatives {
	var out alternatives
	for _, t := range terms {
		if out = append(out, t...); t == nil || len(out) > maxAlternatives {
			return nil
		}
	}
	return out
}
