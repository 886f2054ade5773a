package query

import (
	"strings"

	"twinlun/cim"
)

// statement is a select statement as it was written.
type statement struct {
	list  []*path // nil: *
	class token
	alias string
	where condition // nil: all
}

// condition is something that is true, false or neither.
type condition interface{ at() int }

// operand is something that has a value.
type operand interface{ at() int }

// where is the place of a node in the text.
type where int

func (w where) at() int { return int(w) }

// The conditions.
type (
	// junction is AND or OR of two or more terms.
	junction struct {
		where
		and   bool
		terms []condition
	}
	negation struct {
		where
		term condition
	}
	comparison struct {
		where // of the operator
		op    operator
		left  operand
		right operand
	}
	likeness struct {
		where
		value   operand
		pattern token
	}
	nullness struct {
		where
		value operand
	}
	kinship struct { // ISA
		where
		value *path
		class token
	}
	// quantified is ANY or EVERY entry of an array. With SATISFIES the entry has a
	// name, with which term speaks of it.
	quantified struct {
		where
		every bool
		name  string
		array *path
		term  condition
	}
)

// The operands.
type (
	// path leads to a property: of the instance, or of one embedded in it.
	path struct {
		where
		parts []part
	}
	literal struct {
		where
		value cim.Value
	}
	// symbol is a value by its name in the qualifier Values: of the property, or
	// where there is none, of what it is compared with.
	symbol struct {
		where
		property *path
		name     token
	}
	call struct {
		where
		function string
		args     []operand
	}
	// sum is a datetime with an interval added or taken away.
	sum struct {
		where
		minus       bool
		left, right operand
	}
)

// part is one step of a path.
type part struct {
	where
	class string // the class before ::, empty where there is none
	name  string
	index int // of the entry that is meant; none, or all for [*]
}

// What index may be beside a number.
const (
	none = -1
	all  = -2
)

// String is the path as it was written.
func (p *path) String() string {
	names := make([]string, len(p.parts))
	for i, s := range p.parts {
		names[i] = s.name
		if s.class != "" {
			names[i] = s.class + "::" + s.name
		}
	}
	return clip(strings.Join(names, "."))
}

// operator compares two values.
type operator uint8

const (
	equal operator = iota
	unequal
	less
	lessEqual
	greater
	greaterEqual
)

// operatorOf is the operator that a mark is, in both languages.
func operatorOf(mark string) (operator, bool) {
	switch mark {
	case "=", "==":
		return equal, true
	case "<>", "!=":
		return unequal, true
	case "<":
		return less, true
	case "<=":
		return lessEqual, true
	case ">":
		return greater, true
	case ">=":
		return greaterEqual, true
	}
	return 0, false
}

// flipped is the operator with its sides exchanged.
func (o operator) flipped() operator {
	switch o {
	case less:
		return greater
	case lessEqual:
		return greaterEqual
	case greater:
		return less
	case greaterEqual:
		return lessEqual
	default:
		return o
	}
}

// ordering says whether the operator wants values that have an order.
func (o operator) ordering() bool { return o != equal && o != unequal }

// holds says whether the operator is true of values of which the left one is less
// (-1), the same (0) or greater (1).
func (o operator) holds(order int) bool {
	switch o {
	case equal:
		return order == 0
	case unequal:
		return order != 0
	case less:
		return order < 0
	case lessEqual:
		return order <= 0
	case greater:
		return order > 0
	default:
		return order >= 0
	}
}
