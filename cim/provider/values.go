package provider

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"twinlun/cim"
)

// checkGiven gives properties that a client has set their declared names and types.
// It fails at the first that the class does not have, that is given twice, or whose
// value has another type.
func checkGiven(class *cim.Class, given []cim.PropertyValue) ([]cim.PropertyValue, error) {
	checked := make([]cim.PropertyValue, 0, len(given))
	seen := make(map[string]bool, len(given))
	for _, g := range given {
		p := class.Property(g.Name)
		if p == nil {
			return nil, cim.Errorf(cim.StatusNoSuchProperty, "class %s has no property %q", class.Name, g.Name)
		}
		if seen[p.Name] {
			return nil, cim.Errorf(cim.StatusInvalidParameter, "property %s of %s is given twice", p.Name, class.Name)
		}
		seen[p.Name] = true
		v, err := cim.Coerce(g.Value, p.Type, p.Array, p.Embedded != "")
		if err != nil {
			return nil, cim.Errorf(cim.StatusTypeMismatch, "property %s of %s: %w", p.Name, class.Name, err)
		}
		checked = append(checked, cim.PropertyValue{Name: p.Name, Value: v})
	}
	return checked, nil
}

// checkFit fails at the first value that the schema does not allow.
func checkFit(class *cim.Class, given []cim.PropertyValue) error {
	for _, g := range given {
		if why := unfit(class.Property(g.Name), g.Value); why != "" {
			return cim.Errorf(cim.StatusInvalidParameter, "property %s of %s: %s", g.Name, class.Name, why)
		}
	}
	return nil
}

// unfit says why a value is not one that a property can have by its qualifiers
// (DSP0004 section 5.6.3), and nothing for one that is.
func unfit(p *cim.Property, v cim.Value) string {
	if v == nil {
		if p.Key || p.Qualifiers.Flag("Required") {
			return "a value is needed"
		}
		return ""
	}
	list, isList := v.([]cim.Value)
	if !isList {
		return unfitEntry(p, v)
	}
	for _, e := range list {
		if why := unfitEntry(p, e); why != "" {
			return why
		}
	}
	return ""
}

func unfitEntry(p *cim.Property, v cim.Value) string {
	switch x := v.(type) {
	case string:
		most, limited := limitOf(p, "MaxLen")
		if limited && utf8.RuneCountInString(x) > most {
			return "the text has more than " + strconv.Itoa(most) + " characters"
		}
		if !mapped(p, x) {
			return strconv.Quote(clip(x)) + " is none of the values that the schema defines"
		}
	case uint64, int64:
		if !mapped(p, cim.FormatText(x)) {
			return cim.FormatText(x) + " is not a value that the schema defines"
		}
	case *cim.Instance:
		if p.Embedded != "*" && !x.Class.IsA(p.Embedded) {
			return "an instance of " + x.Class.Name + " is not a " + p.Embedded
		}
	}
	return ""
}

// clip shortens what a client sent for a message.
func clip(s string) string {
	const most = 64
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "..."
}

// limitOf is a qualifier that holds a number.
func limitOf(p *cim.Property, qualifier string) (int, bool) {
	q, ok := p.Qualifiers.Get(qualifier)
	n, isNumber := q.Value.(uint64)
	return int(min(n, 1<<30)), ok && isNumber
}

// mapped says whether a value map has a value in its text form, or is not there.
// Ranges are in it but for those that the DMTF keeps for later; ".." alone stands
// for all that the others leave over, and is always one of those.
func mapped(p *cim.Property, text string) bool {
	q, ok := p.Qualifiers.Get("ValueMap")
	if !ok {
		return true
	}
	entries, _ := q.Value.([]cim.Value)
	names, _ := p.Qualifiers.Get("Values")
	meanings, _ := names.Value.([]cim.Value)
	for i, e := range entries {
		entry, _ := e.(string)
		lo, hi, isRange := strings.Cut(entry, "..")
		switch {
		case !isRange && (entry == text || sameNumber(entry, text)):
			return true
		case isRange && p.Type != cim.String && !reserved(meanings, i) && within(lo, hi, text):
			return true
		}
	}
	return false
}

// reserved says whether the name of an entry keeps it for later versions of the
// schema.
func reserved(meanings []cim.Value, i int) bool {
	if i >= len(meanings) {
		return false
	}
	name, _ := meanings[i].(string)
	name = strings.ToLower(name)
	return strings.Contains(name, "reserved") && !strings.HasPrefix(name, "vendor")
}

func sameNumber(a, b string) bool {
	x, errA := strconv.ParseInt(a, 0, 64)
	y, errB := strconv.ParseInt(b, 0, 64)
	return errA == nil && errB == nil && x == y
}

// within says whether a number is in a range of a value map, one end of which may
// be open. It has at least one: ".." is no range.
func within(lo, hi, text string) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || lo == "" && hi == "" {
		return false
	}
	from, errLo := strconv.ParseInt(lo, 0, 64)
	to, errHi := strconv.ParseInt(hi, 0, 64)
	return (lo == "" || errLo == nil && n >= from) && (hi == "" || errHi == nil && n <= to)
}
