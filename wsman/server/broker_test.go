package server

import (
	"context"
	"strings"
	"sync"

	"twinlun/cim"
)

const testNamespace = "root/cimv2/storage/iscsitarget"

// fakeBroker holds instances in a list. Its hooks stand in for slow or broken
// providers.
type fakeBroker struct {
	schema *cim.Schema
	invoke func(context.Context, *cim.Call) (*cim.Reply, error)
	// each is called before every instance of an enumeration; nil for none.
	each func(ctx context.Context, n int) error
	// queries are the filters that are known, by their text.
	queries   map[string]fakeFilter
	uncounted bool // Count does not know

	changes []cim.PropertyValue // that Modify made

	mu        sync.Mutex // guards what follows
	instances []*cim.Instance
	calls     []*cim.Call
	running   int // enumerations that have not returned
}

func newFakeBroker() *fakeBroker { return &fakeBroker{schema: testSchema()} }

// put adds an instance with these values.
func (b *fakeBroker) put(class string, kv ...any) *cim.Instance {
	in := cim.NewInstance(b.schema.Class(class))
	for i := 0; i < len(kv); i += 2 {
		if err := in.Set(kv[i].(string), kv[i+1]); err != nil {
			panic(err)
		}
	}
	path, err := in.PathIn(testNamespace)
	if err != nil {
		panic(err)
	}
	in.Path = path
	b.mu.Lock()
	defer b.mu.Unlock()
	b.instances = append(b.instances, in)
	return in
}

func (b *fakeBroker) all() []*cim.Instance {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.instances
}

func (b *fakeBroker) Class(ns, name string) (*cim.Class, error) {
	if cim.CanonicalNamespace(ns) != testNamespace {
		return nil, cim.Errorf(cim.StatusInvalidNamespace, "there is no namespace %q", ns)
	}
	if c := b.schema.Class(name); c != nil {
		return c, nil
	}
	return nil, cim.Errorf(cim.StatusInvalidClass, "there is no class %q", name)
}

func (b *fakeBroker) Classes(ns, name string, _ bool) ([]*cim.Class, error) {
	if name == "" {
		_, err := b.Class(ns, "T_Element")
		return b.schema.Classes(), err
	}
	if _, err := b.Class(ns, name); err != nil {
		return nil, err
	}
	return b.schema.Subclasses(name), nil
}

func (b *fakeBroker) Get(_ context.Context, p *cim.Path) (*cim.Instance, error) {
	class, err := b.Class(p.Namespace, p.Class)
	if err != nil {
		return nil, err
	}
	var found []*cim.Instance
	for _, in := range b.all() {
		same := *in.Path
		same.Class = class.Name
		if in.Class.IsA(class.Name) && (len(p.Keys) == 0 || same.Equal(p)) {
			found = append(found, in)
		}
	}
	switch len(found) {
	case 0:
		return nil, cim.Errorf(cim.StatusNotFound, "there is no instance %s", p)
	case 1:
		return found[0], nil
	}
	return nil, cim.Errorf(cim.StatusInvalidParameter, "there are several instances of %s", p.Class)
}

func (b *fakeBroker) Enumerate(ctx context.Context, ns, class string, o cim.EnumerateOptions, yield cim.Yield) error {
	return b.each1(ctx, ns, class, func(in *cim.Instance) bool { return !o.Shallow || strings.EqualFold(in.Class.Name, class) }, yield)
}

func (b *fakeBroker) each1(ctx context.Context, ns, class string, keep func(*cim.Instance) bool, yield cim.Yield) error {
	b.runs(1)
	defer b.runs(-1)
	c, err := b.Class(ns, class)
	if err != nil {
		return err
	}
	for n, in := range b.all() {
		if !in.Class.IsA(c.Name) || !keep(in) {
			continue
		}
		if b.each != nil {
			if err := b.each(ctx, n); err != nil {
				return err
			}
		}
		if err := yield(in); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (b *fakeBroker) runs(d int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running += d
}

func (b *fakeBroker) open() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.running
}

func (b *fakeBroker) Associated(ctx context.Context, ns string, q cim.AssociationQuery, yield cim.Yield) error {
	object, err := b.Get(ctx, q.Object)
	if err != nil {
		return err
	}
	class := q.AssociationClass
	if class == "" {
		class = "T_Pair"
	}
	return b.each1(ctx, ns, class, func(*cim.Instance) bool { return true }, func(pair *cim.Instance) error {
		for _, ends := range [][2]string{{"Source", "Target"}, {"Target", "Source"}} {
			here, there := pair.Get(ends[0]).(*cim.Path), pair.Get(ends[1]).(*cim.Path)
			if !here.Equal(object.Path) || q.Role != "" && q.Role != ends[0] || q.ResultRole != "" && q.ResultRole != ends[1] {
				continue
			}
			if q.References {
				return yield(pair)
			}
			far, err := b.Get(ctx, there)
			if err != nil {
				return err
			}
			if q.ResultClass == "" || far.Class.IsA(q.ResultClass) {
				return yield(far)
			}
		}
		return nil
	})
}

func (b *fakeBroker) Invoke(ctx context.Context, c *cim.Call) (*cim.Reply, error) {
	b.mu.Lock()
	b.calls = append(b.calls, c)
	b.mu.Unlock()
	if b.invoke == nil {
		return &cim.Reply{Return: uint64(0)}, nil
	}
	return b.invoke(ctx, c)
}

func (b *fakeBroker) lastCall() *cim.Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls[len(b.calls)-1]
}
