package classes

import (
	"context"
	"slices"

	"twinlun/cim"
	"twinlun/replication"
)

// writer is what can be done to the instances of a class beside calling methods. A
// function that is nil cannot be done.
type writer struct {
	class string
	role  cim.Role
	// accepts are the properties that modify takes. The schema lets others be
	// written too, which this system has no use for.
	accepts []string
	modify  func(ctx context.Context, in *cim.Instance, c changes) error
	create  func(ctx context.Context, given changes) (*cim.Path, error)
	remove  func(ctx context.Context, p *cim.Path) error
}

// WriteRole is the role that it takes to change instances.
func (w *writer) WriteRole() cim.Role { return w.role }

// Modify changes an instance.
func (w *writer) Modify(ctx context.Context, in *cim.Instance, list []cim.PropertyValue) error {
	if w.modify == nil {
		return cim.Errorf(cim.StatusNotSupported, "instances of %s cannot be modified", w.class)
	}
	for _, c := range list {
		if w.accepts != nil && !slices.Contains(w.accepts, c.Name) {
			return cim.Errorf(cim.StatusNotSupported, "%s of %s cannot be modified on this system", c.Name, w.class)
		}
	}
	return writeStatus(w.modify(asOwner(ctx), in, list))
}

// Create makes an instance.
func (w *writer) Create(ctx context.Context, _ string, given []cim.PropertyValue) (*cim.Path, error) {
	if w.create == nil {
		return nil, cim.Errorf(cim.StatusNotSupported, "instances of %s cannot be created", w.class)
	}
	p, err := w.create(asOwner(ctx), given)
	return p, writeStatus(err)
}

// Delete removes an instance.
func (w *writer) Delete(ctx context.Context, p *cim.Path) error {
	if w.remove == nil {
		return cim.Errorf(cim.StatusNotSupported, "instances of %s cannot be deleted", w.class)
	}
	return writeStatus(w.remove(asOwner(ctx), p))
}

// asOwner makes who asks the owner of what is done.
func asOwner(ctx context.Context) context.Context {
	if who, ok := cim.PrincipalFrom(ctx); ok {
		return replication.WithOwner(ctx, who.Name)
	}
	return ctx
}

// removeBy is the remove of what goes by a method only.
func removeBy(class, method string) func(context.Context, *cim.Path) error {
	return func(context.Context, *cim.Path) error {
		return cim.Errorf(cim.StatusNotSupported, "instances of %s are not deleted as such: call %s", class, method)
	}
}

// writable is a source whose instances can be written.
type writable[T any] struct {
	*source[T]
	*writer
}

// Class is the name of the class served.
func (w writable[T]) Class() string { return w.source.Class() }

// writableLink is a writable that is an association too.
type writableLink[T any] struct {
	*synchronized[T]
	*writer
}

// Class is the name of the class served.
func (w writableLink[T]) Class() string { return w.synchronized.Class() }

// writableService is a writable with methods.
type writableService[T any] struct {
	*service[T]
	*writer
}

// Class is the name of the class served.
func (w writableService[T]) Class() string { return w.service.Class() }

// changes are properties that a client gives other values.
type changes []cim.PropertyValue

// has says whether a property is among them, also with NULL.
func (c changes) has(name string) bool {
	return slices.ContainsFunc(c, func(p cim.PropertyValue) bool { return p.Name == name })
}

// value is what a property is to be, nil also where it is not among them.
func (c changes) value(name string) cim.Value {
	for _, p := range c {
		if p.Name == name {
			return p.Value
		}
	}
	return nil
}

// asked is what a property is to be, nil where it is to stay as it is. NULL is the
// zero value.
func asked[T any](c changes, name string) *T {
	if !c.has(name) {
		return nil
	}
	v, _ := c.value(name).(T)
	return &v
}
