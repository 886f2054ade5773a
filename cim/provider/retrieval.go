package provider

import (
	"context"

	"twinlun/cim"
	"twinlun/cim/query"
)

// retrieval is one query under way at one provider.
type retrieval struct {
	broker *Broker
	entry  *entry
	ns     string // canonical
	query  *query.Select
	yield  cim.Yield
	// given are the paths that looking up has yielded, where what is looked up next
	// can find them again. All other instances come once, and are not remembered:
	// there can be many, and a client may take its time.
	given    map[string]bool
	scanning bool
}

// run looks up what the query fixes, and goes through all instances where that does
// not find everything.
func (r *retrieval) run(ctx context.Context) error {
	sets, fixed := r.query.Keys(r.entry.class)
	if !fixed || len(sets) > maxLookups {
		return r.scan(ctx)
	}
	if len(sets) > 1 {
		r.given = map[string]bool{}
	}
	for _, set := range sets {
		complete, err := r.lookUp(ctx, set)
		if err != nil {
			return err
		}
		if !complete {
			return r.scan(ctx)
		}
	}
	return nil
}

func (r *retrieval) scan(ctx context.Context) error {
	r.scanning = true
	return r.entry.enumerate(ctx, r.ns, r.visit)
}

// visit yields an instance that the query selects, once.
func (r *retrieval) visit(in *cim.Instance) error {
	if !r.query.Match(in) {
		return nil
	}
	if r.repeats(in) {
		return nil
	}
	return r.yield(r.query.Project(in))
}

// repeats says whether an instance was yielded already, and remembers it where that
// will be asked.
func (r *retrieval) repeats(in *cim.Instance) bool {
	if r.given == nil || r.scanning && len(r.given) == 0 {
		return false
	}
	key := in.Path.String()
	if r.given[key] {
		return true
	}
	if !r.scanning {
		r.given[key] = true
	}
	return false
}

// lookUp yields the instances with these keys; complete is false where there may be
// others that only a scan finds.
func (r *retrieval) lookUp(ctx context.Context, set query.KeySet) (complete bool, err error) {
	keys, err := r.broker.canonicalKeys(ctx, r.here(set.Keys))
	switch {
	case isUnusable(err):
		return false, nil
	case err != nil:
		return false, err
	case len(keys) == len(r.entry.class.Keys):
		return r.get(ctx, keys, set.Exact)
	}
	return r.find(ctx, keys, set.Exact)
}

// isUnusable says whether a reference among keys leads nowhere: to several
// instances, or to a class without them. What has it is still found by comparing.
func isUnusable(err error) bool {
	switch cim.StatusOf(err) {
	case cim.StatusInvalidParameter, cim.StatusInvalidClass, cim.StatusInvalidNamespace, cim.StatusNotSupported:
		return true
	}
	return false
}

// here gives references among keys that have no namespace that of the query.
func (r *retrieval) here(keys []cim.Key) []cim.Key {
	for i, k := range keys {
		if ref, ok := k.Value.(*cim.Path); ok && ref.Namespace == "" {
			full := *ref
			full.Namespace = r.ns
			keys[i].Value = &full
		}
	}
	return keys
}

// get takes the instance with all of the keys.
func (r *retrieval) get(ctx context.Context, keys []cim.Key, exact bool) (complete bool, err error) {
	g, ok := r.entry.provider.(Getter)
	if !ok {
		return false, nil
	}
	in, err := g.Get(ctx, &cim.Path{Namespace: r.ns, Class: r.entry.class.Name, Keys: keys})
	switch {
	case isNotFound(err):
		return exact, nil
	case err != nil:
		return false, known(err)
	}
	return true, r.visit(in)
}

// find takes the instances with some of the keys.
func (r *retrieval) find(ctx context.Context, keys []cim.Key, exact bool) (complete bool, err error) {
	found, stop := false, error(nil)
	visit := func(in *cim.Instance) error {
		found = found || r.query.Match(in)
		stop = r.visit(in)
		return stop
	}
	ok, err := r.ask(ctx, keys, visit)
	if stop != nil {
		return false, stop
	}
	return ok && (exact || found), known(err)
}

// ask lets the provider find instances with some of the keys, or the associations
// that refer to one of them; ok is false where it cannot.
func (r *retrieval) ask(ctx context.Context, keys []cim.Key, visit cim.Yield) (ok bool, err error) {
	if f, can := r.entry.provider.(Finder); can {
		if ok, err = f.Find(ctx, r.ns, keys, visit); ok || err != nil {
			return ok, err
		}
	}
	a, can := r.entry.provider.(Associator)
	if !can {
		return false, nil
	}
	for _, k := range keys {
		if object, isPath := k.Value.(*cim.Path); isPath {
			return true, a.References(ctx, object, k.Name, visit)
		}
	}
	return false, nil
}
