package provider

import (
	"context"
	"errors"
	"slices"
	"strings"

	"twinlun/cim"
)

// Get finds an instance. The path may name a superclass of the instance's class,
// and so may the references among its keys. It may lack keys where the class and
// its subclasses have one instance in all.
func (b *Broker) Get(ctx context.Context, p *cim.Path) (*cim.Instance, error) {
	_, in, err := b.find(ctx, p)
	return in, err
}

// find is Get that also tells who serves the instance.
func (b *Broker) find(ctx context.Context, p *cim.Path) (*entry, *cim.Instance, error) {
	if p == nil {
		return nil, nil, cim.Errorf(cim.StatusInvalidParameter, "an object path is needed")
	}
	class, err := b.Class(p.Namespace, p.Class)
	if err != nil {
		return nil, nil, err
	}
	served := b.served(p.Namespace, class)
	if len(p.Keys) == 0 {
		return b.sole(ctx, p, served)
	}
	given, err := b.canonicalKeys(ctx, p.Keys)
	if err != nil {
		return nil, nil, err
	}
	fit, err := entriesWith(class, given, served)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range fit {
		q := &cim.Path{Namespace: cim.CanonicalNamespace(p.Namespace), Class: c.class.Name, Keys: c.keys}
		in, err := c.get(ctx, q)
		if !isNotFound(err) {
			return c.entry, in, known(err)
		}
	}
	return nil, nil, noInstance(p)
}

func noInstance(p *cim.Path) error {
	return cim.Errorf(cim.StatusNotFound, "there is no instance %s", p)
}

// candidate is a provider that may have an instance with these keys, which are
// in the order of its class.
type candidate struct {
	*entry
	keys []cim.Key
}

// entriesWith lists the providers whose classes have these keys. A superclass
// may have fewer keys than the classes that are served, or none. When no
// provider fits, the error says what is wrong with the keys.
func entriesWith(class *cim.Class, given []cim.Key, served []*entry) ([]candidate, error) {
	var fit []candidate
	var refused error
	for _, e := range served {
		keys, err := checkKeys(e.class, given)
		if err == nil {
			fit = append(fit, candidate{e, keys})
		} else if refused == nil {
			refused = err
		}
	}
	if len(served) == 0 {
		_, refused = checkKeys(class, given)
	}
	if len(fit) > 0 {
		return fit, nil
	}
	return nil, refused
}

// canonicalKeys gives references among keys the path that the instance itself
// has. One to an instance that is not there stays as it is: an association may
// outlive an end for a while.
func (b *Broker) canonicalKeys(ctx context.Context, keys []cim.Key) ([]cim.Key, error) {
	out := slices.Clone(keys)
	for i, k := range out {
		ref, ok := k.Value.(*cim.Path)
		if !ok || ref == nil {
			continue
		}
		in, err := b.Get(ctx, ref)
		switch {
		case err == nil:
			out[i].Value = in.Path
		case !isNotFound(err):
			return nil, err
		}
	}
	return out, nil
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
		err = noInstance(p)
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
