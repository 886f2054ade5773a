package wscim

import (
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
)

// PathToEPR is a path as an endpoint reference, its class named under a prefix of
// resource URIs (see wsman.Resource). The namespace is a selector where the URI
// has no room for it.
func PathToEPR(p *cim.Path, prefix string) wsman.EPR {
	uri, hasNamespace := wsman.ClassURI(prefix, p.Namespace, p.Class)
	e := wsman.EPR{Address: wsman.Anonymous, ResourceURI: uri}
	e.Selectors = make([]wsman.Selector, 0, len(p.Keys)+1)
	for _, k := range p.Keys {
		s := wsman.Selector{Name: k.Name}
		if ref, ok := k.Value.(*cim.Path); ok && ref != nil {
			epr := PathToEPR(ref, prefix)
			s.EPR = &epr
		} else {
			s.Value = cim.FormatText(k.Value)
		}
		e.Selectors = append(e.Selectors, s)
	}
	if !hasNamespace && p.Namespace != "" {
		e.Selectors = append(e.Selectors, wsman.Selector{Name: wsman.SelectorNamespace, Value: p.Namespace})
	}
	return e
}

// EPRToPath is the path that an endpoint reference names: class and keys spelled
// as in the schema, keys typed by it. The class may be a base class that has keys.
// A reference without any key passes, for classes with a sole instance. The errors
// are *wsman.Fault.
func EPRToPath(e wsman.EPR, env Env) (*cim.Path, error) {
	r, err := wsman.ParseResourceURI(e.ResourceURI)
	if err != nil {
		return nil, err
	}
	return SelectorsToPath(r, e.Selectors, env)
}

// SelectorsToPath is EPRToPath for the resource and selectors of a request.
func SelectorsToPath(r wsman.Resource, set []wsman.Selector, env Env) (*cim.Path, error) {
	if r.Kind != wsman.KindClass {
		return nil, wsman.InvalidResourceURI("the resource URI names no class")
	}
	c, err := env.class(r.Class)
	if err != nil {
		return nil, wsman.InvalidResourceURI("%v", err).WithCIM(&cim.Error{Status: cim.StatusInvalidClass, Msg: err.Error()})
	}
	p := &cim.Path{Class: c.Name, Namespace: env.Namespace}
	if ns := Namespace(r, set, env.Namespace); ns != env.Namespace {
		p.Namespace = strings.Clone(ns) // a path may outlive the message
	}
	env.Namespace = p.Namespace
	if p.Keys, err = SelectorsToKeys(c, set, env); err != nil {
		return nil, err
	}
	return p, checkComplete(c, p)
}

// SelectorsToKeys are the keys of a class that are in a selector set, which may be not
// all of them. The errors are *wsman.Fault.
func SelectorsToKeys(c *cim.Class, set []wsman.Selector, env Env) ([]cim.Key, error) {
	if err := checkSelectors(c, set); err != nil {
		return nil, err
	}
	var keys []cim.Key
	for _, k := range c.Keys {
		s, ok := wsman.FindSelector(set, k.Name)
		if !ok {
			continue
		}
		v, err := keyValue(k, s, env)
		if err != nil {
			return nil, err
		}
		keys = append(keys, cim.Key{Name: k.Name, Value: v})
	}
	return keys, nil
}

// Namespace is the namespace that a request or an endpoint reference is about: the
// selector counts first, then the URI, then what else it would be.
func Namespace(r wsman.Resource, set []wsman.Selector, otherwise string) string {
	if s, ok := wsman.FindSelector(set, wsman.SelectorNamespace); ok && s.Value != "" {
		return cim.CanonicalNamespace(s.Value)
	}
	if r.Namespace != "" {
		return r.Namespace
	}
	return otherwise
}

// checkSelectors refuses selectors that are no keys of the class, and repeated ones.
func checkSelectors(c *cim.Class, set []wsman.Selector) error {
	seen := make(map[string]bool, len(set))
	for _, s := range set {
		name := strings.ToLower(s.Name)
		if seen[name] {
			return wsman.InvalidSelectors(wsman.DetailDuplicateSelectors, "the selector %q is there twice", clip(s.Name))
		}
		seen[name] = true
		if name == wsman.SelectorNamespace {
			continue
		}
		if p := c.Property(s.Name); p == nil || !p.Key {
			return wsman.InvalidSelectors(wsman.DetailUnexpectedSelectors, "%q is not a key of %s", clip(s.Name), c.Name)
		}
	}
	return nil
}

// checkComplete refuses a path with some of the keys.
func checkComplete(c *cim.Class, p *cim.Path) error {
	if len(p.Keys) == 0 || len(p.Keys) == len(c.Keys) {
		return nil
	}
	var missing []string
	for _, k := range c.Keys {
		if p.Key(k.Name) == nil {
			missing = append(missing, k.Name)
		}
	}
	return wsman.InvalidSelectors(wsman.DetailInsufficientSelectors, "selectors of %s are missing: %s", c.Name, strings.Join(missing, ", "))
}

// keyValue reads one key by the type of its property.
func keyValue(k *cim.Property, s wsman.Selector, env Env) (cim.Value, error) {
	switch {
	case k.Type == cim.Reference && s.EPR == nil:
		return nil, wsman.InvalidSelectors(wsman.DetailTypeMismatch, "the selector %s must be an endpoint reference", k.Name)
	case k.Type == cim.Reference:
		return EPRToPath(*s.EPR, env)
	case s.EPR != nil:
		return nil, wsman.InvalidSelectors(wsman.DetailTypeMismatch, "the selector %s is not a reference", k.Name)
	}
	v, err := parseScalar(k.Type, s.Value)
	if err != nil {
		return nil, wsman.InvalidSelectors(wsman.DetailTypeMismatch, "the selector %s: %v", k.Name, err)
	}
	return v, nil
}
