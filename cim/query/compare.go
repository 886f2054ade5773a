package query

import (
	"cmp"
	"math"

	"twinlun/cim"
)

// comparison compiles an operator between a property and a constant, or between
// two properties.
func (c *compiler) comparison(n *comparison) (test, alternatives) {
	a, b, op := c.sides(n)
	switch {
	case c.err != nil:
		return nil, nil
	case a.constant && b.constant:
		c.fail(n.at(), "a comparison wants a property on one side")
		return nil, nil
	case a.constant:
		a, b, op = b, a, op.flipped()
	}
	if !c.comparable(op, a) || !b.constant && !c.comparable(op, b) {
		return nil, nil
	}
	if !b.constant {
		return c.withSource(n, op, a, b), nil
	}
	return c.withConstant(op, a, b)
}

// sides compiles both operands. The name of a value alone is one of the property
// on the other side.
func (c *compiler) sides(n *comparison) (a, b *source, op operator) {
	if s, ok := n.left.(*symbol); ok && s.property == nil {
		b = c.operand(n.right, nil)
		return c.operand(n.left, b), b, n.op
	}
	a = c.operand(n.left, nil)
	return a, c.operand(n.right, a), n.op
}

// comparable refuses what has no order, or is not one value.
func (c *compiler) comparable(op operator, v *source) bool {
	switch {
	case v.embedded():
		c.fail(v.at(), "%s is an instance: compare its properties, or say ISA or IS NULL", v.name)
	case op.ordering() && v.array:
		c.fail(v.at(), "%s", arrayHint(v))
	case op.ordering() && !v.open && (v.typ == cim.Boolean || v.typ == cim.Reference):
		c.fail(v.at(), "%s is %s, which can only be compared with = and <>", v.name, v.kind())
	}
	return c.err == nil
}

func (c *compiler) withConstant(op operator, a, b *source) (test, alternatives) {
	value := b.get(row{})
	switch {
	case value == nil:
		return c.withNull(op, a, b), nil
	case a.array:
		c.fail(a.at(), "%s", arrayHint(a))
		return nil, nil
	case a.open:
		return c.withForms(op, a, value), nil
	}
	value, ok := c.fit(a, value, b.at())
	if !ok {
		return nil, nil
	}
	k := comparer{c.Schema, c.fold()}
	t := func(r row) truth { return k.compare(op, a.get(r), value) }
	if s, isText := value.(string); isText && op == equal && a.typ == cim.String {
		t = k.sameText(a.get, s)
	}
	return t, c.fact(op, a, value)
}

// withNull is a comparison with NULL, which Windows takes as IS NULL. In CQL it
// would never be true.
func (c *compiler) withNull(op operator, a, b *source) test {
	switch {
	case c.cql || op.ordering():
		c.fail(b.at(), "nothing compares with NULL: write IS NULL or IS NOT NULL")
		return nil
	case op == unequal:
		return opposite(isNull(a))
	}
	return isNull(a)
}

func (c *compiler) withSource(n *comparison, op operator, a, b *source) test {
	switch {
	case a.array && b.single():
		c.fail(a.at(), "%s", arrayHint(a))
		return nil
	case b.array && a.single():
		c.fail(b.at(), "%s", arrayHint(b))
		return nil
	case a.open || b.open:
	case family(a.typ) != family(b.typ):
		c.fail(n.at(), "%s is %s and %s is %s: they cannot be compared", a.name, a.kind(), b.name, b.kind())
		return nil
	}
	k := comparer{c.Schema, c.fold()}
	return func(r row) truth { return k.compare(op, a.get(r), b.get(r)) }
}

// family is one type for all that can be compared with one another.
func family(t cim.Type) cim.Type {
	if t.Unsigned() || t.Signed() || t.Real() {
		return cim.Real64
	}
	return t
}

// comparer compares values as a language does.
type comparer struct {
	schema *cim.Schema
	fold   bool // texts regardless of case
}

