package query

import (
	"math"
	"strings"
	"time"

	"twinlun/cim"
)

// operand compiles a value. peer is what it is compared with, or nil.
func (c *compiler) operand(n operand, peer *source) *source {
	switch x := n.(type) {
	case *path:
		return c.path(x)
	case *literal:
		return constantSource(x.at(), x.value)
	case *symbol:
		return c.symbol(x, peer)
	case *call:
		return c.call(x)
	case *sum:
		return c.sum(x)
	}
	return nil
}

func constantSource(off int, v cim.Value) *source {
	return &source{where: where(off), name: clip(cim.FormatText(v)), constant: true, get: func(row) cim.Value { return v }}
}

// symbol finds a value by its name in ValueMap and Values (DSP0004 section 5.6.3).
func (c *compiler) symbol(n *symbol, peer *source) *source {
	if n.property != nil {
		peer = c.declaring(n.property)
	}
	switch {
	case c.err != nil:
		return nil
	case peer == nil || peer.prop == nil:
		c.fail(n.at(), "whose value is #'%s'? Write Class.Property#'%s'", clip(n.name.text), clip(n.name.text))
		return nil
	}
	text, ok := valueNamed(peer.prop.Qualifiers, n.name.text)
	v, err := cim.ParseText(peer.prop.Type, text)
	if !ok || err != nil {
		c.fail(n.name.off, "property %s has no value named %q", peer.prop.Name, clip(n.name.text))
		return nil
	}
	return constantSource(n.at(), v)
}

// declaring is the property before # in a symbol: of any class that is named, or one
// that a path of the statement leads to.
func (c *compiler) declaring(p *path) *source {
	last := p.parts[len(p.parts)-1]
	class := c.Schema.Class(last.class)
	if len(p.parts) == 2 && last.class == "" {
		class = c.Schema.Class(p.parts[0].name)
	}
	if class == nil {
		return c.path(p)
	}
	return c.property(&source{}, class, last)
}

// valueNamed is the entry of ValueMap beside a name in Values; without ValueMap it
// is the place of the name.
func valueNamed(qs cim.Qualifiers, name string) (text string, ok bool) {
	names, _ := qs.Get("Values")
	values, mapped := qs.Get("ValueMap")
	list, _ := names.Value.([]cim.Value)
	at, _ := values.Value.([]cim.Value)
	for i, n := range list {
		switch {
		case n != name:
		case !mapped:
			return cim.FormatText(uint64(i)), true
		case i < len(at):
			return cim.FormatText(at[i]), true
		}
	}
	return "", false
}

// call compiles a function of DSP0202 section 5.3.
func (c *compiler) call(n *call) *source {
	switch name := strings.ToUpper(n.function); {
	case name == "CURRENTDATETIME" && len(n.args) == 0:
		return c.currentTime(n)
	case name == "DATETIME" && len(n.args) == 1:
		return c.textConstant(n, cim.Datetime)
	case name == "OBJECTPATH" && len(n.args) <= 1:
		return c.objectPath(n)
	case (name == "UPPERCASE" || name == "LOWERCASE") && len(n.args) == 1:
		return c.changeCase(n, name == "UPPERCASE")
	}
	c.fail(n.at(), "the function %s is not served with %d arguments", clip(n.function), len(n.args))
	return nil
}

func (c *compiler) currentTime(n *call) *source {
	if c.Time == nil {
		c.fail(n.at(), "%s is not served here: there is no clock", n.function)
		return nil
	}
	c.clock = true
	return &source{where: n.where, name: n.function + "()", typ: cim.Datetime, get: func(r row) cim.Value { return cim.TimeValue(r.now) }}
}

// textConstant is a function of one text, which it reads as a type.
func (c *compiler) textConstant(n *call, t cim.Type) *source {
	lit, _ := n.args[0].(*literal)
	if lit == nil {
		c.fail(n.at(), "%s wants a string", n.function)
		return nil
	}
	s, ok := lit.value.(string)
	if !ok {
		c.fail(lit.at(), "%s wants a string", n.function)
		return nil
	}
	v, err := c.convert(t, s)
	if err != nil {
		c.fail(lit.at(), "%s", err)
		return nil
	}
	out := constantSource(n.at(), v)
	out.typ = t
	return out
}

// objectPath is a path that is written, or that of an instance.
func (c *compiler) objectPath(n *call) *source {
	if len(n.args) == 1 {
		if _, written := n.args[0].(*literal); written {
			return c.textConstant(n, cim.Reference)
		}
	}
	of := &source{any: true, get: func(r row) cim.Value { return r.in }}
	if len(n.args) == 1 {
		if of = c.operand(n.args[0], nil); c.err != nil {
			return nil
		}
	}
	if !of.embedded() && !of.open {
		c.fail(n.at(), "%s wants an instance or a string", n.function)
		return nil
	}
	return &source{where: n.where, name: n.function, typ: cim.Reference, get: func(r row) cim.Value {
		if in, ok := of.get(r).(*cim.Instance); ok && in != nil && in.Path != nil {
			return in.Path
		}
		return nil
	}}
}

func (c *compiler) changeCase(n *call, upper bool) *source {
	of := c.operand(n.args[0], nil)
	if c.err != nil {
		return nil
	}
	if of.constant || of.array || of.embedded() || !of.open && of.typ != cim.String {
		c.fail(n.at(), "%s wants a property that is a string", n.function)
		return nil
	}
	change := strings.ToLower
	if upper {
		change = strings.ToUpper
	}
	return &source{where: n.where, name: n.function, typ: cim.String, get: func(r row) cim.Value {
		if s, ok := of.get(r).(string); ok {
			return change(s)
		}
		return nil
	}}
}

// sum compiles a datetime with an interval added or taken away (DSP0202 section
// 5.2.4), or the interval between two.
func (c *compiler) sum(n *sum) *source {
	left, right := c.operand(n.left, nil), c.operand(n.right, nil)
	if c.err != nil {
		return nil
	}
	for _, s := range []*source{left, right} {
		if s.array || s.embedded() || !s.open && s.typ != cim.Datetime {
			c.fail(n.at(), "only datetimes are added and taken away, and %s is not one", s.name)
			return nil
		}
	}
	return &source{where: n.where, name: "the sum", typ: cim.Datetime, get: func(r row) cim.Value {
		a, ok := left.get(r).(cim.DateTime)
		b, both := right.get(r).(cim.DateTime)
		if !ok || !both {
			return nil
		}
		return addTimes(a, b, n.minus)
	}}
}

// addTimes is a with b added or taken away; NULL where that has no meaning or is
// beyond what a datetime holds.
func addTimes(a, b cim.DateTime, minus bool) cim.Value {
	switch {
	case minus && !a.IsInterval && !b.IsInterval:
		return positive(a.Time.Sub(b.Time))
	case minus && !b.IsInterval:
		return nil
	case !a.IsInterval && b.IsInterval && minus:
		return cim.TimeValue(a.Time.Add(-b.Interval))
	case !a.IsInterval && b.IsInterval:
		return cim.TimeValue(a.Time.Add(b.Interval))
	case !b.IsInterval && a.IsInterval:
		return cim.TimeValue(b.Time.Add(a.Interval))
	case minus:
		return positive(a.Interval - b.Interval)
	case a.Interval > math.MaxInt64-b.Interval || !a.IsInterval:
		return nil
	}
	return cim.IntervalValue(a.Interval + b.Interval)
}

func positive(d time.Duration) cim.Value {
	if d < 0 {
		return nil
	}
	return cim.IntervalValue(d)
}
