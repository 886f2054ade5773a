package query

import (
	"time"

	"twinlun/cim"
)

// truth is the three-valued logic of both languages: AND is the least of its terms,
// OR the greatest, NOT the opposite.
type truth int8

const (
	no truth = iota - 1
	unknown
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// row is what a statement is asked about.
type row struct {
	in    *cim.Instance
	entry cim.Value // of the array that ANY or EVERY goes through
	now   time.Time
}

// test is a compiled condition.
type test func(row) truth

func opposite(t test) test { return func(r row) truth { return -t(r) } }

func every(tests []test) test {
	return func(r row) truth {
		result := yes
		for _, t := range tests {
			if result = min(result, t(r)); result == no {
				break
			}
		}
		return result
	}
}

func some(tests []test) test {
	return func(r row) truth {
		result := no
		for _, t := range tests {
			if result = max(result, t(r)); result == yes {
				break
			}
		}
		return result
	}
}
