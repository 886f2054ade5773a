package provider

import (
	"context"
	"errors"
	"slices"
	"time"

	"twinlun/cim"
)

// Config is what a Broker is made of. Nothing in it may change afterwards.
type Config struct {
	Schema *cim.Schema
	// Providers serve the instances, at most one for each class.
	Providers []Provider
	// Namespaces that exist, in any spelling; every class of the schema is
	// declared in each of them.
	Namespaces []string
	// Time is what CurrentDateTime() in queries asks; where it is nil such queries
	// are refused.
	Time func() time.Time
}

// Broker carries out the operations of DSP0223 on the classes of its providers.
// Its methods may be called at the same time. Every failure is a *cim.Error, but
// for the error of a context that ended and what a Yield returned.
type Broker struct {
	schema     *cim.Schema
	time       func() time.Time
	namespaces map[string]bool
	entries    []*entry                // in the order of registration
	serving    map[*cim.Class][]*entry // those of a class and its subclasses
}

// entry is one provider with its linked class.
type entry struct {
	class      *cim.Class
	provider   Provider
	namespaces map[string]bool
}

// NewBroker checks that each provider's class exists, is concrete and is served
// once, in namespaces that exist, and fails at the first that is not.
func NewBroker(c Config) (*Broker, error) {
	b := &Broker{schema: c.Schema, time: c.Time, namespaces: nameSet(c.Namespaces), serving: map[*cim.Class][]*entry{}}
	for _, p := range c.Providers {
		if err := b.register(p); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *Broker) register(p Provider) error {
	class := b.schema.Class(p.Class())
	switch {
	case class == nil:
		return cim.Errorf(cim.StatusInvalidClass, "provider of %s: no such class in the schema", p.Class())
	case class.Abstract:
		return cim.Errorf(cim.StatusInvalidClass, "provider of %s: the class is abstract", class.Name)
	case slices.ContainsFunc(b.entries, func(e *entry) bool { return e.class == class }):
		return cim.Errorf(cim.StatusAlreadyExists, "provider of %s: the class has one already", class.Name)
	}
	e := &entry{class: class, provider: p, namespaces: nameSet(p.Namespaces())}
	for ns := range e.namespaces {
		if !b.namespaces[ns] {
			return cim.Errorf(cim.StatusInvalidNamespace, "provider of %s: no namespace %s", class.Name, ns)
		}
	}
	b.entries = append(b.entries, e)
	for c := class; c != nil; c = c.Super {
		b.serving[c] = append(b.serving[c], e)
	}
	return nil
}

func nameSet(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[cim.CanonicalNamespace(n)] = true
	}
	return set
}

// Class finds a class of a namespace: StatusInvalidNamespace or
// StatusInvalidClass if there is none.
func (b *Broker) Class(ns, name string) (*cim.Class, error) {
	if !b.namespaces[cim.CanonicalNamespace(ns)] {
		return nil, cim.Errorf(cim.StatusInvalidNamespace, "there is no namespace %q", ns)
	}
	if c := b.schema.Class(name); c != nil {
		return c, nil
	}
	return nil, cim.Errorf(cim.StatusInvalidClass, "there is no class %q in namespace %s", name, ns)
}

// Classes lists the subclasses of a class, direct ones or, if deep, all; without
// a name it starts from the roots, which it lists too.
func (b *Broker) Classes(ns, name string, deep bool) ([]*cim.Class, error) {
	if name != "" {
		if _, err := b.Class(ns, name); err != nil {
			return nil, err
		}
		return b.subclasses(name, deep), nil
	}
	if !b.namespaces[cim.CanonicalNamespace(ns)] {
		return nil, cim.Errorf(cim.StatusInvalidNamespace, "there is no namespace %q", ns)
	}
	if deep {
		return slices.Clone(b.schema.Classes()), nil
	}
	isChild := func(c *cim.Class) bool { return c.Super != nil }
	return slices.DeleteFunc(slices.Clone(b.schema.Classes()), isChild), nil
}

func (b *Broker) subclasses(name string, deep bool) []*cim.Class {
	var all []*cim.Class
	for _, c := range b.schema.Subclasses(name) {
		all = append(all, c)
		if deep {
			all = append(all, b.subclasses(c.Name, true)...)
		}
	}
	return all
}

// served lists the providers of the class and its subclasses in a namespace.
func (b *Broker) served(ns string, class *cim.Class) []*entry {
	ns = cim.CanonicalNamespace(ns)
	return slices.DeleteFunc(slices.Clone(b.serving[class]), func(e *entry) bool { return !e.namespaces[ns] })
}

// Enumerate yields the instances of a class and, unless o.Shallow, of its
// subclasses.
func (b *Broker) Enumerate(ctx context.Context, ns, class string, o cim.EnumerateOptions, yield cim.Yield) error {
	c, err := b.Class(ns, class)
	if err != nil {
		return err
	}
	for _, e := range b.served(ns, c) {
		if o.Shallow && e.class != c {
			continue
		}
		if err := e.enumerate(ctx, cim.CanonicalNamespace(ns), yield); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (e *entry) enumerate(ctx context.Context, ns string, yield cim.Yield) error {
	en, ok := e.provider.(Enumerator)
	if !ok {
		return cim.Errorf(cim.StatusNotSupported, "instances of %s cannot be enumerated", e.class.Name)
	}
	var stop error
	err := en.Enumerate(ctx, ns, func(in *cim.Instance) error {
		stop = yield(in)
		return stop
	})
	if stop != nil {
		return stop
	}
	return known(err)
}

// known is a provider's error if clients may see it: a *cim.Error or that of a
// context. Every other one is internal.
func known(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[*cim.Error](err); ok {
		return err
	}
	return cim.Internal(err)
}

// isNotFound says whether an operation failed because there is no such instance.
func isNotFound(err error) bool { return err != nil && cim.StatusOf(err) == cim.StatusNotFound }
