package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"twinlun/cim"
)

// declared is what the schema says of a parameter, key or property.
type declared struct {
	typ        cim.Type
	array      bool
	refClass   string
	embedded   string
	qualifiers cim.Qualifiers
}

// value reads a value of a declared type from a word of the command line. The
// elements of a list stand between commas; an empty word is an empty list.
func (s *session) value(ctx context.Context, d declared, word string) (cim.Value, error) {
	if !d.array {
		return s.scalar(ctx, d, word)
	}
	list := []cim.Value{}
	if word == "" {
		return list, nil
	}
	for _, w := range split(word, ',') {
		v, err := s.scalar(ctx, d, w)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (s *session) scalar(ctx context.Context, d declared, word string) (cim.Value, error) {
	switch {
	case d.embedded != "" && d.embedded != "*":
		return s.embedded(ctx, d.embedded, word)
	case d.typ == cim.Reference:
		return s.reference(ctx, d.refClass, word)
	}
	word = unescape(word)
	if v, err := cim.ParseText(d.typ, word); err == nil {
		return v, nil
	} else if len(texts(d.qualifiers, "Values")) == 0 {
		return nil, usageError{err}
	}
	n, err := valueNumber(d.qualifiers, word)
	if err != nil {
		return nil, usageError{err}
	}
	return n, nil
}

// reference finds what @NAME names, by the class that is referred to.
func (s *session) reference(ctx context.Context, class, word string) (cim.Value, error) {
	name, ok := strings.CutPrefix(unescape(word), "@")
	if !ok {
		return nil, usageError{fmt.Errorf("%q: a reference is written @NAME", word)}
	}
	finders := s.finders(class)
	if len(finders) == 0 {
		return nil, usageError{fmt.Errorf("%q: a %s has no name here", word, class)}
	}
	for _, find := range finders {
		in, err := find(ctx, name)
		if _, missing := errors.AsType[notFoundError](err); missing {
			continue
		}
		if err != nil {
			return nil, err
		}
		return in.Path, nil
	}
	return nil, notFoundError{class, name}
}

// finder finds an object by its name.
type finder func(ctx context.Context, name string) (*cim.Instance, error)

// finders says how objects of a class, or of one above or below it, are found.
func (s *session) finders(class string) []finder {
	c := s.schema.Class(class)
	if c == nil {
		return nil
	}
	var list []finder
	for _, f := range []struct {
		class string
		find  finder
	}{
		{classVolume, s.volume}, {classGroup, s.group}, {classPool, s.pool}, {classJob, s.job}, {"CIM_Synchronized", s.relationship},
		{"CIM_StorageSetting", s.setting}, {classController, s.controller},
	} {
		if s.schema.Class(f.class).IsA(class) || c.IsA(f.class) {
			list = append(list, f.find)
		}
	}
	return list
}

func (s *session) setting(ctx context.Context, name string) (*cim.Instance, error) {
	return s.find(ctx, "CIM_StorageSetting", "setting", name, "ElementName", "InstanceID")
}

func (s *session) controller(ctx context.Context, name string) (*cim.Instance, error) {
	return s.find(ctx, classController, "controller", name, "TargetName", "DeviceID")
}

// embedded reads an instance written {Property=value;Property=value}.
func (s *session) embedded(ctx context.Context, class, word string) (cim.Value, error) {
	inner, ok := strings.CutPrefix(word, "{")
	inner, ok2 := strings.CutSuffix(inner, "}")
	if !ok || !ok2 {
		return nil, usageError{fmt.Errorf("%q: an embedded instance is written {Property=value;...}", word)}
	}
	c := s.schema.Class(class)
	b := cim.Build(c)
	if inner == "" {
		return b.Instance()
	}
	for _, w := range split(inner, ';') {
		name, text, ok := strings.Cut(w, "=")
		p := c.Property(strings.TrimSpace(name))
		if !ok || p == nil {
			return nil, usageError{fmt.Errorf("%q is not Property=value of %s", w, class)}
		}
		v, err := s.value(ctx, declared{p.Type, p.Array, p.RefClass, p.Embedded, p.Qualifiers}, text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		b.Set(p.Name, v)
	}
	return b.Instance()
}
