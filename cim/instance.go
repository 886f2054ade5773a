package cim

import (
	"slices"
	"strings"
)

// Instance is an instance of a class: one value for each of its properties. It
// is built by one goroutine and may then be read by many.
type Instance struct {
	Class *Class
	// Path names it; nil for embedded instances.
	Path   *Path
	values []Value
	hidden []bool // by Index: not to be shown; nil: nothing is hidden
}

// NewInstance makes an instance whose properties have the class's defaults.
func NewInstance(c *Class) *Instance {
	return &Instance{Class: c, values: slices.Clone(c.defaults)}
}

// Get is the value of a property, regardless of the case of its name; nil (NULL)
// also where there is no such property.
func (in *Instance) Get(name string) Value {
	if p := in.Class.Property(name); p != nil {
		return in.values[p.Index]
	}
	return nil
}

// At is the value of the property with the given Index.
func (in *Instance) At(i int) Value { return in.values[i] }

// Set gives a property a value, coerced to its declaration. It fails, with
// StatusNoSuchProperty or StatusTypeMismatch, and changes nothing where the
// class has no such property or the value does not fit.
func (in *Instance) Set(name string, v Value) error {
	p := in.Class.Property(name)
	if p == nil {
		return Errorf(StatusNoSuchProperty, "class %s has no property %s", in.Class.Name, name)
	}
	cv, err := Coerce(v, p.Type, p.Array, p.Embedded != "")
	if err != nil {
		return Errorf(StatusTypeMismatch, "property %s of %s: %w", p.Name, in.Class.Name, err)
	}
	in.values[p.Index] = cv
	return nil
}

// Only is an instance that shows nothing but the properties whose Index is true in
// shown; its values, which it shares with in, are the same.
func (in *Instance) Only(shown []bool) *Instance {
	out := *in
	out.hidden = make([]bool, len(in.values))
	for i := range out.hidden {
		out.hidden[i] = i >= len(shown) || !shown[i] || in.Hidden(i)
	}
	return &out
}

// Hidden says whether the property with the given Index is not to be shown: the
// client asked for others only.
func (in *Instance) Hidden(i int) bool { return in.hidden != nil && in.hidden[i] }

// Key is one key binding of a path.
type Key struct {
	Name  string
	Value Value // scalar, never nil; a *Path for reference keys
}

// Path names an instance, or a class where it has no keys (DSP0004 section 8).
type Path struct {
	Host      string // empty: this one
	Namespace string // canonical: lower case, '/' between parts, none around
	Class     string
	Keys      []Key
}

// Key is the value of a key by name, regardless of case; nil if it is not there.
func (p *Path) Key(name string) Value {
	for _, k := range p.Keys {
		if strings.EqualFold(k.Name, name) {
			return k.Value
		}
	}
	return nil
}

// CanonicalNamespace is ns in the form that Path has: either slash is understood.
func CanonicalNamespace(ns string) string {
	if isCanonical(ns) {
		return ns
	}
	return strings.ToLower(strings.Trim(strings.ReplaceAll(strings.TrimSpace(ns), `\`, "/"), "/"))
}

// isCanonical finds most of the namespaces that are canonical already.
func isCanonical(ns string) bool {
	for i := range len(ns) {
		if c := ns[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '/' || i == 0 || i == len(ns)-1) {
			return false
		}
	}
	return true
}
