package classes

import (
	"context"

	"twinlun/cim"
)

// link is one instance of an association without state of its own.
type link struct {
	near, far *cim.Path
	// set adds properties beside the two references; may be nil.
	set func(b *cim.Builder)
}

// links gets one link after the other; an error ends the listing.
type links func(link) error

// association serves an association class whose instances follow from others.
type association struct {
	class     *cim.Class
	near, far string // names of the reference properties
	// all yields every link.
	all func(ctx context.Context, yield links) error
	// of yields the links of one object without going through all; links of
	// other objects do no harm. nil: all is used.
	of func(ctx context.Context, object *cim.Path, yield links) error
}

// Class is the name of the class served.
func (a *association) Class() string { return a.class.Name }

// Namespaces is the storage namespace.
func (a *association) Namespaces() []string { return []string{Namespace} }

// Enumerate yields all instances.
func (a *association) Enumerate(ctx context.Context, _ string, yield cim.Yield) error {
	return a.walk(ctx, yield, func(l links) error { return a.all(ctx, l) })
}

// References yields the instances that refer to an object; the Broker drops
// those that do not.
func (a *association) References(ctx context.Context, object *cim.Path, _ string, yield cim.Yield) error {
	if a.of == nil {
		return a.Enumerate(ctx, Namespace, yield)
	}
	return a.walk(ctx, yield, func(l links) error { return a.of(ctx, object, l) })
}

// walk yields what listing gives. The error of the one who reads comes back to
// him as it is.
func (a *association) walk(ctx context.Context, yield cim.Yield, listing func(links) error) error {
	var stop error
	err := listing(func(l link) error {
		stop = a.give(ctx, l, yield)
		return stop
	})
	if stop != nil {
		return stop
	}
	return statusOf(err)
}

func (a *association) give(ctx context.Context, l link, yield cim.Yield) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b := cim.Build(a.class).Set(a.near, l.near).Set(a.far, l.far)
	if l.set != nil {
		l.set(b)
	}
	in, err := b.InstanceIn(Namespace)
	if err != nil {
		return err
	}
	return yield(in)
}
