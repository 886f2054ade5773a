package cim

import (
	"errors"
	"slices"
)

// Builder fills an instance and keeps the first error, so that its caller checks
// once. It is for one goroutine and one instance.
type Builder struct {
	in  *Instance
	err error
}

// Build begins an instance of a class with the class's defaults. A nil class is
// an error of the result.
func Build(c *Class) *Builder {
	if c == nil {
		return &Builder{err: Internal(errors.New("instance of a class that is not in the schema"))}
	}
	return &Builder{in: NewInstance(c)}
}

// BuildLike begins an instance with the class and the values of another.
func BuildLike(in *Instance) *Builder {
	return &Builder{in: &Instance{Class: in.Class, values: slices.Clone(in.values)}}
}

// Set gives a property a value, as Instance.Set does. After an error it does
// nothing.
func (b *Builder) Set(name string, v Value) *Builder {
	if b.err == nil {
		b.err = b.in.Set(name, v)
	}
	return b
}

// Instance is what was built, without a path, or the first error.
func (b *Builder) Instance() (*Instance, error) {
	if b.err != nil {
		return nil, b.err
	}
	return b.in, nil
}

// InstanceIn is what was built, with the path that its keys give it in a
// namespace, or the first error.
func (b *Builder) InstanceIn(namespace string) (*Instance, error) {
	if b.err != nil {
		return nil, b.err
	}
	p, err := b.in.PathIn(namespace)
	if err != nil {
		return nil, err
	}
	b.in.Path = p
	return b.in, nil
}
