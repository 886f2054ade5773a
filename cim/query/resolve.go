package query

import (
	"strings"

	"twinlun/cim"
)

// source is a compiled operand.
type source struct {
	where
	name  string // in messages
	typ   cim.Type
	array bool
	// class is that of an instance, embedded or selected; nil for other values.
	class *cim.Class
	// open is an instance of any class, or a property of one: what it is shows only
	// when it is there.
	open   bool
	any    bool          // an instance, of any class
	prop   *cim.Property // whose qualifiers apply
	root   *cim.Property // of the class selected from, where it is just that
	system bool          // of the properties that Windows gives every instance
	// constant is a value that was written; get does not look at the row.
	constant bool
	get      func(row) cim.Value
}

func (s *source) embedded() bool { return s.class != nil || s.any }

// single says whether the source is known to be no array.
func (s *source) single() bool { return !s.array && !s.open }

// kind names what the source is, for messages.
func (s *source) kind() string {
	switch {
	case s.embedded():
		return "an instance"
	case s.array:
		return "an array of " + s.typ.String()
	case s.typ == cim.Reference:
		return "a reference"
	default:
		return "of type " + s.typ.String()
	}
}

// path resolves the steps of a path. The first may name the class that is selected
// from, or what stands for it.
func (c *compiler) path(p *path) *source {
	if len(p.parts) == 0 {
		return c.entry
	}
	src, rest := c.start(p)
	for _, s := range rest {
		if src = c.step(src, s); c.err != nil {
			return nil
		}
	}
	named := *src
	named.where, named.name = p.where, p.String()
	return &named
}

func (c *compiler) start(p *path) (*source, []part) {
	head := p.parts[0]
	plain := head.class == "" && head.index == none
	if plain && c.entry != nil && sameName(head.name, c.entryName) {
		return c.entry, p.parts[1:]
	}
	self := &source{where: p.where, name: c.class.Name, typ: cim.String, class: c.class, get: func(r row) cim.Value { return r.in }}
	if plain && c.meansSelf(head.name) {
		return self, p.parts[1:]
	}
	return self, p.parts
}

func (c *compiler) meansSelf(name string) bool {
	if c.class.Property(name) != nil {
		return false
	}
	return sameName(name, c.from) || c.alias != "" && sameName(name, c.alias) || !c.cql && sameName(name, "__THIS")
}

// step goes from an instance to a property of it.
func (c *compiler) step(from *source, s part) *source {
	switch {
	case from.array:
		c.fail(s.at(), "%s", arrayHint(from))
		return nil
	case !from.open && !from.embedded():
		c.fail(s.at(), "%s has no properties: it is %s", from.name, from.kind())
		return nil
	case !c.cql && s.class == "" && strings.HasPrefix(s.name, "__"):
		return c.system(from, s)
	}
	class := from.class
	if s.class != "" {
		if class = c.scope(from, s); class == nil {
			return nil
		}
	}
	var to *source
	if class == nil {
		to = c.anywhere(from, s)
	} else {
		to = c.property(from, class, s)
	}
	return c.indexed(to, s)
}

// scope finds the class before ::, which must be able to be that of the instance.
func (c *compiler) scope(from *source, s part) *cim.Class {
	class := c.Schema.Class(s.class)
	switch {
	case class == nil:
		c.fail(s.at(), "there is no class %s", clip(s.class))
	case from.class != nil && !derives(class, from.class) && !derives(from.class, class):
		c.fail(s.at(), "%s is never a %s", from.name, class.Name)
	}
	return class
}

