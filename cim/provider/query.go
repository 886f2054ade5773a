package provider

import (
	"context"

	"twinlun/cim"
	"twinlun/cim/query"
)

// maxLookups is how many sets of keys are looked up one by one before going through
// all instances is the smaller work.
const maxLookups = 64

// Filter checks a query against the schema. StatusQueryLanguageNotSupported, and
// StatusInvalidQuery with the place of what is wrong; StatusInvalidClass where the
// class that it selects from does not exist.
func (b *Broker) Filter(ns string, q cim.Query) (cim.Filter, error) {
	s, err := b.compile(ns, q)
	if err != nil {
		return nil, err // not s: a nil *Select is no nil Filter
	}
	return s, nil
}

func (b *Broker) checkNamespace(ns string) error {
	if !b.namespaces[cim.CanonicalNamespace(ns)] {
		return cim.Errorf(cim.StatusInvalidNamespace, "there is no namespace %q", ns)
	}
	return nil
}

func (b *Broker) compile(ns string, q cim.Query) (*query.Select, error) {
	if err := b.checkNamespace(ns); err != nil {
		return nil, err
	}
	return query.Compile(query.Config{Schema: b.schema, Time: b.time}, q)
}

// Query yields what a query selects: instances of its class and of its subclasses,
// as Filter.Project makes them, or for ASSOCIATORS OF and REFERENCES OF in WQL what
// Associated yields. Where the query fixes keys their instances are looked up, and
// others are not made. Texts are compared regardless of case in WQL: an instance
// whose keys are as they are written is taken for the only one, and only where there
// is none all are gone through.
func (b *Broker) Query(ctx context.Context, ns string, q cim.Query, yield cim.Yield) error {
	if query.IsAssociation(q) {
		return b.queryAssociated(ctx, ns, q, yield)
	}
	s, err := b.compile(ns, q)
	if err != nil {
		return err
	}
	for _, e := range b.served(ns, s.Class()) {
		r := &retrieval{broker: b, entry: e, ns: cim.CanonicalNamespace(ns), query: s, yield: yield}
		if err := r.run(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (b *Broker) queryAssociated(ctx context.Context, ns string, q cim.Query, yield cim.Yield) error {
	if err := b.checkNamespace(ns); err != nil {
		return err
	}
	a, err := query.ParseAssociation(b.schema, q.Text)
	if err != nil {
		return err
	}
	if a.Object.Namespace == "" {
		a.Object.Namespace = cim.CanonicalNamespace(ns)
	}
	return b.Associated(ctx, ns, a, yield)
}

// Count says how many instances Enumerate would yield; ok is false where that
// cannot be told without making them.
func (b *Broker) Count(ctx context.Context, ns, class string, o cim.EnumerateOptions) (n int, ok bool, err error) {
	c, err := b.Class(ns, class)
	if err != nil {
		return 0, false, err
	}
	for _, e := range b.served(ns, c) {
		if o.Shallow && e.class != c {
			continue
		}
		counter, can := e.provider.(Counter)
		if !can {
			return 0, false, nil
		}
		more, err := counter.Count(ctx, cim.CanonicalNamespace(ns))
		if err != nil {
			return 0, false, known(err)
		}
		n += more
	}
	return n, true, ctx.Err()
}
