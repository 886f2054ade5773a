package xpath

import (
	"math"
	"strconv"
	"strings"
)

// comparison is = != < <= > or >= (XPath 1.0 section 3.4).
type comparison struct {
	op          string
	left, right term
}

func (c *comparison) eval(at context) any {
	a, b := c.left.eval(at), c.right.eval(at)
	set, isSet := a.(nodes)
	other, areBoth := b.(nodes)
	switch {
	case isSet && areBoth:
		return compareSets(c.op, set, other)
	case isSet:
		return compareSet(c.op, set, b)
	case areBoth:
		return compareSet(mirrored(c.op), other, a)
	}
	return compare(c.op, a, b)
}

// mirrored is the operator with its sides changed.
func mirrored(op string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '<':
			return '>'
		case '>':
			return '<'
		}
		return r
	}, op)
}

// compareSet says whether the comparison is true for any of the nodes.
func compareSet(op string, set nodes, v any) bool {
	if _, isBool := v.(bool); isBool {
		return compare(op, len(set) > 0, v)
	}
	for _, n := range set {
		if compare(op, n.text(), v) {
			return true
		}
	}
	return false
}

// compareSets says whether the comparison is true for any two nodes, one of each
// set, without looking at all pairs.
func compareSets(op string, a, b nodes) bool {
	if op != "=" && op != "!=" {
		lowA, highA := bounds(a)
		lowB, highB := bounds(b)
		if strings.HasPrefix(op, "<") {
			return compare(op, lowA, highB)
		}
		return compare(op, highA, lowB)
	}
	have := map[string]bool{}
	for _, n := range a {
		have[n.text()] = true
	}
	for _, n := range b {
		if same := have[n.text()]; same && op == "=" || op == "!=" && (len(have) > 1 || !same && len(have) > 0) {
			return true
		}
	}
	return false
}

// bounds are the smallest and the largest number in a set, NaN where there is none.
func bounds(set nodes) (low, high float64) {
	low, high = math.NaN(), math.NaN()
	for _, n := range set {
		f := parseNumber(n.text())
		if math.IsNaN(low) || f < low {
			low = f
		}
		if math.IsNaN(high) || f > high {
			high = f
		}
	}
	return low, high
}

// compare compares two values that are no sets.
func compare(op string, a, b any) bool {
	if op != "=" && op != "!=" {
		return less(op, numberOf(a), numberOf(b))
	}
	return equal(a, b) == (op == "=")
}

func less(op string, a, b float64) bool {
	switch op {
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	}
	return a >= b
}

func equal(a, b any) bool {
	_, boolA := a.(bool)
	_, boolB := b.(bool)
	_, numA := a.(float64)
	_, numB := b.(float64)
	switch {
	case boolA || boolB:
		return truth(a) == truth(b)
	case numA || numB:
		return numberOf(a) == numberOf(b)
	}
	return stringOf(a) == stringOf(b)
}

// parseNumber reads digits with an optional sign and point; all else is no number.
func parseNumber(s string) float64 {
	s = strings.TrimSpace(s)
	if s == "" || strings.Trim(s, "0123456789.-") != "" {
		return math.NaN()
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return f
}

func formatNumber(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0"
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
