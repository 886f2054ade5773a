package server

import (
	"context"
	"slices"

	"twinlun/cim"
)

// fakeFilter matches what the hook says.
type fakeFilter struct {
	class *cim.Class
	match func(*cim.Instance) bool
}

func (f fakeFilter) Class() *cim.Class                    { return f.class }
func (f fakeFilter) Match(in *cim.Instance) bool          { return in.Class.IsA(f.class.Name) && f.match(in) }
func (fakeFilter) Project(in *cim.Instance) *cim.Instance { return in }

// Filter knows the queries of b.queries, by their text.
func (b *fakeBroker) Filter(_ string, q cim.Query) (cim.Filter, error) {
	f, ok := b.queries[q.Text]
	if !ok {
		return nil, cim.Errorf(cim.StatusInvalidQuery, "line 1, column 1: the query is not understood")
	}
	return f, nil
}

func (b *fakeBroker) Query(ctx context.Context, ns string, q cim.Query, yield cim.Yield) error {
	f, err := b.Filter(ns, q)
	if err != nil {
		return err
	}
	return b.each1(ctx, ns, f.Class().Name, f.Match, func(in *cim.Instance) error { return yield(f.Project(in)) })
}

func (b *fakeBroker) Count(_ context.Context, ns, class string, _ cim.EnumerateOptions) (n int, known bool, err error) {
	c, err := b.Class(ns, class)
	for _, in := range b.all() {
		if err == nil && in.Class.IsA(c.Name) {
			n++
		}
	}
	return n, !b.uncounted, err
}

func (b *fakeBroker) Modify(ctx context.Context, p *cim.Path, changes []cim.PropertyValue) (*cim.Instance, error) {
	in, err := b.Get(ctx, p)
	for _, c := range changes {
		if err == nil && !cim.Equal(in.Get(c.Name), c.Value) {
			b.changes = append(b.changes, c)
			err = in.Set(c.Name, c.Value)
		}
	}
	return in, err
}

func (b *fakeBroker) Create(_ context.Context, ns, class string, given []cim.PropertyValue) (*cim.Path, error) {
	c, err := b.Class(ns, class)
	if err != nil {
		return nil, err
	}
	var kv []any
	for _, g := range given {
		kv = append(kv, g.Name, g.Value)
	}
	return b.put(c.Name, kv...).Path, nil
}

func (b *fakeBroker) Delete(ctx context.Context, p *cim.Path) error {
	in, err := b.Get(ctx, p)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.instances = slices.DeleteFunc(slices.Clone(b.instances), func(have *cim.Instance) bool { return have == in })
	return nil
}
