package cim

import (
	"fmt"
	"math"
)

// typeNames are the names of the types in MOF (DSP0004 annex A) and messages.
var typeNames = [...]string{
	Boolean: "boolean", String: "string", Char16: "char16",
	Uint8: "uint8", Uint16: "uint16", Uint32: "uint32", Uint64: "uint64",
	Sint8: "sint8", Sint16: "sint16", Sint32: "sint32", Sint64: "sint64",
	Real32: "real32", Real64: "real64", Datetime: "datetime", Reference: "ref",
}

// String is the name of the type as MOF spells it, and "ref" for Reference.
func (t Type) String() string {
	if t.valid() {
		return typeNames[t]
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// TypeNamed is the intrinsic type with this name in lower case; ok is false for
// any other word. References have no type name of their own.
func TypeNamed(name string) (t Type, ok bool) {
	for t := Boolean; t < Reference; t++ {
		if typeNames[t] == name {
			return t, true
		}
	}
	return 0, false
}

func (t Type) valid() bool { return t >= Boolean && t <= Reference }

// Unsigned says whether values of the type are uint64: Uint8 to Uint64 and
// Char16.
func (t Type) Unsigned() bool { return t == Char16 || t >= Uint8 && t <= Uint64 }

// Signed says whether values of the type are int64: Sint8 to Sint64.
func (t Type) Signed() bool { return t >= Sint8 && t <= Sint64 }

// Real says whether values of the type are float64.
func (t Type) Real() bool { return t == Real32 || t == Real64 }

// bits is the width of an integer type.
func (t Type) bits() int {
	switch t {
	case Uint8, Sint8:
		return 8
	case Char16, Uint16, Sint16:
		return 16
	case Uint32, Sint32:
		return 32
	default:
		return 64
	}
}

// maxUnsigned is the largest value of an unsigned type.
func (t Type) maxUnsigned() uint64 { return math.MaxUint64 >> (64 - t.bits()) }

// signedRange is the smallest and the largest value of a signed type.
func (t Type) signedRange() (lo, hi int64) {
	shift := 64 - t.bits()
	return math.MinInt64 >> shift, math.MaxInt64 >> shift
}
