package classes

import (
	"context"
	"errors"

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
	near, far string // names of the reference properties; far is the end with fewer links
	// spaces are the namespaces, in each of which all links are; nil: the storage
	// namespace. The ends are where they are.
	spaces []string
	// all yields every link.
	all func(ctx context.Context, yield links) error
	// of yields the links of an object, of whatever class, without building
	// those of others; of one that is not there it yields none or fails as a
	// lookup does. nil: there are so few that all will do.
	of func(ctx context.Context, object *cim.Path, yield links) error
}

// Class is the name of the class served.
func (a *association) Class() string { return a.class.Name }

// Namespaces is where the class is served.
func (a *association) Namespaces() []string {
	if a.spaces == nil {
		return []string{Namespace}
	}
	return a.spaces
}

// Enumerate yields all instances.
func (a *association) Enumerate(ctx context.Context, ns string, yield cim.Yield) error {
	return a.walk(ctx, ns, yield, a.all)
}

// References yields the instances that refer to an object, and where there are
// few, others too: the Broker drops them.
func (a *association) References(ctx context.Context, object *cim.Path, _ string, yield cim.Yield) error {
	return a.referring(ctx, object.Namespace, object, yield)
}

// referring is References in a namespace.
func (a *association) referring(ctx context.Context, ns string, object *cim.Path, yield cim.Yield) error {
	if a.of == nil {
		return a.walk(ctx, ns, yield, a.all)
	}
	return a.walk(ctx, ns, yield, func(ctx context.Context, l links) error {
		if err := a.of(ctx, object, l); !missing(err) {
			return err
		}
		return nil // gone since the Broker has seen it
	})
}

// errFound ends a search.
var errFound = errors.New("found")

// Get finds an instance among the links of its far end.
func (a *association) Get(ctx context.Context, p *cim.Path) (*cim.Instance, error) {
	far, ok := p.Key(a.far).(*cim.Path)
	if !ok {
		return nil, notFound(p)
	}
	var found *cim.Instance
	err := a.referring(ctx, p.Namespace, far, func(in *cim.Instance) error {
		if !in.Path.Equal(p) {
			return nil
		}
		found = in
		return errFound
	})
	switch {
	case found != nil:
		return found, nil
	case err != nil:
		return nil, err
	}
	return nil, notFound(p)
}

// walk yields what listing gives. The error of the one who reads comes back to
// him as it is.
func (a *association) walk(ctx context.Context, ns string, yield cim.Yield, listing func(context.Context, links) error) error {
	var stop error
	err := listing(ctx, func(l link) error {
		stop = a.giveIn(ctx, ns, l, yield)
		return stop
	})
	if stop != nil {
		return stop
	}
	return statusOf(err)
}

// give yields the instance of a link in the storage namespace.
func (a *association) give(ctx context.Context, l link, yield cim.Yield) error {
	return a.giveIn(ctx, Namespace, l, yield)
}

func (a *association) giveIn(ctx context.Context, ns string, l link, yield cim.Yield) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b := cim.Build(a.class).Set(a.near, l.near).Set(a.far, l.far)
	if l.set != nil {
		l.set(b)
	}
	in, err := b.InstanceIn(ns)
	if err != nil {
		return cim.Internal(err)
	}
	return yield(in)
}
