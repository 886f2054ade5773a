package provider

import (
	"context"
	"slices"

	"twinlun/cim"
)

// Modify gives properties of an instance new values and returns the instance as it
// is afterwards. A property that has its value already is left alone, whether it may
// be written or not; so is one that is a gauge or a counter and may not be written:
// it changes by itself between a client's Get and its Put. StatusNoSuchProperty,
// StatusTypeMismatch, and StatusInvalidParameter for a value that the schema does not
// allow and for a property that may not be written; StatusAccessDenied without the
// role that the class wants. Then nothing was changed.
func (b *Broker) Modify(ctx context.Context, p *cim.Path, changes []cim.PropertyValue) (*cim.Instance, error) {
	e, in, err := b.find(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := e.authorizeWrite(ctx, "modify"); err != nil {
		return nil, err
	}
	given, err := checkGiven(e.class, changes)
	if err != nil {
		return nil, err
	}
	wanted, err := b.differences(ctx, in, given)
	if err != nil {
		return nil, err
	}
	if len(wanted) == 0 {
		return in, nil
	}
	m, ok := e.provider.(Modifier)
	if !ok {
		return nil, cim.Errorf(cim.StatusNotSupported, "instances of %s cannot be modified", e.class.Name)
	}
	if err := checkWritable(e.class, wanted); err != nil {
		return nil, err
	}
	if err := checkFit(e.class, wanted); err != nil {
		return nil, err
	}
	if err := m.Modify(ctx, in, wanted); err != nil {
		return nil, known(err)
	}
	// It is done: that the time is up now is no reason to say it was not.
	_, in, err = b.find(context.WithoutCancel(ctx), in.Path)
	return in, err
}

// Create makes an instance of a class and returns its path. A superclass that is not
// abstract stands for the one class below it whose instances can be created. Any
// property may be given, as DSP0223 allows: it is for the class to say which of those
// that cannot be modified later it takes. A key that is NULL is not given. What is wrong with a value is told as by
// Modify. StatusNotSupported where instances of the class cannot be created,
// StatusAlreadyExists where the keys are taken.
func (b *Broker) Create(ctx context.Context, ns, class string, given []cim.PropertyValue) (*cim.Path, error) {
	c, err := b.Class(ns, class)
	if err != nil {
		return nil, err
	}
	e, creator, err := b.creator(ns, c)
	if err != nil {
		return nil, err
	}
	if err := e.authorizeWrite(ctx, "create"); err != nil {
		return nil, err
	}
	checked, err := checkGiven(e.class, given)
	if err != nil {
		return nil, err
	}
	checked = slices.DeleteFunc(checked, func(g cim.PropertyValue) bool { return g.Value == nil && e.class.Property(g.Name).Key })
	if err := checkFit(e.class, checked); err != nil {
		return nil, err
	}
	p, err := creator.Create(ctx, cim.CanonicalNamespace(ns), checked)
	if err != nil {
		return nil, known(err)
	}
	return p, nil
}

// creator finds who makes instances of a class.
func (b *Broker) creator(ns string, class *cim.Class) (*entry, Creator, error) {
	if class.Abstract {
		return nil, nil, cim.Errorf(cim.StatusNotSupported, "%s is abstract: it has no instances of its own", class.Name)
	}
	var owner *entry
	var creator Creator
	for _, e := range b.served(ns, class) {
		c, ok := e.provider.(Creator)
		switch {
		case !ok:
		case e.class == class:
			return e, c, nil
		case owner != nil:
			return nil, nil, cim.Errorf(cim.StatusNotSupported, "%s does not say what to create: %s or %s", class.Name, owner.class.Name, e.class.Name)
		default:
			owner, creator = e, c
		}
	}
	if owner == nil {
		return nil, nil, cim.Errorf(cim.StatusNotSupported, "instances of %s cannot be created", class.Name)
	}
	return owner, creator, nil
}

// Delete removes an instance. Its keys are needed also where there is only one: what
// is gone by mistake does not come back.
func (b *Broker) Delete(ctx context.Context, p *cim.Path) error {
	if p != nil && len(p.Keys) == 0 {
		return cim.Errorf(cim.StatusInvalidParameter, "keys are needed to tell which instance of %s is to be deleted", p.Class)
	}
	e, in, err := b.find(ctx, p)
	if err != nil {
		return err
	}
	if err := e.authorizeWrite(ctx, "delete"); err != nil {
		return err
	}
	d, ok := e.provider.(Deleter)
	if !ok {
		return cim.Errorf(cim.StatusNotSupported, "instances of %s cannot be deleted", e.class.Name)
	}
	return known(d.Delete(ctx, in.Path))
}

// authorizeWrite fails without the role that it takes to change instances of the
// class.
func (e *entry) authorizeWrite(ctx context.Context, verb string) error {
	need := cim.RoleOperator
	if g, ok := e.provider.(Guarded); ok {
		need = g.WriteRole()
	}
	who, ok := cim.PrincipalFrom(ctx)
	if !ok || who.Role < need {
		return cim.Errorf(cim.StatusAccessDenied, "to %s a %s takes the role %s", verb, e.class.Name, need)
	}
	return nil
}

// differences leaves out what an instance has already.
func (b *Broker) differences(ctx context.Context, in *cim.Instance, given []cim.PropertyValue) ([]cim.PropertyValue, error) {
	var different []cim.PropertyValue
	for _, g := range given {
		if ref, ok := g.Value.(*cim.Path); ok {
			known, err := b.canonicalKeys(ctx, []cim.Key{{Name: g.Name, Value: ref}})
			if err != nil {
				return nil, err
			}
			g.Value = known[0].Value
		}
		p := in.Class.Property(g.Name)
		if !same(in.At(p.Index), g.Value) && (writable(p) || !changesByItself(p)) {
			different = append(different, g)
		}
	}
	return different, nil
}

// same says whether a client that gives v has seen have. An array without entries
// and NULL look the same to it.
func same(have, v cim.Value) bool {
	if list, ok := have.([]cim.Value); ok && len(list) == 0 {
		have = nil
	}
	if list, ok := v.([]cim.Value); ok && len(list) == 0 {
		v = nil
	}
	return cim.Equal(have, v)
}

func writable(p *cim.Property) bool { return p.Qualifiers.Flag("Write") }

// changesByItself says whether a property goes up and down while nobody does
// anything to the instance.
func changesByItself(p *cim.Property) bool {
	return p.Qualifiers.Flag("Gauge") || p.Qualifiers.Flag("Counter")
}

func checkWritable(class *cim.Class, changes []cim.PropertyValue) error {
	for _, c := range changes {
		p := class.Property(c.Name)
		switch {
		case p.Key:
			return cim.Errorf(cim.StatusInvalidParameter, "%s is a key of %s: it cannot be modified", p.Name, class.Name)
		case !writable(p):
			return cim.Errorf(cim.StatusInvalidParameter, "%s of %s cannot be modified, and has another value now", p.Name, class.Name)
		}
	}
	return nil
}
