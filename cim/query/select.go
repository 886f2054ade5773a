package query

import (
	"twinlun/cim"
)

// selection is what a select list names of an instance.
type selection struct {
	all   bool
	steps []selected
}

// selected is a property that is shown, of instances of a class.
type selected struct {
	class *cim.Class // nil: any
	name  string
	of    *selection // what is shown of the instance in it; nil: the value
}

// selection checks a select list; nil where all is shown.
func (c *compiler) selection(list []*path) *selection {
	if list == nil {
		return nil
	}
	s := &selection{}
	for _, p := range list {
		if c.selected(s, p); c.err != nil {
			return nil
		}
	}
	if s.all {
		return nil
	}
	return s
}

// selected adds one path of the select list.
func (c *compiler) selected(s *selection, p *path) {
	src, rest := c.start(p)
	if len(rest) == 0 {
		c.fail(p.at(), "%s is the class: name a property, or *", p)
		return
	}
	for i, step := range rest {
		if step.name == "*" {
			c.selectAll(s, src, step)
			return
		}
		before := src
		if src = c.step(src, step); c.err != nil {
			return
		}
		if step.index != none {
			c.fail(step.at(), "one entry of an array cannot be selected: name the array")
			return
		}
		if src.system {
			return // class and path are with every instance
		}
		s = s.add(c.classOf(before, step), src.name, i == len(rest)-1)
	}
}

// selectAll is * after a class or an instance.
func (c *compiler) selectAll(s *selection, of *source, star part) {
	if !of.embedded() && !of.open {
		c.fail(star.at(), "%s has no properties: it is %s", of.name, of.kind())
	}
	s.all = true
}

// classOf is the class whose property a step takes; nil for any.
func (c *compiler) classOf(from *source, s part) *cim.Class {
	if s.class != "" {
		return c.Schema.Class(s.class)
	}
	return from.class
}

// add adds a property and gives the selection in it.
func (s *selection) add(class *cim.Class, name string, last bool) *selection {
	for i := range s.steps {
		if e := &s.steps[i]; e.class == class && e.name == name {
			return e.within(last)
		}
	}
	s.steps = append(s.steps, selected{class: class, name: name, of: &selection{}})
	return s.steps[len(s.steps)-1].within(last)
}

// within is what is selected in the property: everything, where the path ends.
func (e *selected) within(last bool) *selection {
	e.of.all = e.of.all || last
	return e.of
}

// show is the instance with what is selected, in itself where that is all.
func (s *selection) show(in *cim.Instance) *cim.Instance {
	if s.all {
		return in
	}
	shown := make([]bool, len(in.Class.Properties))
	out := in
	for _, e := range s.steps {
		p := in.Class.Property(e.name)
		if p == nil || e.class != nil && !derives(in.Class, e.class) {
			continue
		}
		shown[p.Index] = !in.Hidden(p.Index)
		if inner, ok := in.At(p.Index).(*cim.Instance); ok && inner != nil && !e.of.all {
			out = with(in, out, p, e.of.show(inner))
		}
	}
	return out.Only(shown)
}

// with is out, a copy of in or in itself, with another instance in a property.
func with(in, out *cim.Instance, p *cim.Property, inner *cim.Instance) *cim.Instance {
	if out == in {
		out = clone(in)
	}
	if err := out.Set(p.Name, inner); err != nil {
		return in // an instance fits where one was
	}
	return out
}

func clone(in *cim.Instance) *cim.Instance {
	out := cim.NewInstance(in.Class)
	out.Path = in.Path
	for _, p := range in.Class.Properties {
		if err := out.Set(p.Name, in.At(p.Index)); err != nil {
			continue // it fits: it was there
		}
	}
	return out
}
