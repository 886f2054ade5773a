package xpath

import (
	"strings"
	"unicode/utf8"
)

// function is a function of XPath 1.0 (section 4). Where it has no argument and
// could have one, the context node is it.
type function struct {
	least, most int // arguments
	nodes       bool
	apply       func(c context, args []any) any
}

// call is a function with its arguments.
type call struct {
	function function
	args     []term
}

func (c *call) eval(at context) any {
	args := make([]any, len(c.args), len(c.args)+1)
	for i, a := range c.args {
		args[i] = a.eval(at)
	}
	if len(args) == 0 && c.function.most > 0 {
		args = append(args, nodes{at.node})
	}
	return c.function.apply(at, args)
}

// functions lists those that are understood.
func functions() map[string]function {
	return map[string]function{
		"position":      {0, 0, false, func(c context, _ []any) any { return float64(c.position) }},
		"last":          {0, 0, false, func(c context, _ []any) any { return float64(c.size) }},
		"true":          {0, 0, false, func(context, []any) any { return true }},
		"false":         {0, 0, false, func(context, []any) any { return false }},
		"not":           {1, 1, false, func(_ context, a []any) any { return !truth(a[0]) }},
		"boolean":       {1, 1, false, func(_ context, a []any) any { return truth(a[0]) }},
		"count":         {1, 1, true, func(_ context, a []any) any { return float64(len(set(a[0]))) }},
		"name":          {0, 1, true, func(_ context, a []any) any { return nameOf(set(a[0]), true) }},
		"local-name":    {0, 1, true, func(_ context, a []any) any { return nameOf(set(a[0]), false) }},
		"string":        {0, 1, false, func(_ context, a []any) any { return stringOf(a[0]) }},
		"number":        {0, 1, false, func(_ context, a []any) any { return numberOf(a[0]) }},
		"string-length": {0, 1, false, func(_ context, a []any) any { return float64(utf8.RuneCountInString(stringOf(a[0]))) }},
		"normalize-space": {0, 1, false, func(_ context, a []any) any {
			return strings.Join(strings.Fields(stringOf(a[0])), " ")
		}},
		"contains":    {2, 2, false, func(_ context, a []any) any { return strings.Contains(stringOf(a[0]), stringOf(a[1])) }},
		"starts-with": {2, 2, false, func(_ context, a []any) any { return strings.HasPrefix(stringOf(a[0]), stringOf(a[1])) }},
	}
}

func set(v any) nodes {
	s, _ := v.(nodes)
	return s
}

// nameOf is the name of the first element of a set.
func nameOf(s nodes, full bool) string {
	if len(s) == 0 || s[0].kind != element {
		return ""
	}
	if full {
		return s[0].element.FullTag()
	}
	return s[0].element.Tag
}
