// Package cim is the Common Information Model (DSP0004) as data: classes and
// what they declare, values, instances, object paths, status codes, and the
// calls that pass between a protocol and a provider. It does no I/O.
package cim

import "strings"

// Type is an intrinsic CIM data type (DSP0004 section 5.2), or Reference.
type Type uint8

// The types.
const (
	Boolean Type = iota + 1
	String
	Char16
	Uint8
	Uint16
	Uint32
	Uint64
	Sint8
	Sint16
	Sint32
	Sint64
	Real32
	Real64
	Datetime
	Reference
)

// Qualifier is a named fact about a declaration. Names are compared regardless
// of case.
type Qualifier struct {
	Name  string
	Type  Type
	Array bool
	Value Value // bool, string, numbers, or []Value of them
}

// Qualifiers is the set on one declaration, in the order of the text.
type Qualifiers []Qualifier

// Get finds a qualifier by name.
func (qs Qualifiers) Get(name string) (Qualifier, bool) {
	for _, q := range qs {
		if strings.EqualFold(q.Name, name) {
			return q, true
		}
	}
	return Qualifier{}, false
}

// Flag is the value of a boolean qualifier, false where it is absent.
func (qs Qualifiers) Flag(name string) bool {
	q, ok := qs.Get(name)
	b, isBool := q.Value.(bool)
	return ok && isBool && b
}

// Text is the value of a string qualifier, empty where it is absent.
func (qs Qualifiers) Text(name string) string {
	q, _ := qs.Get(name)
	s, _ := q.Value.(string)
	return s
}

// Property is a property of a class, its own or inherited. It is not changed
// once the schema is linked.
type Property struct {
	Name       string
	Type       Type
	Array      bool
	RefClass   string // Type Reference: the class that is referred to
	Default    Value
	Qualifiers Qualifiers
	Key        bool
	Embedded   string // EmbeddedInstance: the class; "*" for EmbeddedObject
	Origin     string // class that declared it first
	Propagated bool   // declared by a superclass
	Index      int    // place in Class.Properties and in Instance
}

// Parameter is a parameter of a method. In and Out may both be true.
type Parameter struct {
	Name       string
	Type       Type
	Array      bool
	RefClass   string
	Embedded   string
	In, Out    bool
	Qualifiers Qualifiers
}

// Method is a method of a class, its own or inherited.
type Method struct {
	Name       string
	Return     Type
	Params     []*Parameter
	Static     bool
	Qualifiers Qualifiers
	Origin     string
	Propagated bool
}

// Param finds a parameter by name, regardless of case; nil if there is none.
func (m *Method) Param(name string) *Parameter {
	for _, p := range m.Params {
		if strings.EqualFold(p.Name, name) {
			return p
		}
	}
	return nil
}

// Class is a linked class: Properties and Methods hold inherited and own ones,
// inherited first, overridden ones once. It is not changed once it is linked and
// may be read from many goroutines.
type Class struct {
	Name        string
	Super       *Class // nil for a root
	Properties  []*Property
	Methods     []*Method
	Keys        []*Property
	Abstract    bool
	Association bool
	Indication  bool
	Qualifiers  Qualifiers

	props    map[string]*Property
	methods  map[string]*Method
	defaults []Value // of Properties, for new instances
}

// Link builds the look-up tables and the Index of each property. A schema's
// builder calls it once, when Properties and Methods are complete.
func (c *Class) Link() {
	c.props = make(map[string]*Property, len(c.Properties))
	c.methods = make(map[string]*Method, len(c.Methods))
	c.Keys = nil
	c.defaults = make([]Value, len(c.Properties))
	for i, p := range c.Properties {
		p.Index = i
		c.defaults[i] = p.Default
		c.props[strings.ToLower(p.Name)] = p
		c.props[p.Name] = p // as it is nearly always asked for
		if p.Key {
			c.Keys = append(c.Keys, p)
		}
	}
	for _, m := range c.Methods {
		c.methods[strings.ToLower(m.Name)] = m
	}
}

// Property finds a property by name, regardless of case; nil if there is none.
func (c *Class) Property(name string) *Property {
	if p, ok := c.props[name]; ok {
		return p
	}
	return c.props[strings.ToLower(name)]
}

// Method finds a method by name, regardless of case; nil if there is none.
func (c *Class) Method(name string) *Method { return c.methods[strings.ToLower(name)] }

// IsA says whether c is the named class or derives from it.
func (c *Class) IsA(name string) bool {
	for ; c != nil; c = c.Super {
		if strings.EqualFold(c.Name, name) {
			return true
		}
	}
	return false
}

// Schema is a set of linked classes. It is not changed once it is built.
type Schema struct {
	classes  map[string]*Class
	ordered  []*Class
	children map[string][]*Class
}

// NewSchema makes a schema of linked classes; order is kept. Of two classes with
// the same name the later one is dropped: a builder refuses them before.
func NewSchema(classes []*Class) *Schema {
	s := &Schema{classes: map[string]*Class{}, children: map[string][]*Class{}}
	for _, c := range classes {
		key := strings.ToLower(c.Name)
		if s.classes[key] != nil {
			continue
		}
		s.classes[key] = c
		s.ordered = append(s.ordered, c)
		if c.Super != nil {
			super := strings.ToLower(c.Super.Name)
			s.children[super] = append(s.children[super], c)
		}
	}
	return s
}

// Class finds a class by name, regardless of case; nil if there is none.
func (s *Schema) Class(name string) *Class { return s.classes[strings.ToLower(name)] }

// Classes lists all classes in the order they were given. It must not be changed.
func (s *Schema) Classes() []*Class { return s.ordered }

// Subclasses lists the direct subclasses of a class. It must not be changed.
func (s *Schema) Subclasses(name string) []*Class { return s.children[strings.ToLower(name)] }
