package query

import (
	"unicode"
	"unicode/utf8"
)

// folded is the same for all characters that differ by case only: the first of
// them in Unicode.
func folded(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z':
		return r - 'a' + 'A'
	case r <= unicode.MaxASCII:
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}

// orderFold compares texts regardless of case.
func orderFold(a, b string) int {
	for a != "" && b != "" {
		x, n := utf8.DecodeRuneInString(a)
		y, m := utf8.DecodeRuneInString(b)
		if x != y {
			if x, y = folded(x), folded(y); x != y {
				return int(x) - int(y)
			}
		}
		a, b = a[n:], b[m:]
	}
	return len(a) - len(b)
}

func sameFold(a, b string) bool { return orderFold(a, b) == 0 }
