package classes

import (
	"cmp"
	"context"
	"sync"

	"twinlun/cim"
)

// source serves the instances of a class that are made from values of T.
type source[T any] struct {
	class *cim.Class
	// space is the namespace; empty: the storage namespace.
	space string
	// each gives all values, in a stable order, until yield fails, with that error.
	each func(ctx context.Context, yield func(T) error) error
	// count says how many there are; nil: they are counted.
	count func(ctx context.Context) (int, error)
	// find gives the one value that a path can mean, without comparing all of
	// its keys. A path that means none is a lookup that found nothing.
	find func(ctx context.Context, p *cim.Path) (T, error)
	// same sets the properties that all instances share; may be nil. It is called
	// once.
	same func(b *cim.Builder)
	// fill sets the others.
	fill func(b *cim.Builder, v T)

	common sync.Once
	model  *cim.Instance // what same sets
	broken error         // why it could not
}

// Class is the name of the class served.
func (s *source[T]) Class() string { return s.class.Name }

// Namespaces is where the class is served.
func (s *source[T]) Namespaces() []string { return []string{cmp.Or(s.space, Namespace)} }

// Enumerate yields all instances.
func (s *source[T]) Enumerate(ctx context.Context, _ string, yield cim.Yield) error {
	return s.show(ctx, s.each, yield)
}

// show yields the instances of what each gives. The error of the one who reads
// comes back to him as it is.
func (s *source[T]) show(ctx context.Context, each func(context.Context, func(T) error) error, yield cim.Yield) error {
	var stop error
	err := each(ctx, func(v T) error {
		if stop = ctx.Err(); stop != nil {
			return stop
		}
		var in *cim.Instance
		if in, stop = s.instance(v); stop == nil {
			stop = yield(in)
		}
		return stop
	})
	if stop != nil {
		return stop
	}
	return statusOf(err)
}

// Count says how many instances there are.
func (s *source[T]) Count(ctx context.Context, _ string) (n int, err error) {
	if s.count != nil {
		n, err = s.count(ctx)
	} else {
		err = s.each(ctx, func(T) error { n++; return ctx.Err() })
	}
	return n, statusOf(err)
}

// Find finds the one instance that some keys mean where all instances share the
// others.
func (s *source[T]) Find(ctx context.Context, ns string, keys []cim.Key, yield cim.Yield) (bool, error) {
	p, ok := s.complete(ns, keys)
	if !ok {
		return false, nil
	}
	in, err := s.Get(ctx, p)
	if cim.StatusOf(err) == cim.StatusNotFound {
		return true, nil
	}
	if err == nil {
		err = yield(in)
	}
	return true, err
}

// complete adds the keys that all instances share.
func (s *source[T]) complete(ns string, keys []cim.Key) (*cim.Path, bool) {
	shared, err := s.shared()
	if err != nil {
		return nil, false
	}
	given := &cim.Path{Keys: keys}
	p := &cim.Path{Namespace: ns, Class: s.class.Name}
	for _, k := range s.class.Keys {
		v := given.Key(k.Name)
		if v == nil {
			v = shared.At(k.Index)
		}
		if v == nil {
			return nil, false
		}
		p.Keys = append(p.Keys, cim.Key{Name: k.Name, Value: v})
	}
	return p, true
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
	shared, err := s.shared()
	if err != nil {
		return nil, cim.Internal(err)
	}
	b := cim.BuildLike(shared)
	s.fill(b, v)
	in, err := b.InstanceIn(cmp.Or(s.space, Namespace))
	if err != nil {
		return nil, cim.Internal(err)
	}
	return in, nil
}

// shared is an instance that has what all instances share.
func (s *source[T]) shared() (*cim.Instance, error) {
	s.common.Do(func() {
		b := cim.Build(s.class)
		if s.same != nil {
			s.same(b)
		}
		s.model, s.broken = b.Instance()
	})
	return s.model, s.broken
}

// only is the list of a class with one instance.
func only[T any](v T) func(context.Context, func(T) error) error {
	return func(_ context.Context, yield func(T) error) error { return yield(v) }
}

// always is the find of a class with one instance.
func always[T any](v T) func(context.Context, *cim.Path) (T, error) {
	return func(context.Context, *cim.Path) (T, error) { return v, nil }
}

// eachOf is the each of a list that is made at once.
func eachOf[T any](list func(context.Context) ([]T, error)) func(context.Context, func(T) error) error {
	return func(ctx context.Context, yield func(T) error) error {
		all, err := list(ctx)
		if err != nil {
			return err
		}
		return inTurn(all, yield)
	}
}

// inTurn calls f for each value until it fails.
func inTurn[T any](all []T, f func(T) error) error {
	for _, v := range all {
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

func notFound(p *cim.Path) error {
	return cim.Errorf(cim.StatusNotFound, "there is no instance %s", p)
}
