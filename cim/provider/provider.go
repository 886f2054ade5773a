// Package provider stands between protocols and the classes that are served. The
// interfaces are what a class implements; the Broker checks each request against
// the schema, finds the classes concerned and dispatches.
package provider

import (
	"context"

	"twinlun/cim"
)

// Provider serves one concrete class. What else it can do it says by the
// one-method interfaces below; where one is absent the operation answers
// StatusNotSupported.
type Provider interface {
	// Class is the name of the class served, which must be in the schema and
	// not abstract.
	Class() string
	// Namespaces lists where it is served, in canonical form.
	Namespaces() []string
}

// Enumerator lists all instances, each with its Path, in a stable order. It must
// return soon after ctx ends or yield fails, with that error.
type Enumerator interface {
	Enumerate(ctx context.Context, ns string, yield cim.Yield) error
}

// Getter finds one instance by its keys. The Broker has checked that p has
// exactly the keys of the class, coerced. StatusNotFound if there is none.
// Where it is absent the Broker enumerates.
type Getter interface {
	Get(ctx context.Context, p *cim.Path) (*cim.Instance, error)
}

// Invoker calls a method. c.Path is complete (all keys), names an instance of
// this class unless the method is static, and c.In is coerced to the
// declaration and has no unknown names.
type Invoker interface {
	Invoke(ctx context.Context, c *cim.Call) (*cim.Reply, error)
}

// Associator lists the instances of this association class that refer to object
// through the property role, or through any property where role is empty. Where
// it is absent the Broker enumerates and compares.
type Associator interface {
	References(ctx context.Context, object *cim.Path, role string, yield cim.Yield) error
}

// Privileged says which role a method of the class needs. Where it is absent
// every method needs cim.RoleOperator.
type Privileged interface {
	MethodRole(method string) cim.Role
}

// Guarded says which role it takes to modify, create or delete an instance of the
// class. Where it is absent that is cim.RoleOperator.
type Guarded interface {
	WriteRole() cim.Role
}

// Counter says how many instances Enumerate would yield, without making them.
type Counter interface {
	Count(ctx context.Context, ns string) (int, error)
}

// Finder lists the instances that have at least these keys, which are declared,
// coerced, and not all of the class, where it can find them without going through
// all; ok is false where it cannot, and nothing was yielded then. It may yield others
// too: the caller compares.
type Finder interface {
	Find(ctx context.Context, ns string, keys []cim.Key, yield cim.Yield) (ok bool, err error)
}

// Modifier changes an instance. in is how it is now; changes are properties with
// the qualifier Write, by their declared names, coerced, each once and each really
// different. All of them are made, or none.
type Modifier interface {
	Modify(ctx context.Context, in *cim.Instance, changes []cim.PropertyValue) error
}

// Creator makes an instance. given are the properties that the client has set, by
// their declared names, coerced, each once; the others are for the provider to say. It
// returns the path of the new instance. StatusAlreadyExists where its keys are taken.
type Creator interface {
	Create(ctx context.Context, ns string, given []cim.PropertyValue) (*cim.Path, error)
}

// Deleter removes an instance whose path is complete.
type Deleter interface {
	Delete(ctx context.Context, p *cim.Path) error
}