// compare is what an operator says of two values; unknown where one is NULL or
// they are of kinds that do not compare.
func (k comparer) compare(op operator, a, b cim.Value) truth {
	order, rel := k.order(a, b)
	if rel == unrelated || rel == sameness && op.ordering() {
		return unknown
	}
	return truthOf(op.holds(order))
}

// sameText is equality with a text.
func (k comparer) sameText(get func(row) cim.Value, want string) test {
	return func(r row) truth {
		s, ok := get(r).(string)
		switch {
		case !ok:
			return unknown
		case s == want:
			return yes
		case !k.fold:
			return no
		}
		return truthOf(sameFold(s, want))
	}
}

// relation is what can be said of two values.
type relation uint8

const (
	unrelated relation = iota
	sameness           // whether they are the same
	ordered            // also which is less
)

func (k comparer) order(a, b cim.Value) (int, relation) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return k.orderText(x, y), ordered
		}
	case bool:
		if y, ok := b.(bool); ok {
			return same(x == y), sameness
		}
	case uint64, int64, float64:
		return orderNumbers(x, b)
	case cim.DateTime:
		if y, ok := b.(cim.DateTime); ok && x.IsInterval == y.IsInterval {
			return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(x.Interval, y.Interval)), ordered
		}
	case *cim.Path:
		if y, ok := b.(*cim.Path); ok {
			return same(k.samePath(x, y)), sameness
		}
	case []cim.Value:
		if y, ok := b.([]cim.Value); ok {
			return same(k.sameLists(x, y)), sameness
		}
	}
	return 0, unrelated
}

// same is an order that only tells what is the same from what is not.
func same(b bool) int {
	if b {
		return 0
	}
	return 1
}

func (k comparer) orderText(a, b string) int {
	if k.fold {
		return orderFold(a, b)
	}
	return cmp.Compare(a, b)
}

// sameLists says whether arrays have the same entries in the same order.
func (k comparer) sameLists(a, b []cim.Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] == nil && b[i] == nil {
			continue
		}
		if order, rel := k.order(a[i], b[i]); rel == unrelated || order != 0 {
			return false
		}
	}
	return true
}

// orderNumbers compares numbers of any kinds by what they are worth, without
// rounding.
func orderNumbers(a, b cim.Value) (int, relation) {
	x, aReal := a.(float64)
	y, bReal := b.(float64)
	switch {
	case aReal && math.IsNaN(x), bReal && math.IsNaN(y):
		return 0, unrelated
	case aReal && bReal:
		return cmp.Compare(x, y), ordered
	case aReal:
		order, rel := orderMixed(b, x)
		return -order, rel
	case bReal:
		return orderMixed(a, y)
	}
	return orderIntegers(a, b)
}

// orderMixed compares an integer with a real.
func orderMixed(n cim.Value, f float64) (int, relation) {
	whole, rest := math.Modf(f)
	order, rel := orderIntegers(n, wholeNumber(whole))
	switch {
	case rel == unrelated && isInteger(n) && f > 0:
		return -1, ordered // beyond all integers
	case rel == unrelated && isInteger(n):
		return 1, ordered
	}
	return cmp.Or(order, cmp.Compare(0, rest)), rel
}

func isInteger(v cim.Value) bool {
	switch v.(type) {
	case uint64, int64:
		return true
	}
	return false
}

func orderIntegers(a, b cim.Value) (int, relation) {
	switch x := a.(type) {
	case uint64:
		switch y := b.(type) {
		case uint64:
			return cmp.Compare(x, y), ordered
		case int64:
			if y < 0 {
				return 1, ordered
			}
			return cmp.Compare(x, uint64(y)), ordered
		}
	case int64:
		switch y := b.(type) {
		case int64:
			return cmp.Compare(x, y), ordered
		case uint64:
			order, rel := orderIntegers(b, a)
			return -order, rel
		}
	}
	return 0, unrelated
}
