package server

import (
	"context"

	"twinlun/cim"
)

// Reader finds instances (DSP0223). Failures are *cim.Error. Paths may name a
// superclass and, where there is one instance, lack the keys.
//
// yield may take as long as a client takes to ask for more, so implementations
// must not hold locks around it. After yield failed or ctx ended they return
// soon.
type Reader interface {
	Get(ctx context.Context, p *cim.Path) (*cim.Instance, error)
	Enumerate(ctx context.Context, ns, class string, o cim.EnumerateOptions, yield cim.Yield) error
	Associated(ctx context.Context, ns string, q cim.AssociationQuery, yield cim.Yield) error
}

// Invoker calls methods. It decides whether the cim.Principal of ctx may.
type Invoker interface {
	Invoke(ctx context.Context, c *cim.Call) (*cim.Reply, error)
}

// Schema shows classes.
type Schema interface {
	// Class fails with StatusInvalidNamespace or StatusInvalidClass.
	Class(ns, name string) (*cim.Class, error)
	// Classes lists the subclasses of name, of an empty name the roots; deep
	// adds theirs.
	Classes(ns, name string, deep bool) ([]*cim.Class, error)
}

// Broker is what the server serves. *provider.Broker is one. It is safe for
// concurrent use.
type Broker interface {
	Reader
	Invoker
	Schema
}
