package provider

import (
	"context"
	"errors"
	"strings"

	"twinlun/cim"
)

// Get finds an instance. The path may name a superclass of the instance's class.
// It may lack keys where the class and its subclasses have one instance in all.
func (b *Broker) Get(ctx context.Context, p *cim.Path) (*cim.Instance, error) {
	_, in, err := b.find(ctx, p)
	return in, err
}

// find is Get that also tells who serves the instance.
func (b *Broker) find(ctx context.Context, p *cim.Path) (*entry, *cim.Instance, error) {
	class, err := b.Class(p.Namespace, p.Class)
	if err != nil {
		return nil, nil, err
	}
	served := b.served(p.Namespace, class)
	if len(p.Keys) == 0 {
		return b.sole(ctx, p, served)
	}
	keys, err := checkKeys(class, p.Keys)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range served {
		q := &cim.Path{Namespace: cim.CanonicalNamespace(p.Namespace), Class: e.class.Name, Keys: keys}
		in, err := e.get(ctx, q)
		if err == nil {
			return e, in, nil
		}
		if cim.StatusOf(err) != cim.StatusNotFound {
			return nil, nil, err
		}
	}
	return nil, nil, cim.Errorf(cim.StatusNotFound, "there is no instance %s", p)
}

// checkKeys says whether keys are those of the class, each once, and returns
// them in the order of the class, coerced.
func checkKeys(class *cim.Class, keys []cim.Key) ([]cim.Key, error) {
	checked := make([]cim.Key, 0, len(class.Keys))
	for _, decl := range class.Keys {
		k, err := keyOf(class, decl, keys)
		if err != nil {
			return nil, err
		}
		checked = append(checked, k)
	}
	for _, k := range keys {
		if p := class.Property(k.Name); p == nil || !p.Key {
			return nil, cim.Errorf(cim.StatusInvalidParameter, "%q is not a key of %s", k.Name, class.Name)
		}
	}
	if len(keys) != len(checked) {
		return nil, cim.Errorf(cim.StatusInvalidParameter, "a key of %s is given twice", class.Name)
	}
	return checked, nil
}

func keyOf(class *cim.Class, decl *cim.Property, keys []cim.Key) (cim.Key, error) {
	for _, k := range keys {
		if !strings.EqualFold(k.Name, decl.Name) {
			continue
		}
		v, err := cim.Coerce(k.Value, decl.Type, false, false)
		if err != nil || v == nil {
			return cim.Key{}, cim.Errorf(cim.StatusInvalidParameter, "key %s of %s does not have a value of type %s", decl.Name, class.Name, decl.Type)
		}
		return cim.Key{Name: decl.Name, Value: v}, nil
	}
	return cim.Key{}, cim.Errorf(cim.StatusInvalidParameter, "key %s of %s is missing", decl.Name, class.Name)
}

// get finds an instance of exactly this class.
func (e *entry) get(ctx context.Context, p *cim.Path) (*cim.Instance, error) {
	if g, ok := e.provider.(Getter); ok {
		return g.Get(ctx, p)
	}
	found, err := e.first(ctx, p.Namespace, func(in *cim.Instance) bool { return in.Path.Equal(p) })
	if err == nil && found == nil {
		err = cim.Errorf(cim.StatusNotFound, "there is no instance %s", p)
	}
	return found, err
}

// errStop ends an enumeration that has found what it looked for.
var errStop = errors.New("stop")

// first is the first instance that matches, nil if none does.
func (e *entry) first(ctx context.Context, ns string, match func(*cim.Instance) bool) (*cim.Instance, error) {
	var found *cim.Instance
	err := e.enumerate(ctx, ns, func(in *cim.Instance) error {
		if !match(in) {
			return nil
		}
		found = in
		return errStop
	})
	if err != nil && !errors.Is(err, errStop) {
		return nil, err
	}
	return found, nil
}

// sole finds the one instance that a path without keys can mean.
func (b *Broker) sole(ctx context.Context, p *cim.Path, served []*entry) (*entry, *cim.Instance, error) {
	var owner *entry
	var sole *cim.Instance
	for _, e := range served {
		err := e.enumerate(ctx, cim.CanonicalNamespace(p.Namespace), func(in *cim.Instance) error {
			if sole != nil {
				return errStop
			}
			owner, sole = e, in
			return nil
		})
		if errors.Is(err, errStop) {
			return nil, nil, cim.Errorf(cim.StatusInvalidParameter, "there are several instances of %s: keys are needed to tell which one is meant", p.Class)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if sole == nil {
		return nil, nil, cim.Errorf(cim.StatusNotFound, "there is no instance of %s", p.Class)
	}
	return owner, sole, nil
}
