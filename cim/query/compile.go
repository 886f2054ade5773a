package query

import (
	"strings"

	"twinlun/cim"
)

// compiler turns a statement into a Select. It keeps the first error.
type compiler struct {
	Config
	dialect
	*faults
	from, alias string
	class       *cim.Class // that is selected from
	keys        map[string]bool
	clock       bool    // the time is asked for
	patterns    int     // bytes in those of LIKE
	entry       *source // of the array that ANY or EVERY goes through
	entryName   string
	declared    map[string][]*cim.Property // by name, as they are looked for
}

func (c *compiler) statement(s *statement) *Select {
	if c.class = c.Schema.Class(s.class.text); c.class == nil {
		c.failAs(cim.StatusInvalidClass, s.class.off, "there is no class %s", clip(s.class.text))
		return nil
	}
	c.keys = keyNames(c.Schema, c.class)
	out := &Select{class: c.class, list: c.selection(s.list), schema: c.Schema}
	if s.where != nil {
		out.where, out.facts = c.condition(s.where)
	}
	if c.clock {
		out.time = c.Time
	}
	return out
}

// condition compiles a condition, and tells what it says of keys.
func (c *compiler) condition(n condition) (test, alternatives) {
	switch x := n.(type) {
	case *junction:
		return c.junction(x)
	case *negation:
		t, _ := c.condition(x.term)
		if c.err != nil {
			return nil, nil
		}
		return opposite(t), nil
	case *comparison:
		return c.comparison(x)
	case *likeness:
		return c.likeness(x), nil
	case *nullness:
		return c.nullness(x), nil
	case *kinship:
		return c.kinship(x), nil
	case *quantified:
		return c.quantified(x), nil
	}
	return nil, nil
}

func (c *compiler) junction(n *junction) (test, alternatives) {
	tests := make([]test, len(n.terms))
	facts := make([]alternatives, len(n.terms))
	for i, term := range n.terms {
		if tests[i], facts[i] = c.condition(term); c.err != nil {
			return nil, nil
		}
	}
	if n.and {
		return every(tests), both(facts)
	}
	return some(tests), either(facts)
}

func (c *compiler) likeness(n *likeness) test {
	v := c.operand(n.value, nil)
	match := c.pattern(n.pattern)
	switch {
	case c.err != nil:
		return nil
	case v.constant:
		c.fail(v.at(), "LIKE wants a property before it")
	case v.array:
		c.fail(v.at(), "%s", arrayHint(v))
	case v.embedded() || !v.open && v.typ != cim.String:
		c.fail(v.at(), "LIKE wants a string, and %s is %s", v.name, v.kind())
	}
	return func(r row) truth {
		s, ok := v.get(r).(string)
		if !ok {
			return unknown
		}
		return truthOf(match(s))
	}
}

// pattern compiles the pattern of LIKE.
func (c *compiler) pattern(t token) func(string) bool {
	if c.patterns += len(t.text); c.patterns > MaxPattern {
		c.fail(t.off, "the patterns of LIKE have more than %d bytes", MaxPattern)
		return nil
	}
	compile := wildcard
	if c.cql {
		compile = expression
	}
	match, err := compile(t.text)
	if err != nil {
		c.fail(t.off, "the pattern of LIKE: %s", err)
	}
	return match
}

func (c *compiler) nullness(n *nullness) test {
	v := c.operand(n.value, nil)
	if c.err == nil && v.constant {
		c.fail(v.at(), "IS NULL wants a property before it")
	}
	return isNull(v)
}

func isNull(v *source) test {
	return func(r row) truth { return truthOf(v.get(r) == nil) }
}

func (c *compiler) kinship(n *kinship) test {
	v := c.path(n.value)
	class := c.Schema.Class(n.class.text)
	switch {
	case c.err != nil:
		return nil
	case class == nil:
		c.fail(n.class.off, "there is no class %s", clip(n.class.text))
	case v.array:
		c.fail(v.at(), "%s", arrayHint(v))
	case !v.open && !v.embedded() && v.typ != cim.Reference:
		c.fail(v.at(), "ISA is said of instances and references, and %s is %s", v.name, v.kind())
	}
	return func(r row) truth {
		switch x := v.get(r).(type) {
		case *cim.Instance:
			return truthOf(derives(x.Class, class))
		case *cim.Path:
			return truthOf(derives(c.Schema.Class(x.Class), class))
		}
		return unknown
	}
}

func (c *compiler) quantified(n *quantified) test {
	array := c.path(n.array)
	switch {
	case c.err != nil:
		return nil
	case c.entry != nil:
		c.fail(n.at(), "ANY and EVERY inside one another are not served")
		return nil
	case !array.array && !array.open:
		c.fail(array.at(), "ANY and EVERY want an array, and %s is %s", array.name, array.kind())
	}
	entry := *array
	entry.array, entry.root = false, nil
	entry.get = func(r row) cim.Value { return r.entry }
	c.entry, c.entryName = &entry, n.name
	term, _ := c.condition(n.term)
	c.entry, c.entryName = nil, ""
	return eachEntry(array, term, n.every)
}

func eachEntry(array *source, term test, every bool) test {
	return func(r row) truth {
		list, ok := array.get(r).([]cim.Value)
		if !ok {
			return unknown
		}
		result := truthOf(every)
		for _, r.entry = range list {
			if every {
				result = min(result, term(r))
			} else {
				result = max(result, term(r))
			}
		}
		return result
	}
}

// arrayHint says what to do with an array.
func arrayHint(v *source) string {
	return v.name + " is an array: say which entry is meant, as in " + v.name + "[0], or in CQL ANY " + v.name + " = ..."
}

// sameName compares names of classes and properties.
func sameName(a, b string) bool { return strings.EqualFold(a, b) }
