package wsman

import "strings"

// EPR is an endpoint reference: the name of an instance on the wire (DSP0226
// section 5.1).
type EPR struct {
	Address     string // empty reads as Anonymous
	ResourceURI string
	Selectors   []Selector
}

// Selector is one key of an EPR. A reference key is an EPR of its own; Value is
// then empty.
type Selector struct {
	Name  string
	Value string
	EPR   *EPR
}

// FindSelector is the value of the selector of that name, regardless of case.
func FindSelector(set []Selector, name string) (Selector, bool) {
	for _, s := range set {
		if strings.EqualFold(s.Name, name) {
			return s, true
		}
	}
	return Selector{}, false
}

// SameDialect compares filter dialects: case and blanks around do not count.
func SameDialect(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}
