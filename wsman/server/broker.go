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
	// Count says how many instances Enumerate would yield, where that is known.
	Count(ctx context.Context, ns, class string, o cim.EnumerateOptions) (n int, known bool, err error)
}

// Querier carries out queries. What is wrong with one is StatusInvalidQuery, or
// StatusQueryLanguageNotSupported.
type Querier interface {
	Filter(ns string, q cim.Query) (cim.Filter, error)
	// Query is like Reader.Enumerate; instances are as Filter.Project makes them.
	Query(ctx context.Context, ns string, q cim.Query, yield cim.Yield) error
}

// Writer changes instances. It decides whether the cim.Principal of ctx may.
type Writer interface {
	// Modify changes all of the properties or none and returns the instance as it
	// is afterwards. What has its value already may be given.
	Modify(ctx context.Context, p *cim.Path, changes []cim.PropertyValue) (*cim.Instance, error)
	Create(ctx context.Context, ns, class string, given []cim.PropertyValue) (*cim.Path, error)
	Delete(ctx context.Context, p *cim.Path) error
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
	Querier
	Writer
	Invoker
	Schema
}
