package classes

import (
	"context"

	"twinlun/cim"
)

// source serves the instances of a class that are made from values of T.
type source[T any] struct {
	class *cim.Class
	// list gives all values, in a stable order.
	list func(ctx context.Context) ([]T, error)
	// find gives the one value that a path can mean, without comparing all of
	// its keys. A path that means none is a lookup that found nothing.
	find func(ctx context.Context, p *cim.Path) (T, error)
	// fill sets the properties.
	fill func(b *cim.Builder, v T)
}

// Class is the name of the class served.
func (s *source[T]) Class() string { return s.class.Name }

// Namespaces is the storage namespace.
func (s *source[T]) Namespaces() []string { return []string{Namespace} }

// Enumerate yields all instances.
func (s *source[T]) Enumerate(ctx context.Context, _ string, yield cim.Yield) error {
	values, err := s.list(ctx)
	if err != nil {
		return statusOf(err)
	}
	return s.each(ctx, values, yield)
}

// each yields the instances of values.
func (s *source[T]) each(ctx context.Context, values []T, yield cim.Yield) error {
	for _, v := range values {
		if err := ctx.Err(); err != nil {
			return err
		}
		in, err := s.instance(v)
		if err == nil {
			err = yield(in)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Get finds one instance and compares all of its keys.
func (s *source[T]) Get(ctx context.Context, p *cim.Path) (*cim.Instance, error) {
	v, err := s.find(ctx, p)
	if err != nil {
		return nil, statusOf(err)
	}
	in, err := s.instance(v)
	if err == nil && !in.Path.Equal(p) {
		err = notFound(p)
	}
	if err != nil {
		return nil, err
	}
	return in, nil
}

// instance is the instance of one value. That it cannot be made is a defect of
// ours, not of the request.
func (s *source[T]) instance(v T) (*cim.Instance, error) {
	b := cim.Build(s.class)
	s.fill(b, v)
	in, err := b.InstanceIn(Namespace)
	if err != nil {
		return nil, cim.Internal(err)
	}
	return in, nil
}

// only is the list of a class with one instance.
func only[T any](v T) func(context.Context) ([]T, error) {
	return func(context.Context) ([]T, error) { return []T{v}, nil }
}

// always is the find of a class with one instance.
func always[T any](v T) func(context.Context, *cim.Path) (T, error) {
	return func(context.Context, *cim.Path) (T, error) { return v, nil }
}

// each calls f for what list gives until it fails.
func each[T any](ctx context.Context, list func(context.Context) ([]T, error), f func(T) error) error {
	all, err := list(ctx)
	for _, v := range all {
		if err != nil {
			return err
		}
		err = f(v)
	}
	return err
}

func notFound(p *cim.Path) error {
	return cim.Errorf(cim.StatusNotFound, "there is no instance %s", p)
}
