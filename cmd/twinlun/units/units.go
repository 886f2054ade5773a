// Package units reads sizes as people write them.
package units

import (
	"fmt"
	"math/big"
	"strings"
)

// unitOf is the factor of a unit. Units of one letter and those with an i are
// powers of 1024, the others powers of 1000.
func unitOf(name string) (factor uint64, known bool) {
	if name == "" || name == "b" {
		return 1, true
	}
	power := strings.IndexByte("kmgtp", name[0]) + 1
	base := map[string]uint64{"": 1024, "ib": 1024, "b": 1000}[name[1:]]
	factor = 1
	for range power {
		factor *= base
	}
	return factor, power > 0 && base > 0
}

// Max bounds sizes, in bytes.
const Max = 1 << 60

// maxSizeText bounds the text of a size, in bytes.
const maxSizeText = 64

// ParseSize reads a size such as 10GiB, 1.5T or 1048576, in bytes; a fraction of
// a byte is dropped, unless that leaves nothing: 0 often means "no limit".
func ParseSize(s string) (uint64, error) {
	word := strings.ToLower(strings.TrimSpace(s))
	digits := strings.TrimRight(word, "abcdefghijklmnopqrstuvwxyz ")
	unit := strings.TrimSpace(word[len(digits):])
	factor, known := unitOf(unit)
	if !isDecimal(digits) || len(word) > maxSizeText {
		return 0, fmt.Errorf("%q is not a size such as 10GiB", s)
	}
	if !known {
		return 0, fmt.Errorf("%q is not a size such as 10GiB: unknown unit %q", s, unit)
	}
	n, ok := new(big.Rat).SetString(digits)
	if !ok {
		return 0, fmt.Errorf("%q is not a size such as 10GiB", s)
	}
	n.Mul(n, new(big.Rat).SetInt(new(big.Int).SetUint64(factor)))
	bytes := new(big.Int).Quo(n.Num(), n.Denom())
	if bytes.Sign() == 0 && n.Sign() > 0 {
		return 0, fmt.Errorf("%q is less than a byte", s)
	}
	if bytes.Cmp(big.NewInt(Max)) > 0 {
		return 0, fmt.Errorf("%q is too large", s)
	}
	return bytes.Uint64(), nil
}

// isDecimal says whether s is digits with at most one point between them.
func isDecimal(s string) bool {
	whole, fraction, point := strings.Cut(s, ".")
	return isDigits(whole) && (!point || isDigits(fraction))
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