// property is a property of an instance of a known class; NULL where the instance
// is of another one after all.
func (c *compiler) property(from *source, class *cim.Class, s part) *source {
	p := class.Property(s.name)
	if p == nil {
		c.fail(s.at(), "class %s has no property %s", class.Name, clip(s.name))
		return nil
	}
	to := &source{where: s.where, name: p.Name, typ: p.Type, array: p.Array, prop: p}
	switch p.Embedded {
	case "":
	case "*":
		to.open, to.any = true, true
	default:
		to.class, to.open = c.Schema.Class(p.Embedded), c.Schema.Class(p.Embedded) == nil
	}
	if from.class == c.class && class == c.class && from.prop == nil {
		to.root = p
		to.get = func(r row) cim.Value { return r.in.At(p.Index) }
		return to
	}
	to.get = func(r row) cim.Value {
		in, ok := from.get(r).(*cim.Instance)
		if !ok || in == nil || !derives(in.Class, class) {
			return nil
		}
		return in.At(p.Index)
	}
	return to
}

// anywhere is a property of an instance of any class. Some class must have it; where
// all that do agree on its type, that is its type.
func (c *compiler) anywhere(from *source, s part) *source {
	found := c.declarations(s.name)
	if len(found) == 0 {
		c.fail(s.at(), "no class has a property %s", clip(s.name))
		return nil
	}
	p := found[0]
	to := &source{where: s.where, name: p.Name, typ: p.Type, array: p.Array, any: p.Embedded != ""}
	for _, q := range found {
		to.array = to.array && q.Array
		to.any = to.any && q.Embedded != ""
		to.open = to.open || q.Type != p.Type || q.Array != p.Array || q.Embedded != ""
	}
	to.get = func(r row) cim.Value {
		if in, ok := from.get(r).(*cim.Instance); ok && in != nil {
			return in.Get(p.Name)
		}
		return nil
	}
	return to
}

// declarations are the properties of all classes with a name.
func (c *compiler) declarations(name string) []*cim.Property {
	found, known := c.declared[name]
	if known {
		return found
	}
	for _, class := range c.Schema.Classes() {
		if p := class.Property(name); p != nil {
			found = append(found, p)
		}
	}
	if c.declared == nil {
		c.declared = map[string][]*cim.Property{}
	}
	c.declared[name] = found
	return found
}

// indexed is one entry of an array, or the array.
func (c *compiler) indexed(to *source, s part) *source {
	switch {
	case c.err != nil || s.index == none:
		return to
	case !to.array && !to.open:
		c.fail(s.at(), "%s is not an array", to.name)
		return nil
	case s.index == all:
		return to
	}
	entry := *to
	entry.array, entry.root = false, nil
	entry.get = func(r row) cim.Value {
		if list, ok := to.get(r).([]cim.Value); ok && s.index < len(list) {
			return list[s.index]
		}
		return nil
	}
	return &entry
}

// system is one of the properties that Windows gives every instance.
func (c *compiler) system(from *source, s part) *source {
	of := systemProperty(s.name)
	if of == nil {
		c.fail(s.at(), "the system property %s is not served", clip(s.name))
		return nil
	}
	return &source{where: s.where, name: s.name, typ: cim.String, system: true, get: func(r row) cim.Value {
		if in, ok := from.get(r).(*cim.Instance); ok && in != nil {
			return of(in)
		}
		return nil
	}}
}

func systemProperty(name string) func(*cim.Instance) cim.Value {
	switch strings.ToUpper(name) {
	case "__CLASS":
		return func(in *cim.Instance) cim.Value { return in.Class.Name }
	case "__SUPERCLASS":
		return func(in *cim.Instance) cim.Value {
			if in.Class.Super == nil {
				return nil
			}
			return in.Class.Super.Name
		}
	case "__NAMESPACE":
		return ofPath(func(p cim.Path) string { return p.Namespace })
	case "__PATH":
		return ofPath(func(p cim.Path) string { return p.String() })
	case "__RELPATH":
		return ofPath(func(p cim.Path) string { p.Host, p.Namespace = "", ""; return p.String() })
	}
	return nil
}

func ofPath(text func(cim.Path) string) func(*cim.Instance) cim.Value {
	return func(in *cim.Instance) cim.Value {
		if in.Path == nil {
			return nil
		}
		return text(*in.Path)
	}
}
