package query

import (
	"fmt"
	"math"

	"twinlun/cim"
)

// fit makes a constant one of a property's type, or says why it is none.
func (c *compiler) fit(to *source, v cim.Value, off int) (cim.Value, bool) {
	out, err := c.convert(to.typ, v)
	if err != nil {
		c.fail(off, "%s is %s: %s", to.name, to.kind(), err)
		return nil, false
	}
	return out, true
}

func (c *compiler) convert(t cim.Type, v cim.Value) (cim.Value, error) {
	s, isText := v.(string)
	switch {
	case t == cim.Reference && isText:
		return ParsePath(c.Schema, s)
	case t == cim.Datetime && isText:
		return cim.ParseText(t, s)
	case t == cim.Char16 && isText:
		return cim.ParseText(t, s)
	case t != cim.String && isText && !c.cql:
		return cim.ParseText(t, s) // as Windows does
	case t == cim.Boolean && !c.cql:
		return fromNumber(v)
	case t.Unsigned() || t.Signed():
		if v = wholeNumber(v); isReal(v) {
			return nil, fmt.Errorf("%s is no whole number of its range", cim.FormatText(v))
		}
	}
	return cim.Coerce(v, t, false, false)
}

// wholeNumber is a real without a fraction as an integer; anything else stays.
func wholeNumber(v cim.Value) cim.Value {
	f, ok := v.(float64)
	switch {
	case !ok || f != math.Trunc(f):
	case f >= 0 && f < 1<<64:
		return uint64(f)
	case f < 0 && f >= -1<<63:
		return int64(f)
	}
	return v
}

func isReal(v cim.Value) bool {
	_, ok := v.(float64)
	return ok
}

// fromNumber is a boolean as Windows also writes it: 1 and 0.
func fromNumber(v cim.Value) (cim.Value, error) {
	switch v {
	case uint64(0):
		return false, nil
	case uint64(1):
		return true, nil
	}
	if b, ok := v.(bool); ok {
		return b, nil
	}
	return nil, fmt.Errorf("want TRUE or FALSE, have %s", clip(cim.FormatText(v)))
}

// forms is a constant in the types that it can be compared as.
type forms struct {
	text, datetime, path, number, boolean cim.Value
}

// withForms compares a property of an instance of any class, whose type shows only
// when it is there, with a constant.
func (c *compiler) withForms(op operator, a *source, value cim.Value) test {
	f := c.formsOf(value)
	k := comparer{c.Schema, c.fold()}
	return func(r row) truth {
		v := a.get(r)
		return k.compare(op, v, f.like(v))
	}
}

func (c *compiler) formsOf(v cim.Value) forms {
	f := forms{text: v, datetime: v, path: v, number: v, boolean: v}
	s, ok := v.(string)
	if !ok {
		return f
	}
	f = forms{text: v}
	f.datetime, _ = cim.ParseText(cim.Datetime, s)
	if p, err := ParsePath(c.Schema, s); err == nil {
		f.path = p
	}
	if !c.cql {
		f.boolean, _ = cim.ParseText(cim.Boolean, s)
		f.number = numberIn(s)
	}
	return f
}

// numberIn is the number that a text is, nil for any other.
func numberIn(s string) cim.Value {
	for _, t := range []cim.Type{cim.Uint64, cim.Sint64, cim.Real64} {
		if v, err := cim.ParseText(t, s); err == nil {
			return v
		}
	}
	return nil
}

// like is the constant in the type of v; NULL where it has no such form.
func (f forms) like(v cim.Value) cim.Value {
	switch v.(type) {
	case string:
		return f.text
	case cim.DateTime:
		return f.datetime
	case *cim.Path:
		return f.path
	case uint64, int64, float64:
		return f.number
	case bool:
		return f.boolean
	}
	return nil
}
