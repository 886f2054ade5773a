package cim

import (
	"fmt"
	"math"
	"time"
)

// Coerce makes v fit a declaration: its type, whether it is an array, and whether
// it holds embedded instances (declared type String). The rules:
//
//   - nil is NULL and fits everything; so does a nil *Path or *Instance.
//   - A scalar where an array is declared becomes an array of one entry. An array
//     where a scalar is declared is refused, also one of one entry.
//   - Arrays are []Value, or []string, []uint16 and []*Path for convenience; each
//     entry is coerced. The result is always a new []Value.
//   - Integers of any Go type fit every integer type in whose range they are, and
//     real types. Reals do not fit integer types.
//   - A time.Time and a time.Duration that is not negative fit Datetime.
//   - Text fits String only: it is not parsed here (see ParseText).
//
// It does not check the class of a reference or of an embedded instance. The
// error says what was wanted and what came; it is not an *Error.
func Coerce(v Value, t Type, array, embedded bool) (Value, error) {
	list, isList := entries(v)
	switch {
	case v == nil:
		return nil, nil
	case isList && !array:
		return nil, fmt.Errorf("an array where one %s is declared", t)
	case !array:
		return coerceScalar(v, t, embedded)
	case !isList:
		list = []Value{v}
	}
	return coerceList(list, t, embedded)
}

// entries gives the entries of a value that is an array.
func entries(v Value) ([]Value, bool) {
	switch x := v.(type) {
	case []Value:
		return x, true
	case []string:
		return widen(x), true
	case []uint16:
		return widen(x), true
	case []*Path:
		return widen(x), true
	default:
		return nil, false
	}
}

func widen[T any](list []T) []Value {
	out := make([]Value, len(list))
	for i, e := range list {
		out[i] = e
	}
	return out
}

func coerceList(list []Value, t Type, embedded bool) (Value, error) {
	out := make([]Value, len(list))
	for i, e := range list {
		if e == nil {
			continue
		}
		c, err := coerceScalar(e, t, embedded)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
		out[i] = c
	}
	return out, nil
}

func coerceScalar(v Value, t Type, embedded bool) (Value, error) {
	switch {
	case embedded:
		return coerceInstance(v)
	case t.Unsigned(), t.Signed():
		return coerceInteger(v, t)
	case t.Real():
		return coerceReal(v, t)
	}
	switch t {
	case Boolean:
		return exactly[bool](v, t)
	case String:
		return exactly[string](v, t)
	case Datetime:
		return coerceDatetime(v)
	case Reference:
		return coercePath(v)
	default:
		return nil, fmt.Errorf("no such type: %s", t)
	}
}

func mismatch(v Value, want string) error {
	return fmt.Errorf("want %s, have %s", want, kindOf(v))
}

// kindOf names what a value is, for messages to clients.
func kindOf(v Value) string {
	switch v.(type) {
	case *Path:
		return "reference"
	case *Instance:
		return "embedded instance"
	case []Value:
		return "array"
	case DateTime:
		return "datetime"
	default:
		return fmt.Sprintf("%T", v)
	}
}

func exactly[T any](v Value, t Type) (Value, error) {
	if x, ok := v.(T); ok {
		return x, nil
	}
	return nil, mismatch(v, t.String())
}

func coerceInstance(v Value) (Value, error) {
	in, ok := v.(*Instance)
	switch {
	case !ok:
		return nil, mismatch(v, "embedded instance")
	case in == nil:
		return nil, nil
	}
	return in, nil
}

func coercePath(v Value) (Value, error) {
	p, ok := v.(*Path)
	switch {
	case !ok:
		return nil, mismatch(v, "reference")
	case p == nil:
		return nil, nil
	}
	return p, nil
}

func coerceDatetime(v Value) (Value, error) {
	switch x := v.(type) {
	case DateTime:
		return x, nil
	case time.Time:
		return TimeValue(x), nil
	case time.Duration:
		if x >= 0 {
			return IntervalValue(x), nil
		}
		return nil, fmt.Errorf("an interval is not negative: %s", x)
	default:
		return nil, mismatch(v, Datetime.String())
	}
}

// number is an integer of any Go type: mag, or when neg is set -mag.
type number struct {
	neg bool
	mag uint64
}

func signedNumber(i int64) number {
	if i < 0 {
		return number{neg: true, mag: -uint64(i)}
	}
	return number{mag: uint64(i)}
}

// integerOf reads any Go integer.
func integerOf(v Value) (n number, ok bool) {
	switch x := v.(type) {
	case uint64:
		return number{mag: x}, true
	case int64:
		return signedNumber(x), true
	case int:
		return signedNumber(int64(x)), true
	case uint:
		return number{mag: uint64(x)}, true
	case uint8:
		return number{mag: uint64(x)}, true
	case uint16:
		return number{mag: uint64(x)}, true
	case uint32:
		return number{mag: uint64(x)}, true
	case int8:
		return signedNumber(int64(x)), true
	case int16:
		return signedNumber(int64(x)), true
	case int32:
		return signedNumber(int64(x)), true
	default:
		return number{}, false
	}
}

func (n number) String() string {
	if n.neg {
		return fmt.Sprintf("-%d", n.mag)
	}
	return fmt.Sprint(n.mag)
}

func coerceInteger(v Value, t Type) (Value, error) {
	n, ok := integerOf(v)
	if !ok {
		return nil, mismatch(v, t.String())
	}
	return n.as(t)
}

// as is the Value of n in an integer type.
func (n number) as(t Type) (Value, error) {
	if t.Unsigned() {
		if n.neg && n.mag != 0 || n.mag > t.maxUnsigned() {
			return nil, fmt.Errorf("%s is out of the range of %s", n, t)
		}
		return n.mag, nil
	}
	lo, hi := t.signedRange()
	switch {
	case !n.neg && n.mag <= uint64(hi):
		return int64(n.mag), nil
	case n.neg && n.mag <= -uint64(lo):
		return int64(-n.mag), nil
	}
	return nil, fmt.Errorf("%s is out of the range of %s", n, t)
}

func coerceReal(v Value, t Type) (Value, error) {
	var f float64
	switch x := v.(type) {
	case float64:
		f = x
	case float32:
		f = float64(x)
	default:
		n, ok := integerOf(v)
		if !ok {
			return nil, mismatch(v, t.String())
		}
		if f = float64(n.mag); n.neg {
			f = -f
		}
	}
	return roundReal(f, t)
}

// roundReal gives f the precision of its type.
func roundReal(f float64, t Type) (Value, error) {
	if t == Real64 {
		return f, nil
	}
	r := float64(float32(f))
	if math.IsInf(r, 0) && !math.IsInf(f, 0) {
		return nil, fmt.Errorf("%g is out of the range of %s", f, t)
	}
	return r, nil
}
