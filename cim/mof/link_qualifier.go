package mof

import (
	"fmt"
	"slices"
	"strings"

	"twinlun/cim"
)

// What a qualifier may stand on (DSP0004 section 5.6).
const (
	scopeAny         = "any"
	scopeClass       = "class"
	scopeAssociation = "association"
	scopeIndication  = "indication"
	scopeProperty    = "property"
	scopeReference   = "reference"
	scopeMethod      = "method"
	scopeParameter   = "parameter"
)

// The qualifiers that mean something to the linker.
const (
	qualAbstract         = "Abstract"
	qualAssociation      = "Association"
	qualIndication       = "Indication"
	qualKey              = "Key"
	qualOverride         = "Override"
	qualIn               = "In"
	qualOut              = "Out"
	qualStatic           = "Static"
	qualEmbeddedInstance = "EmbeddedInstance"
	qualEmbeddedObject   = "EmbeddedObject"
	qualValueMap         = "ValueMap"
	qualValues           = "Values"
)

// qualifier is a declaration whose default fits its type.
type qualifier struct {
	*QualifierDecl
	preset cim.Value
}

func (l *linker) addQualifier(d *QualifierDecl) {
	key := strings.ToLower(d.Name)
	if before := l.quals[key]; before != nil {
		l.errorf(d.Pos, "qualifier %s is already declared at %s", d.Name, before.Pos)
		return
	}
	q := &qualifier{QualifierDecl: d}
	if d.Default != nil {
		q.preset = l.fit(d.Default, TypeRef{Type: d.Type, Array: d.Array}, "the default of qualifier "+d.Name)
	}
	l.quals[key] = q
}

// fit coerces a literal to a type; what names it in the message if it does not.
func (l *linker) fit(lit *Literal, t TypeRef, what string) cim.Value {
	v, err := fit(lit.Value, t)
	if err != nil {
		l.errorf(lit.Pos, "%s: %v", what, err)
	}
	return v
}

// fit is cim.Coerce, and knows that MOF writes datetimes as strings.
func fit(v cim.Value, t TypeRef) (cim.Value, error) {
	if t.Type == cim.Datetime {
		parsed, err := datetimes(v)
		if err != nil {
			return nil, err
		}
		v = parsed
	}
	if t.Type == cim.Reference && v != nil {
		return nil, fmt.Errorf("a reference has no default but NULL")
	}
	return cim.Coerce(v, t.Type, t.Array, false)
}

func datetimes(v cim.Value) (cim.Value, error) {
	switch x := v.(type) {
	case string:
		return cim.ParseText(cim.Datetime, x)
	case []cim.Value:
		out := make([]cim.Value, len(x))
		for i, e := range x {
			d, err := datetimes(e)
			if err != nil {
				return nil, err
			}
			out[i] = d
		}
		return out, nil
	default:
		return v, nil
	}
}

// qualifiers are those of an element of the given scope: its own, and after
// them those that it gets from the element that it overrides or derives from.
func (l *linker) qualifiers(scope string, uses []QualifierUse, inherited cim.Qualifiers) cim.Qualifiers {
	var out cim.Qualifiers
	for _, u := range uses {
		q := l.quals[strings.ToLower(u.Name)]
		if q == nil {
			l.errorf(u.Pos, "qualifier %s is not declared", u.Name)
			continue
		}
		if _, twice := out.Get(u.Name); twice {
			l.errorf(u.Pos, "qualifier %s is given twice", u.Name)
			continue
		}
		if !slices.Contains(q.Scopes, scope) && !slices.Contains(q.Scopes, scopeAny) {
			l.errorf(u.Pos, "qualifier %s does not belong on a %s", u.Name, scope)
		}
		used := l.value(q, u)
		l.checkRestated(q, u.Pos, used, inherited)
		out = append(out, used)
	}
	return l.inherit(out, inherited)
}

// value is the qualifier with the value given, or true, or its default.
func (l *linker) value(q *qualifier, u QualifierUse) cim.Qualifier {
	out := cim.Qualifier{Name: q.Name, Type: q.Type, Array: q.Array, Value: q.preset}
	switch {
	case u.Value != nil:
		out.Value = l.fit(u.Value, TypeRef{Type: q.Type, Array: q.Array}, "qualifier "+u.Name)
	case q.Type == cim.Boolean && !q.Array:
		out.Value = true
	}
	return out
}

// checkRestated refuses another value for a qualifier that DisableOverride keeps
// as it was inherited.
func (l *linker) checkRestated(q *qualifier, at Pos, used cim.Qualifier, inherited cim.Qualifiers) {
	before, ok := inherited.Get(q.Name)
	if ok && q.ToSubclass && !q.Overridable && !cim.Equal(before.Value, used.Value) {
		l.errorf(at, "qualifier %s is inherited as %s and cannot be changed", q.Name, cim.FormatText(before.Value))
	}
}

func (l *linker) inherit(own, inherited cim.Qualifiers) cim.Qualifiers {
	for _, q := range inherited {
		if _, restated := own.Get(q.Name); restated {
			continue
		}
		if decl := l.quals[strings.ToLower(q.Name)]; decl != nil && decl.ToSubclass {
			own = append(own, q)
		}
	}
	return own
}

// checkValues wants a name for each value of a value map.
func (l *linker) checkValues(at Pos, name string, qs cim.Qualifiers) {
	valueMap, hasMap := qs.Get(qualValueMap)
	values, hasValues := qs.Get(qualValues)
	if !hasMap || !hasValues {
		return
	}
	m, _ := valueMap.Value.([]cim.Value)
	v, _ := values.Value.([]cim.Value)
	if len(m) != len(v) {
		l.errorf(at, "%s has %d entries in ValueMap and %d in Values", name, len(m), len(v))
	}
}

// useOf finds a qualifier on a declaration.
func useOf(uses []QualifierUse, name string) (QualifierUse, bool) {
	for _, u := range uses {
		if strings.EqualFold(u.Name, name) {
			return u, true
		}
	}
	return QualifierUse{}, false
}
