package cim

import (
	"context"
	"strings"
	"time"
)

// Arg is one argument of a method, by name.
type Arg struct {
	Name  string
	Value Value
}

// Args are the arguments of a method. Absent and NULL mean the same.
type Args []Arg

// Get is the value of an argument, regardless of the case of its name; NULL if
// it is absent.
func (as Args) Get(name string) Value {
	for _, a := range as {
		if strings.EqualFold(a.Name, name) {
			return a.Value
		}
	}
	return nil
}

// Call is one method call.
type Call struct {
	Path   *Path // of the instance; without keys for a static method or a sole instance
	Method string
	In     Args // coerced to the declarations of the method
	// Timeout is how long the client waits, 0 if it did not say.
	Timeout time.Duration
}

// Reply is the answer to a Call.
type Reply struct {
	Return Value
	Out    Args
	// Reason says in words why Return is not success; empty otherwise.
	Reason string
}

// AssociationQuery is a request for what is associated with an instance
// (DSP0223 Associators and References). Empty strings do not restrict.
type AssociationQuery struct {
	Object           *Path
	AssociationClass string
	ResultClass      string
	Role             string // property of the association that refers to Object
	ResultRole       string // property that refers to the result (not for references)
	// References asks for the associations themselves instead of the far ends.
	References bool
	// Properties are those of the results that are to be shown; nil: all.
	Properties []string
}

// EnumerateOptions narrow an enumeration.
type EnumerateOptions struct {
	// Shallow leaves out instances of subclasses.
	Shallow bool
}

// Yield gets one instance after the other; an error ends the enumeration and
// comes back from it.
type Yield func(*Instance) error

// Role is what a user may do.
type Role uint8

// The roles, each of which includes those before it.
const (
	RoleMonitor  Role = iota + 1 // read everything
	RoleOperator                 // replicate: relationships, groups, jobs
	RoleAdmin                    // everything: volumes, exposure
)

// String names the role as users write it.
func (r Role) String() string {
	switch r {
	case RoleMonitor:
		return "monitor"
	case RoleOperator:
		return "operator"
	case RoleAdmin:
		return "admin"
	}
	return "none"
}

// Principal is who asks.
type Principal struct {
	Name   string
	Role   Role
	Remote string // address it came from, host:port
}

type principalKey struct{}

// WithPrincipal makes a context that knows who asks.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom is who asks; ok is false where nobody said.
func PrincipalFrom(ctx context.Context) (p Principal, ok bool) {
	p, ok = ctx.Value(principalKey{}).(Principal)
	return p, ok
}
