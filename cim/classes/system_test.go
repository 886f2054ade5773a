package classes

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/cim/mof"
	"twinlun/cim/provider"
	"twinlun/replication/store"
	"twinlun/schemas"
)

// loadSchema is the real schema, read once.
var loadSchema = sync.OnceValues(func() (*cim.Schema, error) { return mof.Load(schemas.Files()) })

func testSchema(t testing.TB) *cim.Schema {
	s, err := loadSchema()
	require.NoError(t, err)
	return s
}

// system is all classes on a fake, behind a Broker.
type system struct {
	*provider.Broker
	*fake
	t testing.TB
	m *model // for its paths
}

func newSystem(t testing.TB) *system { return systemOn(t, newFake()) }

func testConfig(t testing.TB, f *fake) Config {
	return Config{
		Schema: testSchema(t), System: "host1", Version: "1.2.3", PoolNames: []string{"fast", "slow"},
		Portals: func() []string { return []string{"10.0.0.1:3260"} },
		Time:    func() time.Time { return then.Add(time.Minute) }, Logger: slog.New(slog.DiscardHandler),
		Replicator: f, Relationships: f, Groups: f, Volumes: f, Pools: f, Jobs: f, Exports: f,
		Editor: f, Settings: newSettings(t, store.NewMem()),
	}
}

func systemOn(t testing.TB, f *fake) *system {
	c := testConfig(t, f)
	return &system{Broker: brokerOf(t, c), fake: f, t: t, m: &model{Config: c}}
}

func brokerOf(t testing.TB, c Config) *provider.Broker {
	providers, err := All(c)
	require.NoError(t, err)
	b, err := provider.NewBroker(provider.Config{Schema: c.Schema, Providers: providers, Namespaces: []string{Namespace, InteropNamespace}})
	require.NoError(t, err)
	return b
}

// admin is a context of a user who may do everything.
func admin() context.Context {
	return cim.WithPrincipal(context.Background(), cim.Principal{Name: "eva", Role: cim.RoleAdmin})
}

// instances lists those of a class.
func (s *system) instances(class string) []*cim.Instance {
	var all []*cim.Instance
	err := s.Enumerate(context.Background(), Namespace, class, cim.EnumerateOptions{}, func(in *cim.Instance) error {
		all = append(all, in)
		return nil
	})
	require.NoError(s.t, err)
	return all
}

// associated lists what is associated.
func (s *system) associated(q cim.AssociationQuery) []*cim.Instance {
	var all []*cim.Instance
	err := s.Associated(context.Background(), Namespace, q, func(in *cim.Instance) error {
		all = append(all, in)
		return nil
	})
	require.NoError(s.t, err)
	return all
}

func pathsOf(all []*cim.Instance) []string {
	var paths []string
	for _, in := range all {
		paths = append(paths, in.Path.String())
	}
	return paths
}

func arg(name string, v cim.Value) cim.Arg { return cim.Arg{Name: name, Value: v} }

// invoke calls a method of the sole instance of a class, or of the instance that
// a path names.
func (s *system) invoke(on any, method string, in ...cim.Arg) *cim.Reply {
	p, ok := on.(*cim.Path)
	if !ok {
		p = &cim.Path{Namespace: Namespace, Class: on.(string)}
	}
	r, err := s.Invoke(admin(), &cim.Call{Path: p, Method: method, In: in})
	require.NoError(s.t, err)
	return r
}

// vol is the path of a volume of newFake.
func (s *system) vol(n int) *cim.Path { return s.m.volumePath(volumeIDOf(n)) }

// refusal is a call that is not carried out: the arguments that are changed in a
// good call, the return code, and what the reason begins with.
type refusal struct {
	name string
	with []cim.Arg
	code uint64
	why  string
}

// with changes arguments of a good call; nil takes one away.
func with(good []cim.Arg, changes []cim.Arg) []cim.Arg {
	out := append([]cim.Arg{}, good...)
	for _, c := range changes {
		found := false
		for i := range out {
			if out[i].Name == c.Name {
				out[i].Value, found = c.Value, true
			}
		}
		if !found {
			out = append(out, c)
		}
	}
	return out
}

// refuses checks that a method answers every row as it should and that nothing
// else was asked of the backend.
func refuses(t *testing.T, on any, method string, good []cim.Arg, rows []refusal, untouched ...string) {
	t.Helper()
	for _, row := range rows {
		t.Run(method+" "+row.name, func(t *testing.T) {
			s := newSystem(t)
			target := on
			if f, ok := on.(func(*system) *cim.Path); ok {
				target = f(s)
			}
			r := s.invoke(target, method, with(good, row.with)...)
			require.Equal(t, row.code, r.Return, r.Reason)
			require.True(t, strings.HasPrefix(r.Reason, row.why), "%q does not begin with %q", r.Reason, row.why)
			require.Empty(t, r.Out, "a refusal returns nothing")
			for _, m := range untouched {
				require.Zero(t, s.calls[m], m)
			}
		})
	}
}

// plainPath is a path to a volume of newFake without a system at hand.
func plainVol(n int) *cim.Path {
	return (&model{Config: Config{System: "host1"}}).volumePath(volumeIDOf(n))
}
