package provider_test

import (
	"context"
	"io/fs"
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/cim/mof"
	"twinlun/cim/provider"
	"twinlun/schemas"
)

const ns = "root/test"

// fixed serves the instances that it is given. It can be enumerated, and no more.
type fixed struct {
	class      string
	namespaces []string
	list       []*cim.Instance
	err        error // of every operation
}

func (f *fixed) Class() string        { return f.class }
func (f *fixed) Namespaces() []string { return f.namespaces }

func (f *fixed) Enumerate(ctx context.Context, _ string, yield cim.Yield) error {
	for _, in := range f.list {
		if err := yield(in); err != nil {
			return err
		}
	}
	return f.err
}

// getter is a fixed that finds by path, and counts.
type getter struct {
	*fixed
	asked []*cim.Path
}

func (g *getter) Get(_ context.Context, p *cim.Path) (*cim.Instance, error) {
	g.asked = append(g.asked, p)
	if g.err != nil {
		return nil, g.err
	}
	for _, in := range g.list {
		if in.Path.Equal(p) {
			return in, nil
		}
	}
	return nil, cim.Errorf(cim.StatusNotFound, "no %s", p)
}

// painter is a getter with methods.
type painter struct {
	*getter
	calls []*cim.Call
	reply *cim.Reply
	fails error
}

func (p *painter) Invoke(_ context.Context, c *cim.Call) (*cim.Reply, error) {
	p.calls = append(p.calls, c)
	return p.reply, p.fails
}

func (p *painter) MethodRole(method string) cim.Role {
	if method == "Count" {
		return cim.RoleMonitor
	}
	return cim.RoleAdmin
}

// finder is a fixed association that looks up what it is asked for.
type finder struct {
	*fixed
	objects []*cim.Path
}

func (f *finder) References(ctx context.Context, object *cim.Path, _ string, yield cim.Yield) error {
	f.objects = append(f.objects, object)
	return f.Enumerate(ctx, ns, yield)
}

// world is a Broker on fixed instances.
type world struct {
	*provider.Broker
	schema *cim.Schema
	boxes  *painter
	balls  *getter
	rooms  *getter
	lonely *fixed
	holds  *fixed
	touch  *finder
}

func schema(t testing.TB) *cim.Schema {
	text, err := os.ReadFile("testdata/world.mof")
	require.NoError(t, err)
	qualifiers, err := fs.ReadFile(schemas.Files(), "qualifiers.mof")
	require.NoError(t, err)
	s, err := mof.Load(fstest.MapFS{"qualifiers.mof": {Data: qualifiers}, "world.mof": {Data: text}})
	require.NoError(t, err)
	return s
}

func newWorld(t testing.TB) *world {
	w := &world{schema: schema(t)}
	things := func(class string, names ...string) *fixed {
		f := &fixed{class: class, namespaces: []string{ns}}
		for _, n := range names {
			f.list = append(f.list, w.instance(t, class, cim.Key{Name: "Name", Value: n}))
		}
		return f
	}
	w.boxes = &painter{getter: &getter{fixed: things("T_Box", "b1", "b2")}, reply: &cim.Reply{Return: 0}}
	w.balls = &getter{fixed: things("T_Ball", "o1")}
	w.lonely = things("T_Lonely", "only")
	w.rooms = &getter{fixed: &fixed{class: "T_Room", namespaces: []string{ns}, list: []*cim.Instance{
		w.instance(t, "T_Room", cim.Key{Name: "Floor", Value: 1}, cim.Key{Name: "Name", Value: "hall"}),
	}}}
	hall := w.rooms.list[0].Path
	w.holds = &fixed{class: "T_Holds", namespaces: []string{ns}}
	for _, part := range []*cim.Path{w.boxes.list[0].Path, w.boxes.list[1].Path, w.balls.list[0].Path, thing("T_Box", "gone")} {
		w.holds.list = append(w.holds.list, w.tie(t, "T_Holds", "Whole", hall, "Part", part))
	}
	w.touch = &finder{fixed: &fixed{class: "T_Touches", namespaces: []string{ns}, list: []*cim.Instance{
		w.tie(t, "T_Touches", "One", w.boxes.list[0].Path, "Other", w.boxes.list[1].Path),
		w.tie(t, "T_Touches", "One", w.boxes.list[1].Path, "Other", w.boxes.list[0].Path),
	}}}
	b, err := provider.NewBroker(provider.Config{
		Schema: w.schema, Namespaces: []string{`ROOT\Test`, "root/other"},
		Providers: []provider.Provider{w.boxes, w.balls, w.rooms, w.lonely, w.holds, w.touch},
	})
	require.NoError(t, err)
	w.Broker = b
	return w
}

// instance makes an instance with these keys.
func (w *world) instance(t testing.TB, class string, keys ...cim.Key) *cim.Instance {
	b := cim.Build(w.schema.Class(class))
	for _, k := range keys {
		b.Set(k.Name, k.Value)
	}
	in, err := b.InstanceIn(ns)
	require.NoError(t, err)
	return in
}

func (w *world) tie(t testing.TB, class, a string, pa *cim.Path, b string, pb *cim.Path) *cim.Instance {
	return w.instance(t, class, cim.Key{Name: a, Value: pa}, cim.Key{Name: b, Value: pb})
}

func thing(class, name string) *cim.Path {
	return &cim.Path{Namespace: ns, Class: class, Keys: []cim.Key{{Name: "Name", Value: name}}}
}

// as is a context of a user with a role.
func as(r cim.Role) context.Context {
	return cim.WithPrincipal(context.Background(), cim.Principal{Name: "u", Role: r})
}

// collect makes a Yield that notes what the instances are called.
func collect(into *[]string) cim.Yield {
	return func(in *cim.Instance) error {
		p := *in.Path
		p.Namespace = ""
		*into = append(*into, p.String())
		return nil
	}
}
